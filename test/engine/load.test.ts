import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { engine } from '../../src/engine/engine.js';
import { type AddonPlace, loadEngine, ownAddonPath } from '../../src/engine/load.js';
import { installedAddon } from '../../src/engine/platform-package.js';
import { InvalidArgumentError, NativeEngineMissingError } from '../../src/errors.js';
import { newDirectory } from '../support/temp.js';
import { nativeBuilt } from './engines.js';

/** Where `path` says, whether something is there or not. */
const at = (path: string): AddonPlace => ({
  find: () => (existsSync(path) ? path : undefined),
  absence: `there is no ${path}`,
});

const missing = (): string => join(newDirectory(), 'longhaul.node');

/** An addon that loads but is not this version's; a script does for one. */
function addonWith(code: string): string {
  const path = join(newDirectory(), 'longhaul.cjs');
  writeFileSync(path, code);
  return path;
}

/** A package with the platform's one in its `node_modules`; answers with the manifest of the former. */
function installed(ours: string, theirs: string, addon?: string): string {
  const manifest = join(newDirectory(), 'package.json');
  const dir = join(dirname(manifest), 'node_modules', '@longhaul', 'native-linux-x64-gnu');
  mkdirSync(dir, { recursive: true });
  writeFileSync(manifest, ours);
  writeFileSync(join(dir, 'package.json'), theirs);
  if (addon !== undefined) copyFileSync(addon, join(dir, 'longhaul.linux-x64-gnu.node'));
  return manifest;
}

const fromPackage = (manifest: string): AddonPlace => ({
  find: () => installedAddon('linux-x64-gnu', manifest),
  absence: 'it is not installed',
});

const VERSION = '{"version":"1.2.3"}';

test('the addon is used where it was built, and otherwise it says why not', () => {
  const chosen = process.env.LONGHAUL_ENGINE;
  expect(engine.name).toBe(nativeBuilt && chosen !== 'portable' ? 'native' : 'portable');
  expect(engine.reason === undefined).toBe(engine.name === 'native');
  expect(engine.library).toBe(engine.name === 'native' ? ownAddonPath() : undefined);
  expect(engine.codecs).toEqual(engine.name === 'native' ? ['none', 'lz4', 'zstd'] : ['none', 'lz4']);
  expect(ownAddonPath()).toMatch(/build.Release.longhaul[.]node$/);
});

test('without an addon the portable engine serves and remembers the reason', () => {
  const [one, two] = [missing(), missing()];
  const expected = { name: 'portable', reason: `there is no ${one}; there is no ${two}`, faults: [] };
  expect(loadEngine(undefined, [at(one), at(two)])).toMatchObject(expected);
  expect(loadEngine('', [at(one)])).toMatchObject({ name: 'portable' });
});

test('portable is had for the asking', () => {
  expect(loadEngine('portable')).toMatchObject({ name: 'portable', reason: 'LONGHAUL_ENGINE is portable', faults: [] });
});

test('native that does not load is an error with a code', () => {
  const path = missing();
  const load = (): unknown => loadEngine('native', [at(path)]);
  expect(load).toThrow(NativeEngineMissingError);
  expect(load).toThrow(
    expect.objectContaining({ code: 'NATIVE_ENGINE_MISSING', reason: `there is no ${path}`, recoverable: false }),
  );
  expect(load).toThrow(/there is no .*npm run build/);
  expect(() => loadEngine('native', [at(addonWith('module.exports = {};'))])).toThrow(
    expect.objectContaining({ reason: expect.stringMatching(/does not load/), cause: expect.any(Error) }),
  );
});

test.each([
  ['something that is no addon', 'throw new Error("wrong architecture");', /longhaul.cjs does not load: wrong arch/],
  ['an addon without the kernels', 'module.exports = {};', /longhaul.cjs does not load: .*not a function/],
  [
    'an addon with other results',
    'module.exports = { checksum64: () => 0n, checksumParts: () => 0n, sealRecords: () => 1, checkRecords: () => 1 };',
    /longhaul.cjs does not load: it belongs to another version/,
  ],
])('%s is not used', (_, code, reason) => {
  const loaded = loadEngine(undefined, [at(addonWith(code)), at(missing())]);
  expect(loaded).toMatchObject({ name: 'portable', reason: expect.stringMatching(reason) });
  expect(loaded.reason).toMatch(/; there is no /);
  expect(loaded.faults).toHaveLength(1);
});

test.skipIf(!nativeBuilt)('the package of the platform serves where nothing was built', () => {
  const manifest = installed(VERSION, VERSION, ownAddonPath());
  const library = join(dirname(manifest), 'node_modules/@longhaul/native-linux-x64-gnu/longhaul.linux-x64-gnu.node');
  const loaded = loadEngine(undefined, [at(missing()), fromPackage(manifest)]);
  expect(loaded).toMatchObject({ name: 'native', library, faults: [] });
  expect(loaded.reason).toBeUndefined();
});

test.skipIf(!nativeBuilt)('it serves for a built one that does not load, and says that it has to', () => {
  const path = addonWith('throw new Error("wrong architecture");');
  const loaded = loadEngine('native', [at(path), fromPackage(installed(VERSION, VERSION, ownAddonPath()))]);
  expect(loaded).toMatchObject({ name: 'native', faults: [{ message: `${path} does not load: wrong architecture` }] });
  expect(loaded.reason).toMatch(
    /wrong architecture; .*native-linux-x64-gnu.longhaul.linux-x64-gnu.node serves instead$/,
  );
});

test.each([
  ['of another version', VERSION, '{"version":"1.2.4"}', /package.json is of version 1.2.4, and longhaul of 1.2.3/],
  ['without a manifest that can be read', VERSION, '{', /package.json/],
  ['that has lost its addon', VERSION, VERSION, /longhaul.linux-x64-gnu.node does not load: ENOENT/],
])('a package %s is a fault', (_, ours, theirs, reason) => {
  const loaded = loadEngine(undefined, [fromPackage(installed(ours, theirs))]);
  expect(loaded).toMatchObject({ name: 'portable', reason: expect.stringMatching(reason) });
  expect(loaded.faults).toHaveLength(1);
});

test('a package that is not installed is none', () => {
  const manifest = join(newDirectory(), 'package.json');
  writeFileSync(manifest, VERSION);
  const expected = { name: 'portable', reason: 'it is not installed', faults: [] };
  expect(loadEngine(undefined, [fromPackage(manifest)])).toMatchObject(expected);
});

// Without the check the process would die of SIGBUS at some of these.
test.skipIf(!nativeBuilt || process.platform !== 'linux').each([0, 5, 63, 64, 0.01, 0.5, 0.99])(
  'an addon cut off at %d is not used',
  (end) => {
    const addon = readFileSync(ownAddonPath());
    const path = missing();
    writeFileSync(path, addon.subarray(0, end < 1 ? Math.floor(end * addon.byteLength) : end));
    const reason = expect.stringMatching(
      /longhaul.node does not load: (the file is cut off after \d+ bytes|file too short)/,
    );
    expect(loadEngine(undefined, [at(path)])).toMatchObject({ name: 'portable', reason });
  },
);

test('another word is refused', () => {
  expect(() => loadEngine('fast')).toThrow(InvalidArgumentError);
});
