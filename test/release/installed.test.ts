import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Consumer } from '../../release/consumer.js';
import { layOutMainPackage } from '../../release/main-package.js';
import { readManifest } from '../../release/manifest.js';
import { ownAddonPath } from '../../src/engine/load.js';
import { addonFileOf, ownPlatform, packageNameOf } from '../../src/engine/platform-package.js';
import { nativeBuilt } from '../engine/engines.js';

/**
 * What a consumer gets, laid out by hand: npm would need a registry for it (`npm run release:prove` does that). There is
 * no compiler on the path, and no checkout around.
 */

const root = fileURLToPath(new URL('../..', import.meta.url));
const manifest = readManifest(root);
const platform = ownPlatform();
const EXAMPLE = '1: hello\n';

let consumer: Consumer;
const inModules = (...path: string[]): string => join(consumer.dir, 'node_modules', ...path);
const addon = (): string => inModules(packageNameOf(platform), addonFileOf(platform));

/** The platform's package as the release makes it, with this much of the addon. */
function installPlatform(bytes: Uint8Array, version = manifest.version): void {
  mkdirSync(dirname(addon()), { recursive: true });
  writeFileSync(join(dirname(addon()), 'package.json'), JSON.stringify({ version, main: addonFileOf(platform) }));
  writeFileSync(addon(), bytes);
}

beforeAll(async () => {
  consumer = new Consumer();
  await layOutMainPackage(root, inModules('longhaul'), []);
  for (const name of Object.keys(manifest.dependencies)) {
    if (name !== 'lz4-napi') symlinkSync(join(root, 'node_modules', name), inModules(name), 'dir');
  }
});

afterAll(() => consumer.remove());

beforeEach(() => {
  rmSync(inModules('@longhaul'), { recursive: true, force: true });
  rmSync(inModules('longhaul', 'build'), { recursive: true, force: true });
  rmSync(inModules('lz4-napi'), { recursive: true, force: true });
  symlinkSync(join(root, 'node_modules', 'lz4-napi'), inModules('lz4-napi'), 'dir');
});

test('there is no compiler', () => {
  expect(['cc', 'c++', 'g++', 'clang++', 'make'].filter((name) => consumer.finds(name))).toEqual([]);
});

describe('without the package of the platform', () => {
  test("the README's program runs, and the reason is told without a warning", async () => {
    expect(await consumer.example()).toEqual({ stdout: EXAMPLE, stderr: '' });
    const { name, reason } = await consumer.engine();
    expect(name).toBe('portable');
    expect(reason).toMatch(new RegExp(`there is no .*longhaul[.]node; ${packageNameOf(platform)} is not installed$`));
  });

  test('and without any optional dependency LZ4 is done in JavaScript', async () => {
    // A copy does not see the binary that lies beside the original.
    rmSync(inModules('lz4-napi'));
    cpSync(join(root, 'node_modules', 'lz4-napi'), inModules('lz4-napi'), { recursive: true });
    expect(await consumer.example()).toEqual({ stdout: EXAMPLE, stderr: '' });
    expect(await consumer.engine()).toMatchObject({
      name: 'portable',
      codecs: ['none', 'lz4'],
      reason: expect.stringMatching(/LZ4 is done in JavaScript: Cannot find module/),
    });
  });

  test('who asks for the native engine is refused with the reason', async () => {
    const refusal = consumer.program("import 'longhaul';", { LONGHAUL_ENGINE: 'native' });
    await expect(refusal).rejects.toThrow(/NATIVE_ENGINE_MISSING/);
    await expect(refusal).rejects.toThrow(/is not installed/);
  });
});

describe.skipIf(!nativeBuilt)('with the package of the platform', () => {
  const whole = (): Buffer => readFileSync(ownAddonPath());

  test("the README's program runs on the native engine", async () => {
    installPlatform(whole());
    expect(await consumer.example()).toEqual({ stdout: EXAMPLE, stderr: '' });
    const found = await consumer.engine();
    expect(found).toMatchObject({ name: 'native', library: addon() });
    expect(found).not.toHaveProperty('reason');
  });

  test.each([
    ['that is cut off', 0.5, manifest.version, /does not load: the file is cut off after \d+ bytes$/],
    ['that is empty', 0, manifest.version, /does not load: .*file too short$/],
    ['of another version', 1, '0.0.9', /package.json is of version 0.0.9, and longhaul of \d/],
  ])('an addon %s is told, and the portable engine serves', async (_, part, version, expected) => {
    const bytes = whole();
    installPlatform(bytes.subarray(0, Math.floor(part * bytes.byteLength)), version);
    const { stdout, stderr } = await consumer.example();
    expect(stdout).toBe(EXAMPLE);
    expect(stderr.match(/\[ADDON_NOT_LOADED\] LonghaulWarning: the portable engine serves: /g)).toHaveLength(1);
    const { name, reason } = await consumer.engine();
    expect(name).toBe('portable');
    expect(reason?.split('; ').find((said) => said.includes(packageNameOf(platform)))).toMatch(expected);
  });

  test('it serves for a built addon that does not load, which is told', async () => {
    installPlatform(whole());
    const built = inModules('longhaul', 'build', 'Release', 'longhaul.node');
    mkdirSync(dirname(built), { recursive: true });
    writeFileSync(built, whole().subarray(0, 5_000));
    const { stdout, stderr } = await consumer.example();
    expect(stdout).toBe(EXAMPLE);
    expect(stderr.match(/\[ADDON_NOT_LOADED\]/g)).toHaveLength(1);
    const reason = `${built} does not load: the file is cut off after 5000 bytes; ${addon()} serves instead`;
    expect(await consumer.engine()).toMatchObject({ name: 'native', library: addon(), reason });
  });
});
