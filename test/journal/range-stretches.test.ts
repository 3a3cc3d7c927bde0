import { describe, expect, test } from 'vitest';
import { RECORD_HEADER_BYTES } from '../../src/engine/record-layout.js';
import { GROUP_HEADER_BYTES } from '../../src/journal/format/format.js';
import { newSegment, type Segment } from '../../src/journal/format/segment.js';
import type { Journal } from '../../src/journal/journal.js';
import { inTurns } from '../../src/journal/read/in-turns.js';
import { OPEN_FILES_MAX } from '../../src/journal/read/open-files.js';
import { SegmentTables } from '../../src/journal/read/segment-tables.js';
import { PayloadPlaces, type RecordPlace } from '../../src/journal/scan/payload-places.js';
import { randomFor, rounds } from '../support/seed.js';
import { FaultyFileSystem } from './faults.js';
import { type FoundRecord, flipBit, newJournal, openJournal, recordsOf, segmentFiles, VOLUME } from './harness.js';

/** What the ranges of a journal are found by: stretches of segments, tables of what lies in them, files that stay open. */

const PAYLOAD_BYTES = 9000;

function payloadOf(sequence: number, bytes = PAYLOAD_BYTES): Buffer {
  return Buffer.alloc(bytes, `record ${sequence};`);
}

async function expectRecord(journal: Journal, sequence: number, bytes = PAYLOAD_BYTES): Promise<void> {
  const [found] = await journal.readRanges([{ sequence, offset: 1, length: bytes - 1 }]);
  expect(found?.equals(payloadOf(sequence, bytes).subarray(1)), `record ${sequence}`).toBe(true);
}

const SEGMENT_BYTES = 1024 * 1024;

/** A journal whose first segment is full and has several stretches, closed; with the records of that. */
async function severalStretches(): Promise<{ dir: string; segment: string; records: FoundRecord[] }> {
  const { journal, dir } = await newJournal({ historyBytes: 0, segmentBytes: SEGMENT_BYTES });
  while (journal.last < 150) {
    await journal.appendMany([1, 2, 3].map((index) => payloadOf(journal.last + index)));
  }
  await journal.close();
  const [segment = ''] = segmentFiles(dir);
  return { dir, segment, records: recordsOf(segment) };
}

describe('damage in a stretch', () => {
  const kinds: [string, (record: FoundRecord) => number, (record: FoundRecord) => number][] = [
    ['in a payload', ({ offset }) => offset + RECORD_HEADER_BYTES + 10, ({ sequence }) => sequence],
    ['in the header of a record', ({ offset }) => offset + 8, ({ sequence }) => sequence],
    ['in the header of a group', ({ group }) => group.offset + 8, () => 70],
    ['in the magic of a group', ({ group }) => group.offset, () => 70],
  ];
  test.each(kinds)('%s: records of other stretches, and those before it, still come', async (_, place, named) => {
    const { dir, segment, records } = await severalStretches();
    // The middle one of a group of three.
    const bad = records[70] as FoundRecord;
    expect(bad.sequence).toBe(71);
    flipBit(segment, place(bad));
    const journal = await openJournal({ dir, segmentBytes: SEGMENT_BYTES, tailBytes: 0 });
    const damaged = { code: 'JOURNAL_DAMAGED', segment, fromSequence: named(bad), toSequence: named(bad) };
    const refused: number[] = [];
    for (const { sequence } of [...records].reverse()) {
      const error = await expectRecord(journal, sequence).catch((raised: unknown) => raised);
      if (error === undefined) continue;
      expect(error, `record ${sequence}`).toMatchObject(damaged);
      refused.unshift(sequence);
    }
    expect(refused[0], 'all before the damaged group come').toBe(70);
    expect(refused.length, 'a stretch at most is lost').toBeLessThan(35);
    expect(refused.at(-1)).toBe(69 + refused.length);
    expect(refused.at(-1)).toBeLessThan(records.length);
    const both = [records.length, 71].map((sequence) => ({ sequence, offset: 0, length: 10 }));
    await expect(journal.readRanges(both)).rejects.toMatchObject(damaged);
    flipBit(segment, place(bad));
    for (const sequence of refused) await expectRecord(journal, sequence);
  });
});

test('the first read of a record costs a stretch, not its segment', async () => {
  const { dir } = await severalStretches();
  const faulty = new FaultyFileSystem();
  const journal = await openJournal({ dir, segmentBytes: SEGMENT_BYTES, tailBytes: 0, fs: faulty.fs });
  const reads = () => faulty.calls.filter((call) => call === 'file.read').length;
  const before = reads();
  await expectRecord(journal, 100);
  expect(reads() - before).toBeLessThanOrEqual(4);
  await expectRecord(journal, 101);
  expect(reads() - before).toBeLessThanOrEqual(5);
});

test('more segments than files may stay open', async () => {
  const faulty = new FaultyFileSystem();
  const { journal, dir } = await newJournal({ historyBytes: 0, tailBytes: 0, fs: faulty.fs });
  const bytes = 60_000;
  const records = OPEN_FILES_MAX + 20;
  await journal.appendMany(Array.from({ length: records }, (_, index) => payloadOf(index + 1, bytes)));
  expect(segmentFiles(dir).length).toBeGreaterThanOrEqual(records);
  const own = faulty.openFiles;
  const opens = () => faulty.calls.filter((call) => call === 'open').length;
  const all = Array.from({ length: records }, (_, index) => ({ sequence: index + 1, offset: 5, length: 100 }));
  for (let round = 0; round < 2; round++) {
    const found = await journal.readRanges(all);
    expect(found.every((part, index) => part.equals(payloadOf(index + 1, bytes).subarray(5, 105)))).toBe(true);
    expect(faulty.openFiles).toBe(own + OPEN_FILES_MAX);
  }
  const opened = opens();
  for (let sequence = records - 50; sequence <= records; sequence++) await expectRecord(journal, sequence, bytes);
  expect(opens(), 'those used last are still open').toBe(opened);
  await Promise.all(all.map(({ sequence }) => expectRecord(journal, sequence, bytes)));
  expect(faulty.openFiles).toBe(own + OPEN_FILES_MAX);
  await journal.cursor('peer').advance(records);
  await expect.poll(() => journal.first).toBeGreaterThan(records - 10);
  await expectRecord(journal, records, bytes);
  expect(faulty.openFiles, 'those of freed segments are closed').toBeLessThan(own + 12);
  await journal.close();
  expect(faulty.openFiles).toBe(0);
});

test.each(['open', 'file.read'])('after an error of %s the next call tries again', async (call) => {
  const { dir } = await severalStretches();
  const faulty = new FaultyFileSystem();
  const journal = await openJournal({ dir, segmentBytes: SEGMENT_BYTES, tailBytes: 0, fs: faulty.fs });
  faulty.failNext(call);
  await expect(journal.readRanges([{ sequence: 9, offset: 0, length: 1 }])).rejects.toMatchObject({
    code: 'STORAGE_FAILED',
  });
  await expectRecord(journal, 9);
});

test('places of payloads are found again, in few bytes', () => {
  for (let round = 0; round < rounds(50); round++) {
    const random = randomFor(81 + round);
    const from = 4096;
    const places = new PayloadPlaces(from);
    const given: RecordPlace[] = [];
    let end = from;
    while (given.length < 200) {
      const several = Array.from({ length: random.below(40) }, (): RecordPlace => {
        const start = end + (given.length === 0 || random.chance(0.2) ? GROUP_HEADER_BYTES : 0);
        const keyLength = random.pick([0, 1, 20, random.below(4353)]);
        const payloadLength = random.pick([0, 100, random.below(70_000), 16 * 1024 * 1024]);
        end = start + Math.ceil((RECORD_HEADER_BYTES + keyLength + payloadLength) / 8) * 8;
        return { start, keyLength, payloadLength };
      });
      places.add(several);
      given.push(...several);
    }
    expect(places.count).toBe(given.length);
    for (const [index, { start, keyLength, payloadLength }] of given.entries()) {
      const expected = { start: start + RECORD_HEADER_BYTES + keyLength, length: payloadLength };
      expect(places.at(index), `seed ${random.seed}, record ${index}`).toEqual(expected);
    }
    expect(places.bytes, `seed ${random.seed}`).toBeLessThan(7 * given.length + 16);
  }
});

test('tables that were not used for longest make room', () => {
  const [a, b, c] = [1, 2, 3].map((first) =>
    newSegment('', { volume: VOLUME, first, chain: 0n, epoch: 0, previousRecords: 0, salt: first, recycled: false }),
  ) as [Segment, Segment, Segment];
  const one = new SegmentTables(0).of(a).bytes;
  const tables = new SegmentTables(5 * one);
  const [ofA, ofB] = [tables.of(a), tables.of(b)];
  for (const [segment, table] of [
    [a, ofA],
    [b, ofB],
  ] as const) {
    table.near(segment.first);
    tables.grown(segment);
  }
  expect(tables.of(a)).toBe(ofA);
  tables.of(c).near(3);
  tables.grown(c);
  expect(tables.of(a)).toBe(ofA);
  expect(tables.of(b), 'dropped').not.toBe(ofB);
});

describe('in turns', () => {
  test('no more at a time than allowed, begun in order', async () => {
    const [begun, releases]: [number[], (() => void)[]] = [[], []];
    const all = inTurns([1, 2, 3, 4, 5], 2, (item) => {
      begun.push(item);
      return new Promise((resolve) => releases.push(resolve));
    });
    for (let done = 0; done < 5; done++) {
      await expect.poll(() => releases.length).toBe(Math.min(5, done + 2));
      releases[done]?.();
    }
    await all;
    expect(begun).toEqual([1, 2, 3, 4, 5]);
  });

  test('the earliest item that failed is told, and nothing is begun after a failure', async () => {
    const begun: number[] = [];
    const all = inTurns([1, 2, 3, 4], 2, async (item) => {
      begun.push(item);
      for (let turns = 0; turns < 10 / item; turns++) await undefined;
      throw new Error(`item ${item}`);
    });
    await expect(all).rejects.toThrow('item 1');
    expect(begun).toEqual([1, 2]);
  });
});
