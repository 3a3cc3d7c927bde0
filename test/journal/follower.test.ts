import { describe, expect, test } from 'vitest';
import type { JournalOptions, JournalRecord } from '../../src/journal/journal.js';
import { randomFor } from '../support/seed.js';
import { FaultyFileSystem } from './faults.js';
import { collect, newJournal, nextOf } from './harness.js';

/** Readers that stay: close behind the writer, far behind it, overtaken by it, and called off. */

const MIB = 1024 * 1024;
const follow = { follow: true } as const;
const early = { follow: true, unsynced: true } as const;

async function held(o: Partial<JournalOptions> = {}) {
  const faulty = new FaultyFileSystem();
  const { journal, dir } = await newJournal({ fs: faulty.fs, ...o });
  await journal.append(Buffer.from('1'));
  return { faulty, journal, dir };
}

describe('what is not durable yet', () => {
  test('is seen early by those who ask for it, group by group, and by nobody else', async () => {
    const { faulty, journal } = await held();
    const eager = journal.read(2, early)[Symbol.asyncIterator]();
    const patient = journal.read(2, follow)[Symbol.asyncIterator]();
    for (let sequence = 2; sequence <= 6; sequence++) {
      const release = faulty.holdNext('file.datasync');
      const appending = journal.append(Buffer.from(String(sequence)));
      expect(await nextOf(eager)).toMatchObject({ sequence, payload: Buffer.from(String(sequence)) });
      let gotten = false;
      const waiting = nextOf(patient).then((record) => {
        gotten = true;
        return record;
      });
      expect(journal.last).toBe(sequence - 1);
      expect(await collect(journal.read(1))).toHaveLength(sequence - 1);
      expect(gotten).toBe(false);
      release();
      expect((await waiting).sequence).toBe(sequence);
      expect(await appending).toBe(sequence);
    }
    await Promise.all([eager.return?.(), patient.return?.()]);
  });

  test('and never will be, because the sync fails: the early reader is told, as is everybody', async () => {
    const { faulty, journal, dir } = await held();
    const eager = journal.read(2, early)[Symbol.asyncIterator]();
    const patient = journal.read(2, follow)[Symbol.asyncIterator]();
    const release = faulty.holdNext('file.datasync');
    faulty.failNext('file.datasync');
    const appending = journal.append(Buffer.from('lost')).catch((error: unknown) => error);
    const seen = await eager.next().catch((error: unknown) => error);
    release();
    expect(await appending).toMatchObject({ code: 'JOURNAL_BROKEN' });
    await expect(patient.next()).rejects.toMatchObject({ code: 'JOURNAL_BROKEN' });
    // It may have been quick enough to see the record, but then it was the last one.
    if (!(seen instanceof Error)) await expect(eager.next()).rejects.toMatchObject({ code: 'JOURNAL_BROKEN' });
    await journal.close();
    const { journal: again } = await newJournal({ dir });
    expect(again.last).toBeLessThanOrEqual(2);
  });

  test('a journal that is cut ends the early reader that is beyond', async () => {
    const { journal } = await held();
    await journal.appendMany(['2', '3', '4'].map((text) => Buffer.from(text)));
    const eager = journal.read(4, early)[Symbol.asyncIterator]();
    await nextOf(eager);
    const waiting = expect(eager.next()).rejects.toMatchObject({ code: 'SEQUENCE_GONE', sequence: 5 });
    await journal.truncateAfter(2);
    await waiting;
  });
});

describe('an abort ends the wait, with its reason,', () => {
  test.each([follow, early])('%j', async (options) => {
    const { journal } = await held();
    const controller = new AbortController();
    const reader = journal.read(1, { ...options, signal: controller.signal })[Symbol.asyncIterator]();
    expect((await nextOf(reader)).sequence).toBe(1);
    const reason = new Error('enough');
    const waiting = reader.next().catch((error: unknown) => error);
    controller.abort(reason);
    expect(await waiting).toMatchObject({ code: 'ABORTED', cause: reason });
    expect(await reader.next()).toEqual({ done: true, value: undefined });
    // Nobody listens for early records any more, and the journal goes on.
    expect(await journal.append(Buffer.from('2'))).toBe(2);
  });

  test('and a reader that has not begun does not begin', async () => {
    const { faulty, journal } = await held();
    const { openFiles } = faulty;
    const read = collect(journal.read(1, { ...follow, signal: AbortSignal.abort() }));
    await expect(read).rejects.toMatchObject({ code: 'ABORTED' });
    expect(faulty.openFiles).toBe(openFiles);
  });
});

test('a reader falls behind what memory holds, catches up, and falls behind again', async () => {
  const random = randomFor(81);
  const name = `seed ${random.seed}`;
  const faulty = new FaultyFileSystem();
  const { journal } = await newJournal({ segmentBytes: 4 * MIB, tailBytes: 3 * MIB, fs: faulty.fs });
  const lengths: number[] = [];
  const append = (bytes: number) => {
    for (let left = bytes; left > 0; left -= lengths.at(-1) ?? 0) lengths.push(random.between(1, 60_000));
    const first = journal.assigned;
    return journal.appendMany(lengths.slice(first).map((length, index) => Buffer.alloc(length, first + index + 1)));
  };
  const reader = journal.readBatches(1, { ...follow, batchBytesMax: 200_000 })[Symbol.asyncIterator]();
  const readsOf = () => faulty.calls.filter((call) => call === 'file.read').length;
  let next = 1;
  const readThrough = async (last: number) => {
    while (next <= last) {
      for (const { sequence, payload } of await nextOf(reader)) {
        expect(sequence, name).toBe(next++);
        if (!payload.equals(Buffer.alloc(lengths[sequence - 1] ?? 0, sequence))) expect.fail(`${name}: ${sequence}`);
      }
    }
  };
  for (let lap = 0; lap < 4; lap++) {
    await readThrough(await append(8 * MIB));
    // Close behind again: what comes now is read without the file.
    const reads = readsOf();
    for (let count = 0; count < 5; count++) await readThrough(await append(50_000));
    expect(readsOf(), name).toBe(reads);
  }
  expect(readsOf()).toBeGreaterThan(6);
  await reader.return?.();
});

describe('a reader whose segment is freed is told, wherever it was', () => {
  const RECORD = 20_000;
  const ways: [string, number, number][] = [
    ['at its beginning, from disk', 0, 1],
    ['in its middle, from disk', 0, 2],
    ['in its middle, from memory', 8 * MIB, 2],
  ];
  test.each(ways)('%s', async (_, tailBytes, taken) => {
    const { journal } = await newJournal({ tailBytes, historyBytes: 0 });
    for (let index = 1; index <= 12; index++) await journal.append(Buffer.alloc(RECORD, index));
    const reader = journal.readBatches(1, { batchRecordsMax: 1 })[Symbol.asyncIterator]();
    const seen: JournalRecord[] = [];
    while (seen.length < taken) seen.push(...(await nextOf(reader)));
    const cursor = journal.cursor('peer');
    await cursor.advance(12);
    await expect.poll(() => journal.first).toBeGreaterThan(9);
    // The file serves another segment by now.
    for (let index = 13; index <= 18; index++) await journal.append(Buffer.alloc(RECORD, index));
    const { first } = journal;
    await expect(reader.next()).rejects.toMatchObject({ code: 'SEQUENCE_GONE', sequence: taken + 1, first });
    expect(seen.map(({ sequence, payload }) => [sequence, payload[0]])).toEqual(seen.map((_, at) => [at + 1, at + 1]));
    expect((await collect(journal.read(first))).map(({ sequence }) => sequence)[0]).toBe(first);
  });
});
