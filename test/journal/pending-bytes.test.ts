import { expect, test } from 'vitest';
import { FaultyFileSystem } from './faults.js';
import { newJournal, SEGMENT_BYTES_MIN } from './harness.js';

/** What is in memory and not durable yet stays within a bound, whatever callers do. */

const KIB = 1024;
const MIB = 1024 * KIB;

async function stuck(pendingBytesMax: number) {
  const faulty = new FaultyFileSystem();
  const { journal } = await newJournal({ fs: faulty.fs, pendingBytesMax, segmentBytes: 64 * MIB });
  await journal.append(Buffer.alloc(1));
  const release = faulty.holdNext('file.datasync');
  return { journal, release };
}

test('while a sync is stuck, no more is taken than the bound and one record', async () => {
  const { journal, release } = await stuck(MIB);
  const calls = Array.from({ length: 2000 }, (_, index) => journal.append(Buffer.alloc(4 * KIB, index)));
  expect(journal.status().pendingBytes).toBeLessThanOrEqual(MIB + 5 * KIB);
  await expect.poll(() => journal.status().pendingBytes).toBeGreaterThan(MIB - 5 * KIB);
  expect(journal.last).toBe(1);
  release();
  expect(await Promise.all(calls)).toEqual(calls.map((_, index) => index + 2));
  expect(journal.status().pendingBytes).toBe(0);
});

test('one call that is larger than the bound goes in alone, and what comes behind waits for it', async () => {
  const { journal, release } = await stuck(SEGMENT_BYTES_MIN);
  const payloads = Array.from({ length: 40 }, (_, index) => Buffer.alloc(10 * KIB, index));
  const many = journal.appendMany(payloads);
  const large = journal.append(Buffer.alloc(MIB, 7));
  const small = journal.append(Buffer.alloc(1, 8));
  expect([journal.assigned, journal.last]).toEqual([41, 1]);
  release();
  expect(await Promise.all([many, large, small])).toEqual([41, 42, 43]);
  const [record] = await journal.readRanges([{ sequence: 42, offset: MIB - 1, length: 1 }]);
  expect(record?.[0]).toBe(7);
});

test('a gibibyte of appends that nobody waits for one by one takes little memory', async () => {
  const { journal } = await newJournal({
    segmentBytes: 16 * MIB,
    historyBytes: 0,
    pendingBytesMax: 8 * MIB,
    tailBytes: 4 * MIB,
    queueBytesMax: 64 * MIB,
  });
  const cursor = journal.cursor('peer');
  const payload = Buffer.alloc(64 * KIB, 'memory');
  const append = (count: number) => Array.from({ length: count }, () => journal.append(payload));
  await Promise.all(append(256));
  const before = process.memoryUsage().rss;
  let most = 0;
  journal.onDurable((last) => {
    most = Math.max(most, process.memoryUsage().rss - before);
    void cursor.advance(last);
  });
  await Promise.all(append(16 * KIB));
  expect(journal.last).toBe(256 + 16 * KIB);
  expect(most / MIB).toBeLessThan(256);
}, 120_000);
