import { expect, test } from 'vitest';
import type { Journal, JournalOptions } from '../../src/journal/journal.js';
import { newJournal, openJournal } from './harness.js';

/** What the status says of each cursor: how much it holds back, for how long, and whether anybody should look. */

const HOUR_MS = 3_600_000;

class Clock {
  us = 1_700_000_000_000_000;
  readonly now = (): number => this.us;
  pass(ms: number): void {
    this.us += ms * 1000;
  }
}

async function open(o: Partial<JournalOptions> = {}) {
  const clock = new Clock();
  return { ...(await newJournal({ now: clock.now, ...o })), clock };
}

function statusOf(journal: Journal, name: string) {
  const found = journal.status().cursors.find((cursor) => cursor.name === name);
  if (found === undefined) throw new Error(`no cursor ${name}`);
  return found;
}

const NOTHING = { heldBytes: 0, heldRecords: 0, behindMs: 0, stalled: false };

test('bytes and records behind the position', async () => {
  const { journal } = await open();
  const cursor = journal.cursor('peer');
  expect(statusOf(journal, 'peer')).toMatchObject({ position: 0, onFull: 'block', detached: false, ...NOTHING });
  await journal.appendMany([1, 2, 3].map((size) => Buffer.alloc(size * 1000)));
  const all = statusOf(journal, 'peer');
  expect(all).toMatchObject({ heldRecords: 3, heldBytes: journal.status().queueBytes });
  await cursor.advance(2);
  const some = statusOf(journal, 'peer');
  expect(some).toMatchObject({ position: 2, heldRecords: 1 });
  expect(some.heldBytes).toBeGreaterThanOrEqual(3000);
  expect(some.heldBytes).toBeLessThan(3200);
  expect(all.heldBytes - some.heldBytes).toBeGreaterThan(3000);
  await cursor.advance(3);
  expect(statusOf(journal, 'peer')).toMatchObject({ position: 3, ...NOTHING });
});

test('how old the first record is that waits for it, and after more than an hour it is stalled', async () => {
  const { journal, clock } = await open();
  const [slow, fast] = [journal.cursor('slow'), journal.cursor('fast')];
  await journal.append(Buffer.from('1'));
  clock.pass(HOUR_MS / 2);
  await journal.append(Buffer.from('2'));
  clock.pass(HOUR_MS / 2);
  await fast.advance(1);
  expect(statusOf(journal, 'slow')).toMatchObject({ behindMs: HOUR_MS, stalled: false });
  expect(statusOf(journal, 'fast')).toMatchObject({ behindMs: HOUR_MS / 2, stalled: false });
  clock.pass(1);
  expect(statusOf(journal, 'slow')).toMatchObject({ behindMs: HOUR_MS + 1, stalled: true });
  await slow.advance(2);
  expect(statusOf(journal, 'slow')).toMatchObject(NOTHING);
  clock.pass(HOUR_MS);
  expect(statusOf(journal, 'slow')).toMatchObject(NOTHING);
  expect(statusOf(journal, 'fast').stalled).toBe(true);
});

test('a clock that goes back makes nothing younger than now', async () => {
  const { journal, clock } = await open();
  journal.cursor('peer');
  await journal.append(Buffer.from('1'));
  clock.pass(-HOUR_MS);
  expect(statusOf(journal, 'peer')).toMatchObject({ behindMs: 0, stalled: false, heldRecords: 1 });
});

test('how long it has not moved in this process', async () => {
  const { journal } = await open();
  const begun = performance.now();
  const cursor = journal.cursor('peer');
  await journal.append(Buffer.from('1'));
  const before = statusOf(journal, 'peer').idleMs;
  expect(before).toBeLessThanOrEqual(performance.now() - begun);
  await expect.poll(() => statusOf(journal, 'peer').idleMs).toBeGreaterThan(before + 5);
  const moving = performance.now();
  await cursor.advance(1);
  expect(statusOf(journal, 'peer').idleMs).toBeLessThanOrEqual(performance.now() - moving);
});

test('a reopened journal says the same, whichever of its many records the cursor is at', async () => {
  const { journal, dir, clock } = await open({ segmentBytes: 4 * 1024 * 1024 });
  const cursor = journal.cursor('peer');
  for (let minute = 0; minute < 50; minute++) {
    await journal.appendMany(Array.from({ length: 500 }, () => Buffer.alloc(100)));
    clock.pass(60_000);
  }
  await cursor.advance(1000);
  const before = statusOf(journal, 'peer');
  expect(before.heldRecords).toBe(24_000);
  await journal.close();
  const again = await openJournal({ dir, now: clock.now });
  const { heldBytes, heldRecords, behindMs } = statusOf(again, 'peer');
  expect(heldRecords).toBe(24_000);
  // Far from the end both are known as exactly as the index tells, and never understated.
  expect(heldBytes).toBeGreaterThanOrEqual(24_000 * 100);
  expect(heldBytes).toBeLessThan(before.heldBytes + 600_000);
  expect(behindMs).toBeGreaterThanOrEqual(48 * 60_000);
  expect(behindMs).toBeLessThanOrEqual(50 * 60_000);
});

test('a cursor that was detached holds nothing and is not stalled, however long it is away', async () => {
  const { journal, clock } = await open({ queueBytesMax: 64 * 1024 });
  journal.cursor('peer', { onFull: 'detach' });
  for (let count = 0; count < 8; count++) await journal.append(Buffer.alloc(20_000));
  clock.pass(2 * HOUR_MS);
  expect(statusOf(journal, 'peer')).toMatchObject({ detached: true, onFull: 'detach', position: 0, ...NOTHING });
  expect(journal.status()).not.toHaveProperty('oldestUnreleasedTimestamp');
});
