import { linkSync, mkdirSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { letFilesSettle } from '../support/clock.js';
import { contentOf } from '../support/files.js';
import { Pair } from '../support/pair.js';

/** A file that is somewhere else than before crosses as its name, not as its content. */

let pair: Pair;
const place = (path: string): string => join(pair.source, path);
const move = (from: string, to: string): void => renameSync(place(from), place(to));

beforeEach(async () => {
  letFilesSettle();
  pair = Pair.at();
  for (const dir of ['d/e/f', 'other']) mkdirSync(place(dir), { recursive: true });
  const files = ['a', 'b', 'c', 'd/one', 'd/e/two', 'd/e/f/three', 'other/four'];
  for (const [i, name] of files.entries()) writeFileSync(place(name), contentOf(2 * i + 1, 300_000 + i));
  writeFileSync(place('large'), contentOf(99, 3_000_000));
  await pair.openReceiver();
  await pair.openSender();
  await pair.sync();
});

async function expectMoved(count: number, sourceBytesMax = 0): Promise<void> {
  const before = pair.sender.status().payloadBytesSent;
  const result = await pair.sync();
  expect(pair.differences()).toEqual([]);
  expect(result).toMatchObject({ moved: count, repaired: 0 });
  expect(result.sourceBytes).toBeLessThanOrEqual(sourceBytesMax);
  expect(pair.sender.status().payloadBytesSent - before).toBeLessThan(10_000 + sourceBytesMax);
}

const CASES: Record<string, [change: () => void, moved: number]> = {
  'a new name': [() => move('a', 'z'), 1],
  'another directory': [() => move('a', 'd/e/a'), 1],
  'over another file': [() => move('a', 'b'), 1],
  'a large file': [() => move('large', 'd/large'), 1],
  'a directory with all that is in it': [() => move('d', 'renamed'), 3],
  'a directory into another': [() => move('d', 'other/d'), 3],
  'two files that change places': [
    () => {
      move('a', 'x');
      move('b', 'a');
      move('x', 'b');
    },
    2,
  ],
  'three files in a circle': [
    () => {
      move('a', 'x');
      move('c', 'a');
      move('b', 'c');
      move('x', 'b');
    },
    3,
  ],
  'a chain, as logs are rotated': [
    () => {
      rmSync(place('c'));
      move('b', 'c');
      move('a', 'b');
    },
    2,
  ],
  'two directories that change places': [
    () => {
      move('d', 'x');
      move('other', 'd');
      move('x', 'other');
    },
    4,
  ],
  'a file into a new directory of its own name': [
    () => {
      move('a', 'x');
      mkdirSync(place('a'));
      move('x', 'a/a');
    },
    1,
  ],
  'a directory replaced by a file from inside it': [
    () => {
      move('d/e/two', 'x');
      rmSync(place('d'), { recursive: true });
      move('x', 'd');
    },
    1,
  ],
  'a directory replaced by a file, and its file goes to where that was': [
    () => {
      move('d/one', 'x');
      rmSync(place('d'), { recursive: true });
      move('a', 'd');
      move('x', 'a');
    },
    2,
  ],
  'a file that leaves a directory which goes': [
    () => {
      move('d/e/f/three', 'three');
      rmSync(place('d'), { recursive: true });
    },
    1,
  ],
  'a new mode and owner on the way': [
    () => {
      move('a', 'z');
      utimesSync(place('d'), 5, 5);
    },
    1,
  ],
};

test.each(Object.entries(CASES))('%s', async (_, [change, moved]) => {
  change();
  await expectMoved(moved);
});

test('a new file in the old place crosses as content, the moved one does not', async () => {
  move('large', 'moved');
  writeFileSync(place('large'), contentOf(5, 5000));
  await expectMoved(1, 5000);
});

test('a file that was changed after it was moved crosses as content', async () => {
  move('a', 'z');
  writeFileSync(place('z'), contentOf(7, 300_000));
  await expectMoved(0, 300_000);
});

test('a name for the same inode, one more or one less, keeps both ends the same', async () => {
  linkSync(place('a'), place('second name'));
  await pair.sync();
  expect(pair.differences()).toEqual([]);
  rmSync(place('a'));
  linkSync(place('second name'), place('third name'));
  await pair.sync();
  expect(pair.differences()).toEqual([]);
});

describe('a second pass', () => {
  test('over an unchanged tree puts nothing into the queue', async () => {
    const { appended } = pair.sender.status();
    for (let i = 0; i < 3; i++) await pair.sync();
    expect(pair.sender.status().appended).toBe(appended);
  });

  test('after both ends were opened anew puts nothing into the queue', async () => {
    const { appended } = pair.sender.status();
    await pair.close();
    await pair.openReceiver();
    await pair.openSender();
    const result = await pair.sync();
    expect(result).toMatchObject({ sent: 0, moved: 0, removed: 0, touched: 0, sourceBytes: 0, repaired: 0 });
    expect(pair.sender.status().appended).toBe(appended);
  });

  test('over files that were only touched sends their times alone', async () => {
    utimesSync(place('large'), 1000, 1000);
    utimesSync(place('d/e'), 2000, 2000);
    const result = await pair.sync();
    expect(result).toMatchObject({ sent: 0, touched: 1, sourceBytes: 0 });
    expect(pair.differences()).toEqual([]);
  });
});
