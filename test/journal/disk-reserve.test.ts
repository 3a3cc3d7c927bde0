import { describe, expect, test, vi } from 'vitest';
import type { Journal, JournalFileSystem, JournalOptions } from '../../src/journal/journal.js';
import { atEnd } from '../support/temp.js';
import { FaultyFileSystem } from './faults.js';
import { newJournal, SEGMENT_BYTES_MIN } from './harness.js';

/** A disk that says how much it has left; what the journal takes of it does not matter, what it says does. */

const RESERVE = 10 * 1024 * 1024;
const ENOUGH = 10 * RESERVE;

interface Reported {
  journal: Journal;
  disk: { freeBytes: number; looks: number };
}

async function open(o: Partial<JournalOptions> = {}, freeBytes = ENOUGH): Promise<Reported> {
  const disk = { freeBytes, looks: 0 };
  const statfs = async () => {
    disk.looks++;
    return { bavail: disk.freeBytes / 4096, bsize: 4096 };
  };
  const fs = new Proxy(new FaultyFileSystem().fs, {
    get: (target, name) => (name === 'statfs' ? statfs : Reflect.get(target, name)),
  }) as JournalFileSystem;
  const { journal } = await newJournal({ fs, diskReserveBytes: RESERVE, historyBytes: 0, ...o });
  return { journal, disk };
}

const record = (): Buffer => Buffer.alloc(20_000);

/** Appends until the journal has looked at the disk and found too little; resolves with the error. */
async function appendUntilRefused(journal: Journal): Promise<unknown> {
  for (let count = 0; count < 20; count++) {
    const error = await journal.append(record()).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    if (error !== undefined) return error;
  }
  throw new Error('nothing was refused');
}

/** The timer that looks at the disk again, fired by hand. */
function useTimers(): void {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  atEnd(() => vi.useRealTimers());
}

test('an append is refused before the next segment would take of the reserve, and nothing of it is left', async () => {
  useTimers();
  const { journal, disk } = await open({ onFull: 'error' });
  await journal.append(record());
  disk.freeBytes = RESERVE + SEGMENT_BYTES_MIN - 4096;
  const { last, error } = await appendUntilRefused(journal).then((found) => ({ error: found, last: journal.last }));
  expect(error).toMatchObject({
    code: 'DISK_RESERVE',
    recoverable: true,
    path: journal.dir,
    freeBytes: disk.freeBytes,
    diskReserveBytes: RESERVE,
  });
  expect(journal.assigned).toBe(last);
  disk.freeBytes = ENOUGH;
  await vi.advanceTimersByTimeAsync(1000);
  await vi.waitUntil(() => disk.looks > 2);
  expect(await journal.append(record())).toBe(last + 1);
});

test('it is looked at the disk again with each segment, however small', async () => {
  const { journal, disk } = await open();
  for (let count = 0; count < 12; count++) await journal.append(record());
  expect(disk.looks).toBeGreaterThan(3);
});

test('what is in memory counts as taken', async () => {
  const { journal } = await open({ onFull: 'error', segmentBytes: SEGMENT_BYTES_MIN }, RESERVE + 200_000);
  await journal.append(record());
  const calls = await Promise.allSettled(Array.from({ length: 20 }, () => journal.append(record())));
  const refused = calls.filter(({ status }) => status === 'rejected');
  expect(refused.length).toBeGreaterThan(5);
  expect(refused.length).toBeLessThan(15);
});

test('appends wait, and go on when space is back, without anybody asking again', async () => {
  useTimers();
  const { journal, disk } = await open({}, RESERVE);
  expect(disk.looks).toBe(1);
  const waiting = journal.append(record());
  expect(journal.assigned).toBe(0);
  await vi.advanceTimersByTimeAsync(3000);
  expect(journal.assigned).toBe(0);
  disk.freeBytes = ENOUGH;
  await vi.advanceTimersByTimeAsync(1000);
  expect(await waiting).toBe(1);
});

test('an append that waits can be called off, and a close ends it', async () => {
  const { journal } = await open({}, RESERVE);
  const controller = new AbortController();
  const called = expect(journal.append(record(), { signal: controller.signal })).rejects.toMatchObject({
    code: 'ABORTED',
  });
  const closed = expect(journal.append(record())).rejects.toMatchObject({ code: 'CLOSED' });
  controller.abort();
  await called;
  await journal.close();
  await closed;
});

test('a spare file is room enough', async () => {
  const { journal, disk } = await open({ onFull: 'error' });
  const cursor = journal.cursor('peer');
  for (let count = 0; count < 8; count++) await journal.append(record());
  await cursor.advance(journal.last);
  const held = journal.status();
  await vi.waitUntil(() => journal.first > held.first || journal.status().diskBytes < held.diskBytes);
  await vi.waitUntil(() => journal.first > 6);
  const { last } = journal;
  disk.freeBytes = RESERVE;
  for (let count = 1; count <= 3; count++) expect(await journal.append(record())).toBe(last + count);
});

describe('cursors', () => {
  test('one that detaches is let go, its segments make room, and the next one stays', async () => {
    const { journal, disk } = await open();
    const slow = journal.cursor('slow', { onFull: 'detach' });
    const next = journal.cursor('next', { onFull: 'detach' });
    for (let count = 0; count < 8; count++) await journal.append(record());
    await next.advance(3);
    disk.freeBytes = RESERVE;
    for (let count = 9; count <= 11; count++) expect(await journal.append(record())).toBe(count);
    expect([slow.detached, next.detached]).toEqual([true, false]);
    expect(journal.first).toBeGreaterThan(1);
  });

  test('none is let go when history is what takes the room', async () => {
    const { journal, disk } = await open({ historyBytes: ENOUGH, onFull: 'error' });
    const cursor = journal.cursor('peer', { onFull: 'detach' });
    for (let count = 0; count < 8; count++) await journal.append(record());
    disk.freeBytes = RESERVE;
    expect(await appendUntilRefused(journal)).toMatchObject({ code: 'DISK_RESERVE' });
    expect(cursor.detached).toBe(false);
  });

  test('one that refuses has appends fail while its segments could make room', async () => {
    const { journal, disk } = await open();
    const cursor = journal.cursor('peer', { onFull: 'error' });
    for (let count = 0; count < 8; count++) await journal.append(record());
    disk.freeBytes = RESERVE;
    expect(await appendUntilRefused(journal)).toMatchObject({ code: 'DISK_RESERVE' });
    const { last } = journal;
    await cursor.advance(6);
    await vi.waitUntil(() => journal.first > 4);
    expect(await journal.append(record())).toBe(last + 1);
  });
});

test('without the option nobody looks at the disk', async () => {
  const { journal, disk } = await open({ diskReserveBytes: 0 }, 0);
  for (let count = 0; count < 8; count++) await journal.append(record());
  expect(disk.looks).toBe(0);
});
