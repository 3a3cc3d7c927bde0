import { describe, expect, test } from 'vitest';
import { Journal } from '../../src/journal/journal.js';
import { randomFor } from '../support/seed.js';
import { FaultyFileSystem } from './faults.js';
import { collect, newDirectory, SEGMENT_BYTES_MIN } from './harness.js';
import { MemoryDisk } from './memory-disk.js';
import { readSides, straySides, writeSides } from './side-content.js';

/** Side files on a disk that fails, gets full, or loses its power. */

const RECORDS = 9;

function open(dir: string, fs: MemoryDisk['fs']): Promise<Journal> {
  return Journal.open({ dir, fs, segmentBytes: SEGMENT_BYTES_MIN, historyBytes: 0, scrubBytesPerSecond: 0 });
}

/** A closed journal of five segments, with side files beside the full ones if asked. */
async function sample(withSides: boolean): Promise<{ dir: string; disk: MemoryDisk }> {
  const home = { dir: newDirectory(), disk: new MemoryDisk() };
  const journal = await open(home.dir, home.disk.fs);
  for (let index = 0; index < RECORDS; index++) await journal.append(Buffer.alloc(25_000, index));
  if (withSides) expect(await writeSides(journal)).toBe(4);
  await journal.close();
  return home;
}

describe.each([
  ['EIO', 'nothing'],
  ['EIO', 'all'],
  ['ENOSPC', 'part'],
] as const)('a call that fails once with %s, having done %s,', (code, depth) => {
  test.each([false, true])('is no matter to the journal while side files are read and written: %s', async (before) => {
    const { dir, disk } = await sample(before);
    let struck = true;
    for (let target = 0; struck; target++) {
      let calls = 0;
      let armed = false;
      const copy = disk.fork();
      const faulty = new FaultyFileSystem(() => armed && calls++ === target, code, depth, copy.fs);
      const journal = await open(dir, faulty.fs);
      armed = true;
      const kept = await writeSides(journal);
      const found = await readSides(journal);
      armed = false;
      ({ struck } = faulty);
      const name = `call ${target}: ${faulty.calls[faulty.calls.length - 1 - faulty.callsAfterFault.length]}`;
      expect(kept, name).toBeGreaterThanOrEqual(struck ? 3 : 4);
      expect([...found.values()].filter((there) => there).length, name).toBeGreaterThanOrEqual(struck ? 3 : 4);
      expect(journal.status(), name).not.toHaveProperty('broken');
      expect(await journal.append(Buffer.alloc(10)), name).toBe(RECORDS + 1);
      await writeSides(journal);
      expect([...(await readSides(journal)).values()], name).toEqual([true, true, true, true]);
      await journal.close();
      expect(faulty.openFiles, name).toBe(0);
      expect(straySides(journal, copy.list(dir).keys()), name).toEqual([]);
    }
  });
});

test('a side file that cannot be removed stays, and neither keeps its segment nor is taken for another one', async () => {
  const { dir, disk } = await sample(true);
  const faulty = new FaultyFileSystem(() => false, 'EIO', 'nothing', disk.fs);
  const journal = await open(dir, faulty.fs);
  faulty.failNext('unlink');
  await journal.cursor('peer').advance(4);
  await expect.poll(() => journal.first).toBe(5);
  await expect.poll(() => straySides(journal, disk.list(dir).keys())).toEqual(['0000000000000001.log.idx']);
  await journal.reset(1, 7n);
  for (let index = 0; index < 4; index++) await journal.append(Buffer.alloc(25_000, index));
  expect(await journal.readSide(1)).toBeUndefined();
  await journal.close();
});

test('with every room from none to plenty a side file is there whole or not at all, and the journal works', async () => {
  const { dir, disk } = await sample(false);
  const content = Buffer.alloc(5000, 'side');
  let written = false;
  for (let room = 0; !written; room += 700) {
    const copy = disk.fork();
    const journal = await open(dir, copy.fs);
    copy.bytesFree = room;
    written = await journal.writeSide(1, content);
    copy.bytesFree = Number.POSITIVE_INFINITY;
    expect(await journal.readSide(1), `room for ${room} bytes`).toEqual(written ? content : undefined);
    expect(straySides(journal, copy.list(dir).keys()), `room for ${room} bytes`).toEqual([]);
    expect(await journal.append(Buffer.alloc(100))).toBe(RECORDS + 1);
    await journal.close();
  }
});

describe('the process ends, or the power, after any call of', () => {
  const works: [string, (journal: Journal) => Promise<unknown>][] = [
    ['writing side files', (journal) => writeSides(journal)],
    [
      'freeing segments',
      async (journal) => {
        await journal.cursor('peer').advance(RECORDS);
        for (let index = 0; index < 4; index++) await journal.append(Buffer.alloc(25_000, 100 + index));
        await writeSides(journal);
      },
    ],
    ['a cut within a full segment', (journal) => journal.truncateAfter(3)],
    ['a cut behind a full segment', (journal) => journal.truncateAfter(4)],
    ['a reset to other numbers', (journal) => journal.reset(5000, 3n)],
    ['a reset to the same numbers', (journal) => journal.reset(1, 3n)],
  ];

  test.each(works)('%s', async (_, work) => {
    const { dir, disk } = await sample(true);
    const random = randomFor(77);
    const coin = () => random.chance(0.5);
    let done = false;
    for (let calls = 0; !done; calls++) {
      const name = `${calls} calls, seed ${random.seed}`;
      const left = disk.fork();
      const dying = await open(dir, left.fs);
      left.cutAfter(calls);
      await work(dying).catch(() => {});
      done = !left.dead;
      await dying.close().catch(() => {});
      if (coin()) left.restart(coin);
      else left.revive();
      const journal = await open(dir, left.fs);
      // Throws for one that is not its segment's.
      await readSides(journal);
      // The same numbers again, with other records.
      await journal.cursor('peer', { at: journal.first - 1 }).advance(journal.first - 1);
      for (let index = 0; index < 6; index++) await journal.append(Buffer.alloc(25_000, 200 + index));
      await readSides(journal);
      await writeSides(journal);
      await readSides(journal);
      expect((await collect(journal.read(journal.first))).at(-1)?.sequence, name).toBe(journal.last);
      await journal.close();
      expect(straySides(journal, left.list(dir).keys()), name).toEqual([]);
    }
  });
});
