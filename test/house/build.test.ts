import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { nativeBuilt } from '../engine/engines.js';
import { newDirectory } from '../support/temp.js';

/** The build of the addon, in a copy of the checkout and where there is no compiler. */

const root = fileURLToPath(new URL('../..', import.meta.url));
const LINE = /^the native engine was not built, so the portable one serves: .+ [(]build.native[.]log has it all[)]\n$/;

function checkout(): string {
  const dir = newDirectory();
  for (const name of ['native', 'binding.gyp', 'package.json']) {
    cpSync(join(root, name), join(dir, name), { recursive: true });
  }
  symlinkSync(join(root, 'node_modules'), join(dir, 'node_modules'), 'dir');
  mkdirSync(join(dir, 'bin'));
  symlinkSync(process.execPath, join(dir, 'bin', 'node'));
  return dir;
}

function build(dir: string, env: NodeJS.ProcessEnv = {}): { status: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(dir, 'native', 'build.mjs')], {
    env: { PATH: join(dir, 'bin'), HOME: dir, ...env },
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

test('says once that it cannot, and goes on', () => {
  const dir = checkout();
  expect(build(dir)).toEqual({ status: 0, stdout: '', stderr: expect.stringMatching(LINE) });
  expect(readFileSync(join(dir, 'build', 'native.log'), 'utf8')).toMatch(/gyp/);
});

test('fails instead where the addon is a must', () => {
  const { status, stderr } = build(checkout(), { LONGHAUL_REQUIRE_NATIVE: '1' });
  expect(status).toBe(1);
  expect(`${stderr.trimEnd().split('\n').at(-1)}\n`).toMatch(LINE);
});

test.skipIf(!nativeBuilt)('does nothing while nothing has changed, and keeps no addon of other sources', () => {
  const dir = checkout();
  const addon = join('build', 'Release', 'longhaul.node');
  mkdirSync(join(dir, 'build', 'Release'), { recursive: true });
  writeFileSync(join(dir, addon), 'an addon');
  copyFileSync(join(root, 'build', 'native.inputs'), join(dir, 'build', 'native.inputs'));
  expect(build(dir, { LONGHAUL_REQUIRE_NATIVE: '1' })).toEqual({ status: 0, stdout: '', stderr: '' });
  expect(existsSync(join(dir, 'build', 'native.log'))).toBe(false);
  appendFileSync(join(dir, 'native', 'gear.h'), '\n');
  expect(build(dir)).toMatchObject({ status: 0, stderr: expect.stringMatching(LINE) });
  expect(existsSync(join(dir, addon))).toBe(false);
});
