import { describe, expect, test } from 'vitest';
import type { Journal, JournalOptions } from '../../src/journal/journal.js';
import { eventsOf, nextEvent } from '../support/until.js';
import { FaultyFileSystem } from './faults.js';
import { contents, newJournal, openJournal, SEGMENT_BYTES_MIN } from './harness.js';

/** A full queue does to each append what the cursors that hold it back have chosen. */

const KIB = 1024;
const RECORD = 17 * KIB;

const record = (id: number): Buffer => Buffer.alloc(RECORD, id);

/** Four records of 17 KiB fill a queue of 64 KiB. */
async function open(o: Partial<JournalOptions> = {}): Promise<{ journal: Journal; dir: string }> {
  return newJournal({ queueBytesMax: SEGMENT_BYTES_MIN, historyBytes: 0, ...o });
}

async function fill(journal: Journal): Promise<void> {
  while (journal.status().queueBytes <= SEGMENT_BYTES_MIN) await journal.append(record(journal.assigned + 1));
}

const statusOf = (journal: Journal, name: string) => journal.status().cursors.find((cursor) => cursor.name === name);

describe('block', () => {
  test('waits, and goes on as soon as the cursor has moved far enough', async () => {
    const { journal } = await open();
    const cursor = journal.cursor('peer', { onFull: 'block' });
    await fill(journal);
    const { last } = journal;
    const waiting = journal.append(record(99));
    expect(journal.assigned).toBe(last);
    await cursor.advance(1);
    expect(await waiting).toBe(last + 1);
  });

  test('can be called off; nothing of the record is left', async () => {
    const { journal } = await open();
    const cursor = journal.cursor('peer');
    await fill(journal);
    const { last } = journal;
    const controller = new AbortController();
    const o = { signal: controller.signal };
    const calls = [journal.append(record(99), o), journal.appendMany([record(98), record(97)], o)];
    controller.abort(new Error('enough'));
    for (const call of calls) await expect(call).rejects.toMatchObject({ code: 'ABORTED', sequence: undefined });
    expect(journal.assigned).toBe(last);
    await cursor.advance(last);
    expect(await journal.append(record(96))).toBe(last + 1);
  });
});

describe('error', () => {
  test.each([
    ['of the cursor', { cursor: 'error', journal: 'block' }],
    ['of the journal', { cursor: undefined, journal: 'error' }],
  ] as const)('%s refuses the append with a stable code, and appends nothing', async (_, chosen) => {
    const { journal } = await open({ onFull: chosen.journal });
    const cursor = journal.cursor('peer', chosen.cursor === undefined ? {} : { onFull: chosen.cursor });
    expect(cursor.onFull).toBe('error');
    await fill(journal);
    const { last } = journal;
    const before = journal.status();
    const full = { code: 'QUEUE_FULL', recoverable: true, queueBytesMax: SEGMENT_BYTES_MIN };
    await expect(journal.append(record(99))).rejects.toMatchObject({ ...full, queueBytes: before.queueBytes });
    await expect(journal.appendMany([record(99), record(98)])).rejects.toMatchObject(full);
    await expect(journal.assign(record(99))).rejects.toMatchObject(full);
    expect(journal.status()).toMatchObject({ last, assigned: last, pendingBytes: 0, queueBytes: before.queueBytes });
    await cursor.advance(2);
    expect(await journal.append(record(97))).toBe(last + 1);
    await journal.close();
  });

  test('a journal without cursors is the queue, and does what it was told', async () => {
    const { journal } = await open({ onFull: 'error' });
    await fill(journal);
    await expect(journal.append(record(99))).rejects.toMatchObject({ code: 'QUEUE_FULL' });
  });

  test('those who wait already are told as soon as a cursor asks for it', async () => {
    const { journal } = await open();
    journal.cursor('peer');
    await fill(journal);
    const waiting = [journal.append(record(99)), journal.append(record(98))];
    const told = waiting.map((call) => expect(call).rejects.toMatchObject({ code: 'QUEUE_FULL' }));
    journal.cursor('peer', { onFull: 'error' });
    await Promise.all(told);
    expect(journal.assigned).toBe(4);
  });
});

describe('detach', () => {
  test('goes on without the cursor, tells so, and frees what only it held', async () => {
    const { journal, dir } = await open();
    const cursor = journal.cursor('peer', { onFull: 'detach' });
    await cursor.advance(0);
    await fill(journal);
    expect(cursor.detached).toBe(false);
    const told = nextEvent('detached', (event) => event.dir === journal.dir);
    for (let id = 5; id <= 60; id++) expect(await journal.append(record(id))).toBe(id);
    expect(await told).toEqual({ dir: journal.dir, cursor: 'peer', position: 0 });
    expect(cursor.detached).toBe(true);
    expect(statusOf(journal, 'peer')).toMatchObject({ detached: true, heldBytes: 0, heldRecords: 0, behindMs: 0 });
    expect(journal.status().queueBytes).toBe(0);
    await expect.poll(() => journal.first).toBeGreaterThan(50);
    await expect(cursor.advance(10)).rejects.toMatchObject({ code: 'CURSOR_DETACHED', cursor: 'peer', position: 0 });
    await journal.close();
    const again = await openJournal({ dir, queueBytesMax: SEGMENT_BYTES_MIN, historyBytes: 0 });
    expect(again.cursors().map(({ name, detached, position }) => [name, detached, position])).toEqual([
      ['peer', true, 0],
    ]);
    for (let id = 61; id <= 70; id++) expect(await again.append(record(id))).toBe(id);
    expect(again.status().queueBytes).toBe(0);
  });

  test('leaves the slowest behind only, when that is enough', async () => {
    const { journal } = await open();
    const events = eventsOf('detached');
    const slow = journal.cursor('slow', { onFull: 'detach' });
    const slower = journal.cursor('slower', { onFull: 'detach' });
    await fill(journal);
    await slow.advance(1);
    expect(await journal.append(record(5))).toBe(5);
    expect([slow.detached, slower.detached]).toEqual([false, true]);
    expect(events.map(({ cursor }) => cursor)).toEqual(['slower']);
    await slow.advance(5);
    expect(statusOf(journal, 'slow')).toMatchObject({ heldBytes: 0, detached: false });
  });

  test('leaves all of them behind that hold too much', async () => {
    const { journal } = await open();
    const events = eventsOf('detached');
    const names = ['a', 'b', 'c'];
    const cursors = names.map((name) => journal.cursor(name, { onFull: 'detach' }));
    await fill(journal);
    expect(await journal.append(record(5))).toBe(5);
    expect(cursors.map(({ detached }) => detached)).toEqual([true, true, true]);
    expect(events.map(({ cursor }) => cursor).sort()).toEqual(names);
  });

  test('spares a cursor that has passed all that is durable, however much is on its way', async () => {
    const faulty = new FaultyFileSystem();
    const { journal } = await open({ fs: faulty.fs });
    const cursor = journal.cursor('peer', { onFull: 'detach' });
    await journal.append(record(1));
    await cursor.advance(1);
    const release = faulty.holdNext('file.datasync');
    const calls = Array.from({ length: 6 }, (_, index) => journal.append(record(index + 2)));
    calls.push(journal.append(record(8)));
    expect(journal.status().pendingBytes).toBeGreaterThan(SEGMENT_BYTES_MIN);
    const told = journal.onDurable((last) => void cursor.advance(last).catch(() => {}));
    release();
    await Promise.all(calls.slice(0, 3));
    await cursor.advance(journal.last);
    await Promise.all(calls);
    told();
    expect(cursor.detached).toBe(false);
  });

  test('a move that is under way counts: the cursor stays if that is enough', async () => {
    const faulty = new FaultyFileSystem();
    const { journal } = await open({ fs: faulty.fs });
    const events = eventsOf('detached');
    const cursor = journal.cursor('peer', { onFull: 'detach' });
    await fill(journal);
    const release = faulty.holdNext('file.datasync');
    const moving = cursor.advance(3);
    await expect.poll(() => faulty.holding).toBe(true);
    const appending = journal.append(record(5));
    release();
    await Promise.all([moving, appending]);
    expect([cursor.detached, cursor.position, events]).toEqual([false, 3, []]);
  });

  test('a move that comes while the journal lets go is refused, and the file says the same', async () => {
    const faulty = new FaultyFileSystem();
    const { journal, dir } = await open({ fs: faulty.fs });
    const cursor = journal.cursor('peer', { onFull: 'detach' });
    await cursor.advance(0);
    await fill(journal);
    const release = faulty.holdNext('file.datasync');
    const appending = journal.append(record(5));
    await expect.poll(() => faulty.holding).toBe(true);
    const moving = expect(cursor.advance(3)).rejects.toMatchObject({ code: 'CURSOR_DETACHED' });
    release();
    await moving;
    await appending;
    await journal.close();
    const [again] = (await openJournal({ dir })).cursors();
    expect([again?.detached, again?.position]).toEqual([true, 0]);
  });

  test('those who wait already go on as soon as a cursor asks for it', async () => {
    const { journal } = await open();
    const cursor = journal.cursor('peer');
    await fill(journal);
    const waiting = journal.append(record(5));
    journal.cursor('peer', { onFull: 'detach' });
    expect(await waiting).toBe(5);
    expect(cursor.detached).toBe(true);
  });

  test('dropping the cursor and closing the journal wait until it is let go', async () => {
    for (const end of [(journal: Journal) => journal.dropCursor('peer'), (journal: Journal) => journal.close()]) {
      const faulty = new FaultyFileSystem();
      const { journal } = await open({ fs: faulty.fs });
      await journal.cursor('peer', { onFull: 'detach' }).advance(0);
      await fill(journal);
      const release = faulty.holdNext('file.datasync');
      const appending = journal.append(record(5)).catch((error: unknown) => error);
      await expect.poll(() => faulty.holding).toBe(true);
      const ending = end(journal);
      release();
      await ending;
      if (journal.status().cursors.length === 0) journal.cursor('rest', { at: journal.last });
      expect([5, expect.objectContaining({ code: 'CLOSED' })]).toContainEqual(await appending);
      expect(journal.status()).not.toHaveProperty('broken');
    }
  });
});

describe('reattach', () => {
  async function detached(o: Partial<JournalOptions> = {}) {
    const opened = await open({ historyBytes: 256 * KIB, ...o });
    const cursor = opened.journal.cursor('peer', { onFull: 'detach' });
    await fill(opened.journal);
    for (let id = 5; id <= 30; id++) await opened.journal.append(record(id));
    await expect.poll(() => opened.journal.first).toBeGreaterThan(5);
    expect(cursor.detached).toBe(true);
    return { ...opened, cursor };
  }

  test('has the cursor hold back again what comes after, across a reopen', async () => {
    const { journal, dir, cursor } = await detached();
    await cursor.reattach(29);
    expect([cursor.detached, cursor.position]).toEqual([false, 29]);
    expect(cursor.chain).toBe(await journal.chainAt(29));
    expect(statusOf(journal, 'peer')).toMatchObject({ detached: false, heldRecords: 1 });
    expect(journal.status().queueBytes).toBe(statusOf(journal, 'peer')?.heldBytes);
    await cursor.advance(30);
    await journal.append(record(31));
    await journal.close();
    const again = await openJournal({ dir, historyBytes: 0 });
    expect(again.cursor('peer')).toMatchObject({ detached: false, position: 30 });
    expect(await contents(again, 31)).toHaveLength(1);
  });

  test('is refused below the position, beyond the end, and where records have gone', async () => {
    const { journal, cursor } = await detached();
    const { first } = journal;
    await expect(cursor.reattach(31)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(cursor.reattach(-1)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(cursor.reattach(first - 2)).rejects.toMatchObject({ code: 'SEQUENCE_GONE', first });
    expect(cursor.detached).toBe(true);
    await cursor.reattach(first - 1);
    expect(cursor).toMatchObject({ detached: false, position: first - 1 });
  });

  test('of one that is attached is a move', async () => {
    const { journal } = await open();
    const cursor = journal.cursor('peer');
    await journal.append(record(1));
    await cursor.reattach(1);
    expect(cursor.position).toBe(1);
  });
});

describe('mixed', () => {
  test('one that detaches goes first; then the one that blocks has appends wait', async () => {
    const { journal } = await open();
    const leaving = journal.cursor('leaving', { onFull: 'detach' });
    const staying = journal.cursor('staying', { onFull: 'block' });
    await fill(journal);
    const waiting = journal.append(record(5));
    await expect.poll(() => leaving.detached).toBe(true);
    expect(journal.assigned).toBe(4);
    await staying.advance(4);
    expect(await waiting).toBe(5);
    expect(staying.detached).toBe(false);
  });

  test('one that detaches goes first; then the one that refuses has appends fail', async () => {
    const { journal } = await open();
    const leaving = journal.cursor('leaving', { onFull: 'detach' });
    journal.cursor('staying', { onFull: 'error' });
    await fill(journal);
    await expect(journal.append(record(5))).rejects.toMatchObject({ code: 'QUEUE_FULL' });
    expect(leaving.detached).toBe(true);
    expect(journal.assigned).toBe(4);
  });

  test('the strictest of those that hold too much counts, and others are not asked', async () => {
    const { journal } = await open({ onFull: 'error' });
    journal.cursor('strict', { onFull: 'error' });
    const blocking = journal.cursor('blocking', { onFull: 'block' });
    const leaving = journal.cursor('leaving', { onFull: 'detach' });
    await fill(journal);
    await journal.cursor('strict').advance(4);
    await leaving.advance(4);
    const waiting = journal.append(record(5));
    expect(journal.assigned).toBe(4);
    await blocking.advance(4);
    expect(await waiting).toBe(5);
    expect(leaving.detached).toBe(false);
  });
});

test('what a cursor may choose is checked', async () => {
  const { journal } = await open();
  const wrong = { onFull: 'forget' as 'block' };
  expect(() => journal.cursor('peer', wrong)).toThrow(expect.objectContaining({ argument: 'onFull' }));
  await expect(newJournal({ onFull: 'detach' as 'block' })).rejects.toMatchObject({ argument: 'onFull' });
});
