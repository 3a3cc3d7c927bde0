import { describe, expect, test } from 'vitest';
import type { Journal, JournalFileSystem, JournalOptions } from '../../src/journal/journal.js';
import { FaultyFileSystem } from './faults.js';
import { collect, fileBytes, newJournal, openJournal } from './harness.js';

/** One record a segment, so that record N may go once N + 1 is there. */
const RECORD_BYTES = 50_000;
const record = () => Buffer.alloc(RECORD_BYTES, 7);

async function segments(count: number, o: Partial<JournalOptions> = {}) {
  const opened = await newJournal({ historyBytes: 0, ...o });
  for (let index = 0; index < count; index++) await opened.journal.append(record());
  return opened;
}

/** Waits for the freeing in the background, and sees that it has ended. */
async function freedTo(journal: Journal, first: number): Promise<void> {
  await expect.poll(() => [journal.first, journal.status().diskBytes - fileBytes(journal.dir)]).toEqual([first, 0]);
}

test('records stay though every cursor has passed them, until it is moved on', async () => {
  const { journal } = await segments(6);
  journal.keepFrom(3);
  await journal.cursor('peer').advance(6);
  await freedTo(journal, 3);
  expect((await collect(journal.read(3))).map(({ sequence }) => sequence)).toEqual([3, 4, 5, 6]);
  expect(journal.status()).toMatchObject({ queueBytes: 0, keptFrom: 3 });
  journal.keepFrom(5);
  await freedTo(journal, 5);
  journal.keepFrom(undefined);
  await freedTo(journal, 6);
  expect(journal.status()).not.toHaveProperty('keptFrom');
});

test('a segment stays for its last record', async () => {
  const { journal } = await newJournal({ historyBytes: 0 });
  for (let index = 0; index < 6; index++) await journal.append(Buffer.alloc(25_000));
  expect(journal.sealedSegments()).toEqual([
    { first: 1, last: 2 },
    { first: 3, last: 4 },
  ]);
  journal.keepFrom(2);
  await journal.cursor('peer').advance(6);
  await freedTo(journal, 1);
  journal.keepFrom(3);
  await freedTo(journal, 3);
});

test('what a cursor or the history needs stays all the same', async () => {
  const { journal } = await segments(6, { historyBytes: 2.5 * RECORD_BYTES });
  const cursor = journal.cursor('peer');
  await cursor.advance(2);
  journal.keepFrom(7);
  await freedTo(journal, 3);
  await cursor.advance(6);
  await freedTo(journal, 4);
  journal.keepFrom(undefined);
  await freedTo(journal, 4);
});

test('without any cursor nothing goes, whatever it says', async () => {
  const { journal } = await segments(4);
  journal.keepFrom(4);
  journal.keepFrom(undefined);
  await freedTo(journal, 1);
  expect(journal.status().queueBytes).toBeGreaterThan(3 * RECORD_BYTES);
});

test('moved back it keeps what is still there', async () => {
  const { journal } = await segments(5);
  journal.keepFrom(3);
  await journal.cursor('peer').advance(5);
  await freedTo(journal, 3);
  journal.keepFrom(1);
  await journal.append(record());
  await journal.cursor('peer').advance(6);
  await freedTo(journal, 3);
});

test('what it keeps is no queue: it lets no append wait and has none refused', async () => {
  const { journal } = await segments(1, { queueBytesMax: 64 * 1024, onFull: 'error' });
  const cursor = journal.cursor('peer');
  journal.keepFrom(1);
  for (let last = 2; last <= 12; last++) {
    await cursor.advance(last - 1);
    expect(await journal.append(record())).toBe(last);
  }
  await cursor.advance(12);
  expect(journal.status()).toMatchObject({ first: 1, queueBytes: 0 });
  expect(journal.status().diskBytes).toBeGreaterThan(12 * RECORD_BYTES);
});

test('it ends with the journal, and can be called after that', async () => {
  const { journal, dir } = await segments(5);
  journal.keepFrom(2);
  await journal.cursor('peer').advance(5);
  await freedTo(journal, 2);
  await journal.close();
  journal.keepFrom(undefined);
  expect(journal.first).toBe(2);
  await freedTo(await openJournal({ dir, historyBytes: 0 }), 5);
});

test('a reset ends it', async () => {
  const { journal } = await segments(3);
  await journal.cursor('peer').advance(3);
  journal.keepFrom(100);
  await journal.reset(200, 5n);
  expect(journal.status()).not.toHaveProperty('keptFrom');
  for (let index = 0; index < 3; index++) await journal.append(record());
  await journal.cursor('peer').advance(202);
  await freedTo(journal, 202);
});

test('a cut moves it back to the first record behind, and no further', async () => {
  const { journal } = await segments(6);
  await journal.cursor('peer').advance(1);
  journal.keepFrom(6);
  await journal.truncateAfter(4);
  expect(journal.status().keptFrom).toBe(5);
  for (let index = 0; index < 3; index++) await journal.append(record());
  await journal.cursor('peer').advance(7);
  await freedTo(journal, 5);
  await journal.truncateAfter(6);
  expect(journal.status().keptFrom).toBe(5);
});

test('only a number of a record will do', async () => {
  const { journal } = await segments(1);
  for (const wrong of [0, -1, 1.5, Number.NaN, 2 ** 53]) {
    expect(() => journal.keepFrom(wrong)).toThrow(/sequence/);
  }
});

describe('when the disk has less than its reserve', () => {
  const RESERVE = 10 * 1024 * 1024;

  /** The disk says that it has room for another segment while the journal has at most so many. */
  async function tight(roomFor: number, o: Partial<JournalOptions> = {}): Promise<Journal> {
    let journal: Journal | undefined;
    const statfs = async () => {
      const held = (journal?.sealedSegments().length ?? 0) + 1;
      return { bavail: held > roomFor ? RESERVE / 4096 - 1 : RESERVE, bsize: 4096 };
    };
    const fs = new Proxy(new FaultyFileSystem().fs, {
      get: (target, name) => (name === 'statfs' ? statfs : Reflect.get(target, name)),
    }) as JournalFileSystem;
    ({ journal } = await newJournal({ fs, diskReserveBytes: RESERVE, historyBytes: 0, onFull: 'error', ...o }));
    return journal;
  }

  test('the oldest segments that stay for it alone go, as many as it takes, and appends go on', async () => {
    const journal = await tight(4);
    const cursor = journal.cursor('peer', { onFull: 'detach' });
    journal.keepFrom(1);
    for (let last = 1; last <= 12; last++) {
      expect(await journal.append(record())).toBe(last);
      await cursor.advance(last);
    }
    const { first } = journal;
    expect(first).toBeGreaterThan(7);
    expect(first).toBeLessThan(11);
    expect(journal.status()).toMatchObject({ keptFrom: first });
    expect(cursor.detached).toBe(false);
    // It is the owner's again to say.
    journal.keepFrom(11);
    await freedTo(journal, 11);
  });

  test('it goes on from where the owner is when that is further', async () => {
    const journal = await tight(4);
    const cursor = journal.cursor('peer');
    journal.keepFrom(11);
    for (let last = 1; last <= 12; last++) {
      expect(await journal.append(record())).toBe(last);
      await cursor.advance(last);
    }
    await freedTo(journal, 11);
    expect(journal.status().keptFrom).toBe(11);
  });

  test('a cursor that holds the oldest segment decides, as without it', async () => {
    const journal = await tight(3);
    const cursor = journal.cursor('peer', { onFull: 'error' });
    journal.keepFrom(1);
    await journal.append(record());
    let refused: unknown;
    for (let tries = 0; tries < 6 && refused === undefined; tries++) {
      refused = await journal.append(record()).then(
        () => undefined,
        (error: unknown) => error,
      );
    }
    expect(refused).toMatchObject({ code: 'DISK_RESERVE' });
    expect(journal.status()).toMatchObject({ first: 1, keptFrom: 1 });
    const { last } = journal;
    await cursor.advance(last);
    expect(await journal.append(record())).toBe(last + 1);
    expect(journal.first).toBeGreaterThan(1);
  });
});
