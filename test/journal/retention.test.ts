import { describe, expect, test } from 'vitest';
import { RECORD_HEADER_BYTES } from '../../src/engine/record-layout.js';
import { DATA_START, GROUP_HEADER_BYTES, PAGE_BYTES, roundUp } from '../../src/journal/format/format.js';
import type { Journal } from '../../src/journal/journal.js';
import { FaultyFileSystem } from './faults.js';
import { collect, fileBytes, newJournal, openJournal, segmentFiles } from './harness.js';

/** One record a segment: record N is the whole of the Nth segment. */
const RECORD_BYTES = 50_000;
/** Up to where the records of its segment reach, and how many bytes of that are records. */
const SEGMENT_END = DATA_START + GROUP_HEADER_BYTES + RECORD_HEADER_BYTES + RECORD_BYTES;
const QUEUED = SEGMENT_END - DATA_START;
/** What a segment takes of the queue that another follows: whole pages. */
const SEGMENT_PAGES = roundUp(SEGMENT_END, PAGE_BYTES);

async function segments(count: number, o: Parameters<typeof newJournal>[0] = {}) {
  const opened = await newJournal(o);
  for (let index = 0; index < count; index++) await opened.journal.append(Buffer.alloc(RECORD_BYTES, index));
  return opened;
}

/** Waits for the freeing in the background. */
async function settled(journal: Journal, first: number): Promise<void> {
  await expect.poll(() => [journal.first, journal.status().diskBytes - fileBytes(journal.dir)]).toEqual([first, 0]);
}

test('without any cursor nothing is freed', async () => {
  const { journal, dir } = await segments(5, { historyBytes: 0 });
  expect(segmentFiles(dir)).toHaveLength(5);
  expect(journal.status()).toMatchObject({ diskBytes: fileBytes(dir), queueBytes: 4 * SEGMENT_PAGES + QUEUED });
  expect(fileBytes(dir)).toBeGreaterThan(5 * SEGMENT_END);
});

test('a segment goes once every cursor has passed it', async () => {
  const { journal, dir } = await segments(6, { historyBytes: 0 });
  const [slow, fast] = [journal.cursor('slow'), journal.cursor('fast')];
  await fast.advance(5);
  expect(journal.first).toBe(1);
  await slow.advance(3);
  await settled(journal, 4);
  expect(segmentFiles(dir)).toHaveLength(3);
  expect((await collect(journal.read(4))).map((record) => record.sequence)).toEqual([4, 5, 6]);
  await journal.dropCursor('slow');
  await settled(journal, 6);
  await fast.advance(6);
  expect(journal.first).toBe(6);
});

test('the newest history stays', async () => {
  const { journal } = await segments(6, { historyBytes: 2 * SEGMENT_END });
  await journal.cursor('peer').advance(6);
  await settled(journal, 5);
  // What still waits for the cursor is part of the newest bytes.
  await journal.append(Buffer.alloc(RECORD_BYTES));
  await settled(journal, 6);
  await journal.cursor('peer').advance(7);
  await settled(journal, 6);
});

test('what a reopen finds freed stays freed', async () => {
  const { journal, dir } = await segments(6, { historyBytes: 0 });
  await journal.cursor('peer').advance(4);
  await settled(journal, 5);
  await journal.close();
  const again = await openJournal({ dir, historyBytes: 0 });
  expect([again.first, again.last]).toEqual([5, 6]);
  await again.cursor('peer').advance(5);
  await settled(again, 6);
});

test('a larger history after a reopen frees less, a smaller one more', async () => {
  const { journal, dir } = await segments(6);
  await journal.cursor('peer').advance(6);
  expect(journal.first).toBe(1);
  await journal.close();
  const again = await openJournal({ dir, historyBytes: 0 });
  await settled(again, 6);
});

test('each removal is durable before the next, oldest first', async () => {
  const faulty = new FaultyFileSystem();
  const { journal } = await segments(6, { historyBytes: 0, fs: faulty.fs });
  const cursor = journal.cursor('peer');
  await cursor.advance(0);
  const before = faulty.calls.length;
  await cursor.advance(6);
  await settled(journal, 6);
  await journal.close();
  const calls = faulty.calls.slice(before).join(' ');
  expect(calls.match(/(rename|unlink) open file\.sync file\.close/g)).toHaveLength(5);
});

describe('status', () => {
  test('tells what the slowest cursor still needs', async () => {
    const { journal, dir } = await segments(3);
    const times = (await collect(journal.read(1))).map((record) => record.timestamp);
    expect(journal.status().oldestUnreleasedTimestamp).toBe(times[0]);
    await journal.cursor('peer').advance(2);
    const expected = {
      first: 1,
      last: 3,
      assigned: 3,
      pendingBytes: 0,
      queueBytes: SEGMENT_PAGES,
      oldestUnreleasedTimestamp: times[2],
      cursors: [{ name: 'peer', position: 2 }],
    };
    expect(journal.status()).toMatchObject(expected);
    expect(journal.status()).not.toHaveProperty('broken');
    await journal.close();
    const again = await openJournal({ dir });
    expect(again.status()).toMatchObject({ ...expected, queueBytes: QUEUED });
    await again.cursor('peer').advance(3);
    expect(again.status()).toMatchObject({ queueBytes: 0 });
    expect(again.status()).not.toHaveProperty('oldestUnreleasedTimestamp');
  });

  test('after a reopen the times of full segments are known from their first record', async () => {
    const { journal, dir } = await segments(3);
    const times = (await collect(journal.read(1))).map((record) => record.timestamp);
    await journal.cursor('peer').advance(1);
    await journal.close();
    expect((await openJournal({ dir })).status().oldestUnreleasedTimestamp).toBe(times[1]);
  });
});
