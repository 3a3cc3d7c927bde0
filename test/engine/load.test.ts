import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { engine } from '../../src/engine/engine.js';
import { loadEngine, ownAddonPath } from '../../src/engine/load.js';
import { InvalidArgumentError, NativeEngineMissingError } from '../../src/errors.js';
import { newDirectory } from '../support/temp.js';
import { nativeBuilt } from './engines.js';

const missing = (): string => join(newDirectory(), 'longhaul.node');

/** An addon that loads but is not this version's; a script does for one. */
function addonWith(code: string): string {
  const path = join(newDirectory(), 'longhaul.cjs');
  writeFileSync(path, code);
  return path;
}

test('the addon is used where it was built, and otherwise it says why not', () => {
  const chosen = process.env.LONGHAUL_ENGINE;
  expect(engine.name).toBe(nativeBuilt && chosen !== 'portable' ? 'native' : 'portable');
  expect(engine.reason === undefined).toBe(engine.name === 'native');
  expect(engine.codecs).toEqual(engine.name === 'native' ? ['none', 'lz4', 'zstd'] : ['none', 'lz4']);
  expect(ownAddonPath()).toMatch(/build.Release.longhaul[.]node$/);
});

test('without an addon the portable engine serves and remembers the reason', () => {
  const path = missing();
  expect(loadEngine(undefined, path)).toMatchObject({ name: 'portable', reason: `there is no ${path}` });
  expect(loadEngine('', path)).toMatchObject({ name: 'portable' });
});

test('portable is had for the asking', () => {
  expect(loadEngine('portable')).toMatchObject({ name: 'portable', reason: 'LONGHAUL_ENGINE is portable' });
});

test('native that does not load is an error with a code', () => {
  const path = missing();
  const load = (): unknown => loadEngine('native', path);
  expect(load).toThrow(NativeEngineMissingError);
  expect(load).toThrow(expect.objectContaining({ code: 'NATIVE_ENGINE_MISSING', path, recoverable: false }));
  expect(load).toThrow(/there is no .*npm run build/);
});

test.each([
  ['something that is no addon', 'throw new Error("wrong architecture");', /wrong architecture/],
  ['an addon without the kernels', 'module.exports = {};', /not a function/],
  [
    'an addon with other results',
    'module.exports = { checksum64: () => 0n, sealRecords: () => 1, checkRecords: () => 1 };',
    /belongs to another version/,
  ],
])('%s is not used', (_, code, reason) => {
  expect(loadEngine(undefined, addonWith(code))).toMatchObject({
    name: 'portable',
    reason: expect.stringMatching(reason),
  });
});

test('another word is refused', () => {
  expect(() => loadEngine('fast')).toThrow(InvalidArgumentError);
});
