import { truncateSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { DATA_START } from '../../src/journal/format/format.js';
import type { Journal } from '../../src/journal/journal.js';
import { FaultyFileSystem } from './faults.js';
import {
  flipBit,
  lastSegment,
  newJournal,
  openJournal,
  recordsOf,
  SEGMENT_BYTES_MIN,
  segmentFiles,
} from './harness.js';

/** Changes of one cursor take turns, whoever asks for them, and none of them harms the journal. */

async function withCursor(count: number) {
  const faulty = new FaultyFileSystem();
  const { journal, dir } = await newJournal({ fs: faulty.fs });
  await journal.appendMany(Array.from({ length: count }, (_, index) => Buffer.from(`${index + 1}`)));
  const cursor = journal.cursor('peer');
  await cursor.advance(count);
  return { journal, dir, cursor, faulty };
}

describe('a cursor that is being dropped', () => {
  const movers: [string, (journal: Journal) => Promise<void>, number][] = [
    ['a reset', (journal) => journal.reset(100, 5n), 99],
    ['a cut', (journal) => journal.truncateAfter(2), 2],
  ];

  test.each(movers)('is not moved by %s', async (_, move, last) => {
    const { journal, dir, faulty } = await withCursor(5);
    const release = faulty.holdNext('unlink');
    const dropping = journal.dropCursor('peer');
    await expect.poll(() => faulty.holding).toBe(true);
    const moving = move(journal);
    await expect.poll(() => journal.last).toBe(last);
    release();
    await Promise.all([dropping, moving]);
    expect(journal.status()).not.toHaveProperty('broken');
    await journal.append(Buffer.from('on'));
    await journal.close();
    const again = await openJournal({ dir });
    expect([again.last, again.cursors()]).toEqual([last + 1, []]);
  });

  test('is dropped once, and a new one of its name stays', async () => {
    const { journal, dir, cursor, faulty } = await withCursor(5);
    const release = faulty.holdNext('unlink');
    const drops = [journal.dropCursor('peer'), journal.dropCursor('peer')];
    await expect(cursor.advance(5)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    release();
    await drops[0];
    const other = journal.cursor('peer', { at: 3 });
    await drops[1];
    await other.advance(4);
    await journal.close();
    expect((await openJournal({ dir })).cursors().map(({ name, position }) => [name, position])).toEqual([['peer', 4]]);
  });
});

test('a cursor moves over a record that has gone bad, whose chain it does not know', async () => {
  const { journal, dir } = await newJournal();
  journal.cursor('peer');
  while (segmentFiles(dir).length < 2) await journal.append(Buffer.alloc(SEGMENT_BYTES_MIN / 16));
  await journal.close();
  const again = await openJournal({ dir });
  const [path = ''] = segmentFiles(dir);
  const bad = recordsOf(path)[4];
  flipBit(path, (bad?.offset ?? 0) + 100);
  const cursor = again.cursor('peer');
  await cursor.advance(5);
  expect(cursor).toMatchObject({ position: 5, chain: undefined });
  await again.append(Buffer.from('on'));
  await again.close();
  expect((await openJournal({ dir })).cursor('peer')).toMatchObject({ position: 5, chain: undefined });
});

test("a position that a power cut took, with durability 'none', is forgotten before its numbers are given again", async () => {
  const { journal, dir } = await newJournal({ durability: 'none' });
  await journal.appendMany(['1', '2', '3'].map((text) => Buffer.from(text)));
  await journal.cursor('peer', { at: 3 }).advance(3);
  await journal.close();
  truncateSync(lastSegment(dir), DATA_START);
  const lost = await openJournal({ dir, durability: 'none' });
  expect([lost.last, lost.cursor('peer').position]).toEqual([0, 0]);
  await lost.appendMany(['a', 'b', 'c'].map((text) => Buffer.from(text)));
  await lost.close();
  expect((await openJournal({ dir, durability: 'none' })).cursor('peer').position).toBe(0);
});
