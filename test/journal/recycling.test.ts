import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { decodeSegmentHeader } from '../../src/journal/format/format.js';
import type { Journal, JournalOptions } from '../../src/journal/journal.js';
import {
  collect,
  contents,
  crashCopy,
  fileBytes,
  lastSegment,
  newDirectory,
  newJournal,
  openJournal,
  segmentFiles,
} from './harness.js';
import { MemoryDisk } from './memory-disk.js';

const KIB = 1024;
const RECORD_BYTES = 20_000;

const payloadOf = (sequence: number) => Buffer.alloc(RECORD_BYTES, sequence);
const spares = (dir: string) => readdirSync(dir).filter((name) => name.endsWith('.spare'));

/** Appends so many records, with a cursor close behind, and waits for what is freed meanwhile. */
async function laps(journal: Journal, records: number): Promise<void> {
  const cursor = journal.cursor('peer', { at: journal.last });
  for (let index = 0; index < records; index++) {
    await journal.append(payloadOf(journal.assigned + 1));
    await cursor.advance(journal.last);
    await expect.poll(() => segmentFiles(journal.dir).length, { interval: 1 }).toBeLessThanOrEqual(1);
  }
}

describe('segments are made from the files of those that are freed', () => {
  test('so that the directory does not grow, and status tells what it takes', async () => {
    const { journal, dir } = await newJournal({ historyBytes: 0 });
    await laps(journal, 12);
    const { diskBytes } = journal.status();
    expect(diskBytes).toBe(fileBytes(dir));
    const inodes = new Set<number>();
    for (let lap = 0; lap < 10; lap++) {
      await laps(journal, 3);
      expect(journal.status().diskBytes).toBe(diskBytes);
      expect(fileBytes(dir)).toBe(diskBytes);
      inodes.add(statSync(lastSegment(dir)).ino);
    }
    expect(inodes.size).toBeLessThanOrEqual(3);
    const header = decodeSegmentHeader(readFileSync(lastSegment(dir)));
    expect(header).toMatchObject({ state: 'valid', header: { recycled: true } });
    const records = await collect(journal.read(journal.first));
    expect(records.length).toBeGreaterThan(0);
    expect(records.every(({ sequence, payload }) => payload.equals(payloadOf(sequence)))).toBe(true);
  });

  test('and nothing of their earlier lives comes to light, whenever the process dies', async () => {
    const { journal } = await newJournal({ historyBytes: 0 });
    for (let round = 0; round < 30; round++) {
      await laps(journal, 1);
      const copy = await openJournal({ dir: crashCopy(journal.dir), historyBytes: 0 });
      expect(copy).toMatchObject({ last: journal.last, lastChain: journal.lastChain, first: journal.first });
      expect(copy.recovery.rows).toEqual(['sound']);
      await copy.close();
    }
  });

  test('a reopened journal finds the spare files', async () => {
    const { journal, dir } = await newJournal({ historyBytes: 0 });
    await laps(journal, 10);
    const before = spares(dir);
    expect(before.length).toBeGreaterThan(0);
    const { diskBytes } = journal.status();
    await journal.close();
    const again = await openJournal({ dir, historyBytes: 0 });
    expect(again.status().diskBytes).toBe(fileBytes(dir));
    await laps(again, 8);
    expect(again.status().diskBytes).toBe(diskBytes);
  });

  test('no more than two files are kept, and none of those that are larger than a segment', async () => {
    const { journal, dir } = await newJournal({ historyBytes: 0 });
    for (let index = 0; index < 8; index++) await journal.append(Buffer.alloc(50_000, index));
    for (let index = 0; index < 3; index++) await journal.append(Buffer.alloc(200_000, index));
    await journal.append(Buffer.from('last'));
    await journal.cursor('peer').advance(journal.last);
    await expect.poll(() => segmentFiles(dir).length).toBe(1);
    await expect.poll(() => journal.status().diskBytes).toBe(fileBytes(dir));
    expect(spares(dir)).toHaveLength(2);
    for (const name of spares(dir)) expect(statSync(join(dir, name)).size).toBeLessThan(100_000);
    await journal.close();
    for (let index = 10; index < 15; index++) writeFileSync(join(dir, `${index}.spare`), Buffer.alloc(65536, index));
    const again = await openJournal({ dir, historyBytes: 0 });
    expect(spares(dir)).toHaveLength(2);
    expect(await contents(again)).toEqual(['last']);
  });
});

describe('what a journal takes on disk', () => {
  test('a small one stays small, open and closed', async () => {
    const { journal, dir } = await newJournal({ segmentBytes: 64 * KIB * KIB });
    expect(fileBytes(dir)).toBe(4 * KIB);
    for (let index = 0; index < 20; index++) await journal.append(Buffer.from('small'));
    expect(fileBytes(dir)).toBeLessThanOrEqual(KIB * KIB);
    await journal.close();
    expect(fileBytes(dir)).toBeLessThanOrEqual(KIB * KIB);
  });

  /** On a disk in memory, since not every file system can allocate beforehand. */
  async function allocating(o: Partial<JournalOptions> = {}, writeZeros = false) {
    const dir = newDirectory();
    const disk = new MemoryDisk({ preallocate: true, writeZeros });
    const open = () => openJournal({ dir, fs: disk.fs, ...o });
    const sizes = () => [...disk.list(dir)].filter(([name]) => name.endsWith('.log')).map(([, size]) => size);
    return { journal: await open(), open, sizes };
  }

  test('the first segment grows in steps, later ones have all their space at once', async () => {
    const { journal, sizes } = await allocating({ segmentBytes: 8 * KIB * KIB });
    const seen: number[] = [];
    while (sizes().length < 2) {
      // Groups so large that no zeros are written ahead of them: that would take its own room in advance.
      await journal.append(Buffer.alloc(200 * KIB));
      expect(journal.status().diskBytes).toBe(sizes().reduce((sum, size) => sum + size, 0));
      if (seen.at(-1) !== sizes()[0]) seen.push(sizes()[0] ?? 0);
    }
    expect(seen.map((size) => size / KIB / KIB)).toEqual([1, 2, 4, 8]);
    expect(sizes()).toEqual([8 * KIB * KIB, 8 * KIB * KIB]);
  });

  test('a record larger than a segment gets what it needs, and not much more', async () => {
    const { journal, sizes } = await allocating();
    await journal.append(Buffer.alloc(10));
    await journal.append(Buffer.alloc(1_000_000));
    await journal.append(Buffer.alloc(10));
    const [first = 0, large = 0, third = 0] = sizes();
    expect([first, third]).toEqual([64 * KIB, 64 * KIB]);
    expect(large).toBeGreaterThan(1_000_000);
    expect(large).toBeLessThan(1_000_000 + 16 * KIB);
  });

  test('where zeros are written ahead, the footer of an earlier close is not taken for a torn group', async () => {
    const { journal, open, sizes } = await allocating({ segmentBytes: 8 * KIB * KIB }, true);
    // A footer lies at the end of the first megabyte then, and the zeros of the next run would begin behind it.
    await journal.append(Buffer.alloc(700 * KIB, 1));
    await journal.close();
    expect(sizes()).toEqual([KIB * KIB]);
    const again = await open();
    for (let index = 0; index < 3; index++) await again.append(Buffer.alloc(10 * KIB, 2));
    await again.close();
    expect((await open()).recovery).toMatchObject({ rows: ['sound'], tails: [], rewritten: 0 });
  });

  test('zeros go ahead of small groups, and end where the segment does', async () => {
    const { journal, open, sizes } = await allocating({ segmentBytes: 8 * KIB * KIB }, true);
    const grown = new Set<number>();
    while (sizes().length < 2) {
      await journal.append(Buffer.alloc(100 * KIB, 1));
      grown.add(Math.round((sizes()[0] ?? 0) / KIB / KIB));
    }
    expect([...grown].sort()).toEqual([1, 5, 8]);
    await journal.close();
    const again = await open();
    expect(again.recovery).toMatchObject({ rows: ['sound'], tails: [] });
    for await (const { payload } of again.read(1)) expect(payload.equals(Buffer.alloc(100 * KIB, 1))).toBe(true);
  });
});
