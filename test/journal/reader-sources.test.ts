import { describe, expect, test } from 'vitest';
import { checksum64 } from '../../src/engine/checksum.js';
import type { JournalRecord } from '../../src/journal/journal.js';
import { randomFor } from '../support/seed.js';
import { FaultyFileSystem } from './faults.js';
import { collect, newJournal, nextOf, openJournal } from './harness.js';

/** Where a reader takes its bytes from makes no difference: memory, the file, or first the one and then the other. */

const MIB = 1024 * 1024;

test('a journal reads the same from memory and from its files', async () => {
  const random = randomFor(61);
  const inMemory = await newJournal({ segmentBytes: 2 * MIB });
  const onDisk = await newJournal({ segmentBytes: 2 * MIB, tailBytes: 0 });
  for (let round = 0; round < 25; round++) {
    const payloads = Array.from({ length: random.between(1, 30) }, () => random.bytes(random.below(40_000)));
    const key = random.chance(0.5) ? `key ${round}` : undefined;
    const o = { kind: random.below(256), ...(key === undefined ? {} : { key, offset: round }) };
    await Promise.all([inMemory.journal.appendMany(payloads, o), onDisk.journal.appendMany(payloads, o)]);
  }
  const { last } = inMemory.journal;
  for (const from of [1, 2, random.between(3, last - 1), last]) {
    const limits = { batchBytesMax: random.between(1, 300_000), batchRecordsMax: random.between(1, 100) };
    const batches = [inMemory, onDisk].map(({ journal }) => describeBatches(journal.readBatches(from, limits)));
    const [memory, disk] = await Promise.all(batches);
    expect(disk, `seed ${random.seed}`).toEqual(memory);
  }
});

/** The records as one line each; the payload is told by a checksum of its own, not by the one that is stored. */
async function describeBatches(batches: AsyncIterable<JournalRecord[]>): Promise<string[]> {
  const lines: string[] = [];
  for await (const batch of batches) {
    for (const { sequence, epoch, kind, timestamp, key, offset, payload, checksum, chain } of batch) {
      const content = checksum64(payload);
      lines.push([sequence, epoch, kind, timestamp, key, offset, payload.length, checksum, chain, content].join(' '));
    }
  }
  return lines;
}

test('a slow reader that memory has outrun in the middle of a group goes on from the file', async () => {
  const { journal } = await newJournal({ segmentBytes: 64 * MIB, tailBytes: 4 * MIB });
  const payload = (index: number) => Buffer.alloc(10_000, index);
  await journal.appendMany(Array.from({ length: 300 }, (_, index) => payload(index)));
  const iterator = journal.readBatches(1, { batchBytesMax: 500_000 })[Symbol.asyncIterator]();
  const records = [...(await nextOf(iterator))];
  expect(records.length).toBeLessThan(60);
  for (let round = 0; round < 12; round++) await journal.append(Buffer.alloc(MIB, round));
  for (let next = await iterator.next(); !next.done; next = await iterator.next()) records.push(...next.value);
  expect(records).toHaveLength(312);
  expect(records.slice(0, 300).every((record, index) => record.payload.equals(payload(index)))).toBe(true);
});

describe('unsynced', () => {
  /** A journal whose next sync waits until it is told to go on. */
  async function heldJournal() {
    const faulty = new FaultyFileSystem();
    const { journal } = await newJournal({ fs: faulty.fs });
    await journal.append(Buffer.from('one'));
    const release = faulty.holdNext('file.datasync');
    return { journal, release };
  }

  test('records that are being written are given to those who ask for them, and to nobody else', async () => {
    const { journal, release } = await heldJournal();
    const early = journal.read(1, { follow: true, unsynced: true })[Symbol.asyncIterator]();
    expect((await nextOf(early)).sequence).toBe(1);
    const appending = journal.append(Buffer.from('two'));
    expect((await nextOf(early)).payload.toString()).toBe('two');
    expect(journal.last).toBe(1);
    expect(await collect(journal.read(1))).toHaveLength(1);
    expect(await collect(journal.read(1, { unsynced: true }))).toHaveLength(2);
    release();
    expect(await appending).toBe(2);
    expect(await collect(journal.read(1))).toHaveLength(2);
    await early.return?.();
  });

  test('a follower is woken, across segments', async () => {
    const { journal } = await newJournal();
    const iterator = journal.read(1, { follow: true, unsynced: true })[Symbol.asyncIterator]();
    for (let sequence = 1; sequence <= 6; sequence++) {
      const appending = journal.append(Buffer.alloc(30_000, sequence));
      expect(await nextOf(iterator)).toMatchObject({ sequence, payload: Buffer.alloc(30_000, sequence) });
      await appending;
    }
    await iterator.return?.();
  });

  test('full segments are read like others, with memory and without', async () => {
    const { journal, dir } = await newJournal();
    for (let index = 0; index < 4; index++) await journal.append(Buffer.alloc(40_000, index));
    const records = await collect(journal.read(1));
    expect(await collect(journal.read(1, { unsynced: true }))).toEqual(records);
    await journal.close();
    for (const tailBytes of [0, 8 * MIB]) {
      const again = await openJournal({ dir, tailBytes });
      expect(await collect(again.read(1, { unsynced: true }))).toEqual(records);
      await again.close();
    }
  });
});
