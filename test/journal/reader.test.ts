import { describe, expect, test } from 'vitest';
import { AbortedError, SequenceGoneError } from '../../src/errors.js';
import { PAGE_BYTES } from '../../src/journal/format/format.js';
import type { Journal, JournalRecord } from '../../src/journal/journal.js';
import { collect, fileBytes, newJournal, nextOf, openJournal, SEGMENT_BYTES_MIN, segmentFiles } from './harness.js';

const sequences = (records: JournalRecord[]): number[] => records.map((record) => record.sequence);

async function filled(records: number, bytes: number, o: Parameters<typeof newJournal>[0] = {}) {
  const opened = await newJournal(o);
  const payloads = Array.from({ length: records }, (_, index) => Buffer.alloc(bytes, index));
  if (records > 0) await opened.journal.appendMany(payloads);
  return opened;
}

describe('batches', () => {
  test.each([
    [{ batchRecordsMax: 3 }, 3],
    [{ batchBytesMax: 1 }, 1],
    [{ batchBytesMax: 2500 }, 3],
    [{}, 10],
  ])('%o', async (limits, size) => {
    const { journal } = await filled(10, 1000);
    const batches: number[][] = [];
    for await (const batch of journal.readBatches(1, limits)) batches.push(sequences(batch));
    expect(batches.flat()).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(
      batches
        .map((batch) => batch.length)
        .slice(0, -1)
        .every((length) => length === size),
    ).toBe(true);
    expect(batches.at(-1)?.length).toBeLessThanOrEqual(size);
  });

  test('records of all sizes across segments, from every number', async () => {
    const { journal, dir } = await newJournal({ segmentBytes: 4 * 1024 * 1024 });
    const sizes = [
      0,
      1,
      300_000,
      1_100_000,
      5,
      2_500_000,
      400_000,
      400_000,
      400_000,
      400_000,
      6_000_000,
      7,
      1024 * 1024,
    ];
    await journal.appendMany(sizes.map((size, index) => Buffer.alloc(size, index)));
    const check = async (from: Journal) => {
      for (let start = 1; start <= sizes.length; start++) {
        let expected = start;
        for await (const batch of from.readBatches(start)) {
          expect(batch.length).toBeGreaterThan(0);
          for (const { sequence, payload } of batch) {
            expect(sequence).toBe(expected);
            expect(payload.equals(Buffer.alloc(sizes[sequence - 1] ?? 0, sequence - 1))).toBe(true);
            expected++;
          }
        }
        expect(expected).toBe(sizes.length + 1);
      }
    };
    await check(journal);
    await journal.close();
    await check(await openJournal({ dir }));
  });

  test('a payload stays what it was while the reader goes on', async () => {
    const { journal } = await filled(4000, 1000, { segmentBytes: 8 * 1024 * 1024 });
    const records = await collect(journal.read(1));
    expect(records).toHaveLength(4000);
    expect(
      records.every(({ sequence, payload }) => payload[0] === ((sequence - 1) & 255) && payload[999] === payload[0]),
    ).toBe(true);
  });
});

describe('follow', () => {
  test('waits for what comes, across segments', async () => {
    const { journal } = await filled(0, 0);
    const iterator = journal.read(1, { follow: true })[Symbol.asyncIterator]();
    for (let sequence = 1; sequence <= 8; sequence++) {
      const next = nextOf(iterator);
      await journal.append(Buffer.alloc(30_000, sequence));
      expect((await next).sequence).toBe(sequence);
    }
    await iterator.return?.();
  });

  test('from a number that is still to come', async () => {
    const { journal } = await filled(2, 10);
    const iterator = journal.read(4, { follow: true })[Symbol.asyncIterator]();
    const next = nextOf(iterator);
    await journal.append(Buffer.from('3'));
    await journal.append(Buffer.from('4'));
    expect((await next).sequence).toBe(4);
    await iterator.return?.();
  });

  test('never passes what is durable', async () => {
    const { journal } = await newJournal();
    const reading = (async () => {
      for await (const record of journal.read(1, { follow: true })) {
        expect(record.sequence).toBeLessThanOrEqual(journal.last);
        if (record.sequence === 300) return;
      }
    })();
    await Promise.all(Array.from({ length: 300 }, (_, index) => journal.append(Buffer.alloc(500, index))));
    await reading;
  });

  test('many readers at once', async () => {
    const { journal } = await newJournal();
    const readers = [1, 1, 50, 99].map(async (from) => {
      const seen: number[] = [];
      for await (const { sequence } of journal.read(from, { follow: true })) {
        seen.push(sequence);
        if (sequence === 100) return seen;
      }
      return seen;
    });
    for (let index = 0; index < 100; index++) await journal.append(Buffer.alloc(1500));
    const seen = await Promise.all(readers);
    expect(seen.map((numbers) => numbers.length)).toEqual([100, 100, 51, 2]);
  });

  test('an abort ends the wait', async () => {
    const { journal } = await filled(1, 10);
    const controller = new AbortController();
    const iterator = journal.read(1, { follow: true, signal: controller.signal })[Symbol.asyncIterator]();
    await nextOf(iterator);
    const waiting = iterator.next();
    controller.abort();
    await expect(waiting).rejects.toBeInstanceOf(AbortedError);
  });

  test('close ends the wait', async () => {
    const { journal } = await filled(1, 10);
    const reading = collect(journal.read(1, { follow: true }));
    const idle = collect(journal.read(1));
    await journal.close();
    expect((await reading).length).toBeLessThanOrEqual(1);
    expect((await idle).length).toBeLessThanOrEqual(1);
  });

  test('reset ends it with an error', async () => {
    const { journal } = await filled(1, 10);
    const iterator = journal.read(1, { follow: true })[Symbol.asyncIterator]();
    await nextOf(iterator);
    const waiting = iterator.next().catch((error: unknown) => error);
    await journal.reset(100, 7n);
    expect(await waiting).toBeInstanceOf(SequenceGoneError);
    expect(await waiting).toMatchObject({ sequence: 2, first: 100, last: 99 });
  });
});

test('a reader that retention has overtaken is told', async () => {
  const { journal } = await newJournal({ historyBytes: 0 });
  for (let index = 0; index < 6; index++) await journal.append(Buffer.alloc(50_000, index));
  const iterator = journal.read(1)[Symbol.asyncIterator]();
  expect((await nextOf(iterator)).sequence).toBe(1);
  const cursor = journal.cursor('peer');
  await cursor.advance(6);
  await expect.poll(() => journal.first).toBe(6);
  await expect(iterator.next()).rejects.toMatchObject({ code: 'SEQUENCE_GONE', sequence: 2, first: 6, last: 6 });
});

describe('chainAt', () => {
  test('any record held, the one before, and nothing else', async () => {
    const { journal, dir } = await newJournal({ segmentBytes: 1024 * 1024, historyBytes: 0 });
    const payloads = Array.from({ length: 40_000 }, (_, index) => Buffer.from(`record ${index}`));
    await journal.appendMany(payloads);
    const chains = new Map((await collect(journal.read(1))).map((record) => [record.sequence, record.chain]));
    const check = async (from: Journal) => {
      for (const sequence of [from.first, 20_001, 23_616, 23_617, 39_999, 40_000]) {
        expect(await from.chainAt(sequence)).toBe(chains.get(sequence));
      }
      expect(await from.chainAt(0)).toBe(0n);
      expect(await from.chainAt(40_001)).toBeUndefined();
    };
    await check(journal);
    const cursor = journal.cursor('peer');
    await cursor.advance(20_000);
    expect(cursor.chain).toBe(chains.get(20_000));
    await journal.close();
    const again = await openJournal({ dir, historyBytes: 0 });
    expect(again.first).toBeGreaterThan(1);
    expect(again.cursor('peer').chain).toBe(chains.get(20_000));
    await check(again);
    expect(await again.chainAt(again.first - 1)).toBe(chains.get(again.first - 1));
    expect(await again.chainAt(again.first - 2)).toBeUndefined();
  });
});

test('small segments hold what fits, large records have their own', async () => {
  const { journal } = await filled(0, 0);
  const { dir } = journal;
  await journal.appendMany([10, 60_000, 10_000, 200_000, 10].map((size) => Buffer.alloc(size)));
  expect((await collect(journal.read(1))).map((record) => record.payload.length)).toEqual([
    10, 60_000, 10_000, 200_000, 10,
  ]);
  // Each of the five may have its blocks beforehand; the large record has little more than it needs.
  expect(segmentFiles(dir)).toHaveLength(5);
  const { diskBytes } = journal.status();
  expect(diskBytes).toBe(fileBytes(dir));
  expect(diskBytes).toBeGreaterThan(270_000);
  expect(diskBytes).toBeLessThan(200_000 + 16 * 1024 + 4 * (SEGMENT_BYTES_MIN + PAGE_BYTES));
});
