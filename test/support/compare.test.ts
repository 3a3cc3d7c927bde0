import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { compareTrees } from './compare.js';
import { keepTime, listTree, touch } from './files.js';
import { MUTATIONS, mutate } from './mutations.js';
import { randomFor } from './seed.js';
import { newDirectory, removeTree } from './temp.js';
import { makeNastyTree, makeRandomTree } from './tree.js';

/** The tests believe these helpers, so they are tested for what they must notice. */

let dir: string;
let original: string;
let copies = 0;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'longhaul-'));
  original = join(dir, 'original');
  mkdirSync(original);
  await makeNastyTree(original);
});

afterAll(() => removeTree(dir));

/** A copy that has to be the same. */
function twin(): string {
  const copy = join(dir, `copy ${++copies}`);
  const times = join(dir, 'times');
  spawnSync('touch', ['-r', join(original, 'a'), times]);
  spawnSync('cp', ['-a', '--no-preserve=links', original, copy]);
  for (const { path, kind } of listTree(copy)) if (kind === 'special') rmSync(join(copy, path));
  spawnSync('touch', ['-r', times, join(copy, 'a')]);
  return copy;
}

function replace(path: string, make: (path: string) => void): void {
  rmSync(path, { recursive: true });
  make(path);
}

test('a copy by another program is the same', () => {
  expect(compareTrees(original, twin())).toEqual([]);
});

test.each<[string, (copy: string) => void, RegExp]>([
  ['a missing file', (copy) => rmSync(join(copy, 'sizes/1')), /"sizes\/1": missing/],
  ['a file too many', (copy) => writeFileSync(join(copy, 'sizes/x'), ''), /"sizes\/x": file that the original lacks/],
  [
    'a byte changed in secret',
    (copy) =>
      keepTime(Buffer.from(join(copy, 'sizes/4096')), () =>
        writeFileSync(join(copy, 'sizes/4096'), Buffer.alloc(4096)),
      ),
    /"sizes\/4096": content differs/,
  ],
  ['a byte more', (copy) => appendFileSync(join(copy, 'sizes/0'), 'x'), /"sizes\/0": size 1 instead of 0/],
  ['another mode', (copy) => chmodSync(join(copy, 'sizes/1'), 0o601), /"sizes\/1": mode 601/],
  ['another mode of a directory', (copy) => chmodSync(join(copy, 'empty'), 0o701), /"empty": mode 701/],
  ['another time by a microsecond', (copy) => touch(copy, 'times/file 5', '-1.499999'), /"times\/file 5": time/],
  ['another time of a link', (copy) => touch(copy, 'times/link 3', '5'), /"times\/link 3": time/],
  ['another time of the root', (copy) => touch(copy, '', '5'), /\(root\): time/],
  [
    'another target',
    (copy) => replace(join(copy, 'links/dot'), (path) => symlinkSync('..', path)),
    /"links\/dot": .*target/,
  ],
  [
    'another kind',
    (copy) => replace(join(copy, 'empty'), (path) => writeFileSync(path, '')),
    /"empty": file instead of directory/,
  ],
  [
    'holes filled up',
    (copy) => replace(join(copy, 'holes/huge'), (path) => writeFileSync(path, Buffer.alloc(40 * 1024 * 1024))),
    /"holes\/huge": takes \d+ blocks/,
  ],
  ['a directory elsewhere', (copy) => renameSync(join(copy, 'a/b'), join(copy, 'b')), /"a\/b": missing/],
])('%s is noticed', (_, change, message) => {
  const copy = twin();
  change(copy);
  expect(compareTrees(original, copy).join('\n')).toMatch(message);
});

test('every kind of change to a tree comes up', () => {
  const random = randomFor(950);
  const seen = new Set<string>();
  for (let round = 0; round < 4; round++) {
    const root = newDirectory();
    makeRandomTree(root, random, { entries: 150, fileBytesMax: 500 });
    for (const line of mutate(root, random, 60)) seen.add(line.slice(0, line.indexOf(':')));
  }
  expect([...seen].sort()).toEqual(Object.keys(MUTATIONS).sort());
});
