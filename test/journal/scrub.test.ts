import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { truncateSync, unlinkSync } from 'node:fs';
import * as promises from 'node:fs/promises';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { RECORD_HEADER_BYTES } from '../../src/engine/record-layout.js';
import { SEGMENT } from '../../src/journal/format/format.js';
import type { Journal, JournalDamage, JournalFileSystem, ScrubProgress } from '../../src/journal/journal.js';
import { Pace } from '../../src/journal/repair/pace.js';
import { type FoundRecord, flipBit, newJournal, recordsOf, segmentFiles } from './harness.js';

/** Twelve records of 20,000 bytes, two to a segment, each in a group of its own; the last two are in the active one. */
async function sample(
  o: Parameters<typeof newJournal>[0] = {},
): Promise<{ journal: Journal; dir: string; files: string[] }> {
  const { journal, dir } = await newJournal({ scrubBytesPerSecond: 0, tailBytes: 0, ...o });
  for (let next = 1; next <= 12; next++) await journal.append(Buffer.alloc(20_000, next));
  const files = segmentFiles(dir);
  expect(files.length).toBe(6);
  return { journal, dir, files };
}

function recordIn(path: string, index: number): FoundRecord {
  const record = recordsOf(path)[index];
  if (record === undefined) throw new Error(`${path} has no record ${index}`);
  return record;
}

test('a sound journal: everything is read, footers lost or not', async () => {
  const { journal, files } = await sample();
  truncateSync(files[1] ?? '', recordIn(files[1] ?? '', 1).group.end);
  const progress: ScrubProgress[] = [];
  const report = await journal.scrub({ onProgress: (each) => progress.push(each) });
  const bytes = progress.at(-1)?.totalBytes;
  expect(report).toMatchObject({ segments: 6, skipped: 0, records: 12, damage: [] });
  expect(report.bytes).toBeGreaterThan(12 * 20_000);
  expect(progress.at(-1)?.checkedBytes).toBe(bytes);
  expect(progress.map((each) => each.checkedBytes)).toEqual(
    progress.map((each) => each.checkedBytes).sort((a, b) => a - b),
  );
  expect(journal.status()).toMatchObject({ damage: [], scrub: { state: 'off', checkedBytes: 0, totalBytes: 0 } });
});

const kinds: [string, (path: string) => number, number, number][] = [
  [
    'a payload',
    (path) => flip(path, recordIn(path, 0).offset + RECORD_HEADER_BYTES + 5, recordIn(path, 0).offset),
    3,
    3,
  ],
  [
    'the last payload',
    (path) => flip(path, recordIn(path, 1).offset + RECORD_HEADER_BYTES, recordIn(path, 1).offset),
    4,
    4,
  ],
  ['a record header', (path) => flip(path, recordIn(path, 0).offset + 3, recordIn(path, 0).offset), 3, 3],
  ['a group header', (path) => flip(path, recordIn(path, 0).group.offset + 9, recordIn(path, 0).group.offset), 3, 3],
  ['the header of the segment', (path) => flip(path, SEGMENT.epoch, 0), 3, 4],
  ['the end of the file', (path) => cut(path, recordIn(path, 1).offset + 100, recordIn(path, 1).offset), 4, 4],
  ['all groups', (path) => cut(path, 4096, 4096), 3, 4],
  ['the file', (path) => remove(path), 3, 4],
];

function flip(path: string, offset: number, reported: number): number {
  flipBit(path, offset, 3);
  return reported;
}

function cut(path: string, bytes: number, reported: number): number {
  truncateSync(path, bytes);
  return reported;
}

function remove(path: string): number {
  unlinkSync(path);
  return 0;
}

describe('damage is found, told and kept in the status, and breaks nothing:', () => {
  test.each(kinds)('%s', async (_, damage, fromSequence, toSequence) => {
    const { journal, dir, files } = await sample();
    const [, segment = ''] = files;
    const offset = damage(segment);
    const told: unknown[] = [];
    const listen = (message: unknown) => told.push(message);
    subscribe('longhaul:damage', listen);
    try {
      const expected = { segment, offset, fromSequence, toSequence, found: expect.any(String) };
      const report = await journal.scrub();
      expect(report).toMatchObject({ segments: 6, skipped: 0, damage: [expected] });
      expect(report.damage.length).toBe(1);
      expect(journal.status()).toMatchObject({ damage: [expected] });
      expect(told).toEqual([{ dir, ...expected }]);
      // A second look finds the same, which is told already.
      expect((await journal.scrub()).damage).toEqual(report.damage);
      expect([journal.status().damage.length, told.length]).toEqual([1, 1]);
      expect(await journal.append(Buffer.from('next'))).toBe(13);
      expect(journal.status()).not.toHaveProperty('broken');
    } finally {
      unsubscribe('longhaul:damage', listen);
    }
  });
});

test('all damage is found, in every segment, and goes from the status with the segment', async () => {
  const { journal, files } = await sample({ historyBytes: 0 });
  const damaged: [number, number][] = [
    [0, 1],
    [1, 0],
    [1, 1],
    [5, 0],
  ];
  for (const [file, record] of damaged) flipBit(files[file] ?? '', recordIn(files[file] ?? '', record).offset + 70);
  await journal.scrub();
  const found = () =>
    journal.status().damage.map(({ fromSequence, toSequence }: JournalDamage) => [fromSequence, toSequence]);
  expect(found()).toEqual([
    [2, 2],
    [3, 3],
    [4, 4],
    [11, 11],
  ]);
  await journal.cursor('peer').advance(2);
  await expect.poll(() => journal.first).toBe(3);
  expect(found()[0]).toEqual([3, 3]);
});

test('groups of many records: the damage ends where the next group begins', async () => {
  const { journal, dir } = await newJournal({ tailBytes: 0 });
  for (let next = 1; next <= 10; next++) await journal.appendMany(Array.from({ length: 10 }, () => Buffer.alloc(200)));
  const [path = ''] = segmentFiles(dir);
  for (const index of [14, 17, 50, 99]) flipBit(path, recordIn(path, index).offset + 80);
  const { damage, records } = await journal.scrub();
  expect(damage.map(({ fromSequence, toSequence }) => [fromSequence, toSequence])).toEqual([
    [15, 20],
    [51, 60],
    [100, 100],
  ]);
  expect(records).toBe(70);
});

test('a segment that is freed meanwhile is skipped', async () => {
  let onOpen = async (_path: string): Promise<void> => {};
  const open = async (...args: Parameters<typeof promises.open>) => {
    await onOpen(String(args[0]));
    return promises.open(...args);
  };
  const fs = { ...promises, open } as JournalFileSystem;
  const { journal, files } = await sample({ fs, historyBytes: 0 });
  const cursor = journal.cursor('peer');
  await cursor.advance(0);
  onOpen = async (path) => {
    if (path !== files[1]) return;
    onOpen = async () => {};
    await cursor.advance(6);
    await vi.waitUntil(() => journal.first === 7);
  };
  const report = await journal.scrub();
  expect(report).toMatchObject({ damage: [], segments: 4, skipped: 2 });
  expect(report.records).toBe(8);
});

test('ends with the signal, and with the journal', async () => {
  const { journal } = await sample();
  const controller = new AbortController();
  const aborted = journal.scrub({ signal: controller.signal, onProgress: () => controller.abort(new Error('enough')) });
  await expect(aborted).rejects.toMatchObject({ code: 'ABORTED', cause: new Error('enough') });
  await expect(journal.scrub({ signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ABORTED' });
  for (const bytesPerSecond of [-1, 1, 4095, 1.5, 2 ** 41]) {
    await expect(journal.scrub({ bytesPerSecond })).rejects.toMatchObject({ argument: 'bytesPerSecond' });
  }
  let closing: Promise<void> | undefined;
  const closed = journal.scrub({
    onProgress: () => {
      closing ??= journal.close();
    },
  });
  await expect(closed).rejects.toMatchObject({ code: 'CLOSED' });
  await closing;
  await expect(journal.scrub()).rejects.toMatchObject({ code: 'CLOSED' });
});

describe('in the background', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  /** Lets minutes pass for as long as the condition does not hold; reads take their real time meanwhile. */
  async function passUntil(condition: () => boolean): Promise<void> {
    for (let turn = 0; !condition() && turn < 100_000; turn++) {
      if (turn % 100 === 0) await vi.advanceTimersByTimeAsync(60_000);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(condition()).toBe(true);
  }

  test('begins once there are full segments, and comes again a day later', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    const { journal, dir } = await newJournal({ tailBytes: 0, scrubBytesPerSecond: 64 * 1024 });
    await journal.append(Buffer.alloc(20_000));
    await vi.advanceTimersByTimeAsync(600_000);
    expect(journal.status().scrub).toEqual({ state: 'waiting', checkedBytes: 0, totalBytes: 0 });
    for (let next = 2; next <= 90; next++) await journal.append(Buffer.alloc(20_000, next));
    const [first = '', second = ''] = segmentFiles(dir);
    flipBit(first, recordIn(first, 0).offset + 70);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(journal.status().scrub.state).toBe('running');
    await passUntil(() => journal.status().scrub.state === 'waiting');
    const { scrub, damage } = journal.status();
    expect(scrub.totalBytes).toBeGreaterThan(90 * 20_000);
    expect(scrub.checkedBytes).toBe(scrub.totalBytes);
    expect(damage).toMatchObject([{ segment: first, fromSequence: 1, toSequence: 1 }]);
    flipBit(second, recordIn(second, 0).offset + 70);
    await vi.advanceTimersByTimeAsync(23 * 3600_000);
    expect(journal.status().damage.length).toBe(1);
    await passUntil(() => journal.status().damage.length === 2);
    await journal.close();
    expect(vi.getTimerCount()).toBe(0);
  });

  test('is off at a rate of 0, and takes no other nonsense', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const { journal } = await newJournal({ scrubBytesPerSecond: 0 });
    expect(journal.status().scrub.state).toBe('off');
    expect(vi.getTimerCount()).toBe(0);
    await expect(newJournal({ scrubBytesPerSecond: 100 })).rejects.toMatchObject({ argument: 'scrubBytesPerSecond' });
  });

  test('closing waits for a pass to stop', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    const { journal } = await newJournal({ tailBytes: 0, scrubBytesPerSecond: 4096 });
    for (let next = 1; next <= 90; next++) await journal.append(Buffer.alloc(20_000, next));
    await vi.advanceTimersByTimeAsync(60_000);
    await vi.waitUntil(() => vi.getTimerCount() > 0 && journal.status().scrub.checkedBytes > 1_000_000);
    await journal.close();
    expect(vi.getTimerCount()).toBe(0);
  });
});

test('a pace: work that is too fast waits, work that is slow does not make up for it', async () => {
  let now = 0;
  const waits: number[] = [];
  const clock = {
    now: () => now,
    wait: async (ms: number) => {
      waits.push(ms);
      now += ms;
    },
  };
  const MIB = 1024 * 1024;
  const pace = new Pace(MIB, new AbortController().signal, clock);
  for (let part = 0; part < 4; part++) await pace.spent(MIB / 4);
  expect(waits).toEqual([1000]);
  now += 400;
  await pace.spent(2 * MIB);
  expect(waits).toEqual([1000, 1600]);
  now += 60_000;
  await pace.spent(MIB);
  await pace.spent(MIB);
  expect(waits).toEqual([1000, 1600, 1000]);
  const free = new Pace(0, new AbortController().signal, clock);
  await free.spent(100 * MIB);
  expect(waits.length).toBe(3);
});
