import { describe, expect, test } from 'vitest';
import { FaultyFileSystem } from './faults.js';
import { collect, newJournal, openJournal } from './harness.js';

async function filled(count: number, o: Parameters<typeof newJournal>[0] = {}) {
  const opened = await newJournal(o);
  await opened.journal.appendMany(Array.from({ length: count }, (_, index) => Buffer.from(`${index}`)));
  return opened;
}

test('a cursor keeps its position and chain over a reopen', async () => {
  const { journal, dir } = await filled(10);
  const chains = (await collect(journal.read(1))).map((record) => record.chain);
  const cursor = journal.cursor('peer/1');
  expect(cursor).toMatchObject({ name: 'peer/1', position: 0 });
  expect(journal.cursor('peer/1')).toBe(cursor);
  await cursor.advance(4);
  expect(cursor).toMatchObject({ position: 4, chain: chains[3] });
  await journal.close();
  const again = await openJournal({ dir });
  expect(again.cursors().map(({ name, position, chain }) => ({ name, position, chain }))).toEqual([
    { name: 'peer/1', position: 4, chain: chains[3] },
  ]);
  await again.cursor('peer/1').advance(10);
  expect(again.cursor('peer/1').chain).toBe(again.lastChain);
});

test('a new cursor is kept from the moment that it is made, wherever it starts', async () => {
  const { journal, dir } = await filled(5);
  journal.cursor('zero');
  const cursor = journal.cursor('three', { at: 3 });
  expect(cursor.position).toBe(3);
  await journal.close();
  const again = await openJournal({ dir });
  const kept = { onFull: 'block', detached: false, stalled: false };
  const { queueBytes, cursors } = again.status();
  expect(cursors).toMatchObject([
    { name: 'three', position: 3, heldRecords: 2, ...kept },
    { name: 'zero', position: 0, heldRecords: 5, heldBytes: queueBytes, ...kept },
  ]);
  expect(cursors[0]?.heldBytes).toBeGreaterThan(0);
  expect(cursors[0]?.heldBytes).toBeLessThan(queueBytes);
  for (const { behindMs, idleMs } of cursors) expect(Math.min(behindMs, idleMs)).toBeGreaterThanOrEqual(0);
  expect(again.cursor('three').chain).toBe(await again.chainAt(3));
  expect(again.cursor('zero').chain).toBe(0n);
});

test('a cursor never moves back and never passes the tail', async () => {
  const { journal } = await filled(5);
  const cursor = journal.cursor('peer');
  await cursor.advance(4);
  await cursor.advance(2);
  await cursor.advance(0);
  expect(cursor.position).toBe(4);
  for (const wrong of [6, -1, 1.5, Number.NaN]) {
    await expect(cursor.advance(wrong)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', argument: 'sequence' });
  }
});

describe('concurrent calls', () => {
  test('share writes, and each resolves only once its number is durable', async () => {
    const faulty = new FaultyFileSystem();
    const { journal } = await filled(200, { fs: faulty.fs });
    const cursor = journal.cursor('peer');
    await cursor.advance(0);
    const before = faulty.calls.length;
    const calls = Array.from({ length: 200 }, async (_, index) => {
      await cursor.advance(index + 1);
      expect(cursor.position).toBeGreaterThanOrEqual(index + 1);
    });
    await Promise.all(calls);
    expect(cursor.position).toBe(200);
    expect(faulty.calls.slice(before).filter((name) => name === 'file.datasync').length).toBeLessThanOrEqual(2);
  });
});

test('a dropped cursor is gone, and its name is free for a new one', async () => {
  const { journal, dir } = await filled(5);
  const old = journal.cursor('peer');
  await old.advance(5);
  await journal.dropCursor('peer');
  await journal.dropCursor('never was');
  await expect(old.advance(5)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  expect(journal.cursors()).toEqual([]);
  expect(journal.cursor('peer').position).toBe(0);
  await journal.dropCursor('peer');
  await journal.close();
  expect((await openJournal({ dir })).cursors()).toEqual([]);
});
