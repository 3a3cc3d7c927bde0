import { expect, test } from 'vitest';
import type { Journal, JournalOptions } from '../../src/journal/journal.js';
import { newJournal, openJournal } from './harness.js';

/** One record a segment; a segment is as young as the first record behind it, and each record comes a minute later. */

const RECORD_BYTES = 50_000;
const MINUTE_MS = 60_000;

class Clock {
  private us = 1_700_000_000_000_000;
  readonly now = (): number => this.us;
  pass(ms: number): void {
    this.us += ms * 1000;
  }
}

async function open(o: Partial<JournalOptions>) {
  const clock = new Clock();
  const opened = await newJournal({ historyBytes: 0, now: clock.now, ...o });
  return { ...opened, clock, append: (count: number) => append(opened.journal, clock, count) };
}

async function append(journal: Journal, clock: Clock, count: number): Promise<void> {
  for (let index = 0; index < count; index++) {
    clock.pass(MINUTE_MS);
    await journal.append(Buffer.alloc(RECORD_BYTES));
  }
}

/** Freeing goes on in the background; a cut of nothing waits until it is over, and then all has gone that will. */
async function settled(journal: Journal, first: number): Promise<void> {
  await expect.poll(() => journal.first).toBe(first);
  await journal.truncateAfter(journal.last);
  expect(journal.first).toBe(first);
}

test('records stay for their time though every cursor has passed them', async () => {
  const { journal, append } = await open({ retainAgeMs: 3 * MINUTE_MS });
  const cursor = journal.cursor('peer');
  await append(6);
  await cursor.advance(6);
  // Record 3 came three minutes ago, so all before it are older than that.
  await settled(journal, 3);
  await append(2);
  await settled(journal, 5);
});

test('time alone makes old what a cursor passes later', async () => {
  const { journal, clock, append } = await open({ retainAgeMs: 60 * MINUTE_MS });
  const cursor = journal.cursor('peer');
  await append(5);
  await cursor.advance(4);
  await settled(journal, 1);
  clock.pass(60 * MINUTE_MS);
  await cursor.advance(5);
  await settled(journal, 5);
});

test('nothing goes before every cursor has passed it, however old', async () => {
  const { journal, clock, append } = await open({ retainAgeMs: MINUTE_MS });
  const [slow, fast] = [journal.cursor('slow'), journal.cursor('fast')];
  await append(5);
  clock.pass(60 * MINUTE_MS);
  await fast.advance(5);
  await settled(journal, 1);
  await slow.advance(2);
  await settled(journal, 3);
});

test('nothing goes that is history, however old, and nothing young that is not', async () => {
  const { journal, clock, append } = await open({ retainAgeMs: 5 * MINUTE_MS, historyBytes: 3 * RECORD_BYTES });
  const cursor = journal.cursor('peer');
  await append(6);
  clock.pass(60 * MINUTE_MS);
  await cursor.advance(6);
  await settled(journal, 4);
  await append(1);
  await cursor.advance(7);
  await settled(journal, 5);
  await append(5);
  await cursor.advance(12);
  await settled(journal, 7);
});

test('a cursor that was detached keeps nothing, age does', async () => {
  const { journal, append } = await open({ retainAgeMs: 2 * MINUTE_MS, queueBytesMax: 3 * RECORD_BYTES });
  const cursor = journal.cursor('peer', { onFull: 'detach' });
  await append(8);
  expect(cursor.detached).toBe(true);
  await settled(journal, 6);
});

test('a reopened journal knows how old its segments are', async () => {
  const { journal, dir, clock, append: more } = await open({ retainAgeMs: 3 * MINUTE_MS });
  await more(6);
  await journal.close();
  const again = await openJournal({ dir, historyBytes: 0, retainAgeMs: 3 * MINUTE_MS, now: clock.now });
  await again.cursor('peer').advance(6);
  await settled(again, 3);
  await append(again, clock, 3);
  await again.cursor('peer').advance(9);
  await settled(again, 6);
});

test.each([-1, 0.5, 1e15])('retainAgeMs is not %d', async (retainAgeMs) => {
  await expect(newJournal({ retainAgeMs })).rejects.toMatchObject({ argument: 'retainAgeMs' });
});
