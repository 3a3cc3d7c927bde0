import { readdirSync, statSync } from 'node:fs';
import * as promises from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { FOOTER_MAGIC } from '../../src/journal/format/footer.js';
import type { Journal, JournalFileSystem, JournalOptions } from '../../src/journal/journal.js';
import { atEnd } from '../support/temp.js';
import { collect, crashCopy, lastSegment, newDirectory, openJournal, patch } from './harness.js';

/**
 * Zeros that are written ahead of the records, in the background, on a disk that lets a test hold them up: whatever the
 * journal does meanwhile, they never lie on what it wrote.
 */

const KIB = 1024;
const MIB = 1024 * KIB;

class SlowZeros {
  /** Ranges that are being written. */
  readonly waiting: { from: number; to: number; write: () => void }[] = [];
  written = 0;
  /** Writes at once what comes. */
  open = false;
  /** Allocations that wait, if they are to. */
  readonly allocating: (() => void)[] = [];
  holdsAllocations = false;
  failing: 'no' | 'zeros' | 'preallocate' = 'no';

  readonly fs: JournalFileSystem = {
    ...promises,
    preallocate: async (handle, bytes) => {
      if (this.holdsAllocations) await new Promise<void>((resolve) => this.allocating.push(resolve));
      const { size } = await handle.stat();
      if (bytes > size) await handle.truncate(bytes);
      // What a full disk leaves of such a call.
      if (this.failing === 'preallocate') throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' });
      return true;
    },
    writeZeros: async (handle, from, to) => {
      await new Promise<void>((resolve) => {
        if (this.open) resolve();
        else this.waiting.push({ from, to, write: resolve });
      });
      if (this.failing === 'zeros') throw Object.assign(new Error('EIO'), { code: 'EIO' });
      await handle.write(Buffer.alloc(to - from), 0, to - from, from);
      this.written++;
      return true;
    },
  };

  release(): void {
    this.open = true;
    this.holdsAllocations = false;
    for (const { write } of this.waiting.splice(0)) write();
    for (const allocate of this.allocating.splice(0)) allocate();
  }
}

interface Opened {
  journal: Journal;
  dir: string;
  zeros: SlowZeros;
}

async function open(o: Partial<JournalOptions> = {}): Promise<Opened> {
  const zeros = new SlowZeros();
  const dir = newDirectory();
  atEnd(() => zeros.release());
  return { journal: await openJournal({ dir, segmentBytes: 8 * MIB, fs: zeros.fs, ...o }), dir, zeros };
}

const payloadOf = (sequence: number): Buffer => Buffer.alloc(64 * KIB - 200, sequence);

async function append(journal: Journal, count: number): Promise<void> {
  for (let index = 0; index < count; index++) await journal.append(payloadOf(journal.assigned + 1));
}

/** Appends until zeros are being written. */
async function begun(o: Partial<JournalOptions> = {}): Promise<Opened> {
  const opened = await open(o);
  while (opened.zeros.waiting.length === 0) await append(opened.journal, 1);
  return opened;
}

async function expectWhole(journal: Journal, first = 1): Promise<void> {
  const records = await collect(journal.read(first));
  expect(records.map(({ sequence }) => sequence)).toEqual(
    Array.from({ length: journal.last - first + 1 }, (_, at) => at + first),
  );
  expect(records.every(({ sequence, payload }) => payload.equals(payloadOf(sequence)))).toBe(true);
  expect((await journal.scrub()).damage).toEqual([]);
}

/** Whether the last segment ends with a footer, as it does when it was closed. */
function endsWithFooter(dir: string): boolean {
  let found = false;
  patch(lastSegment(dir), (bytes) => {
    found = bytes.subarray(-64).readUInt32LE(0) === FOOTER_MAGIC;
    return undefined;
  });
  return found;
}

async function expectReopens(dir: string): Promise<Journal> {
  const again = await openJournal({ dir });
  expect(again.recovery.rows).toEqual(['sound']);
  await expectWhole(again, again.first);
  return again;
}

test('zeros are written ahead of small groups, and not onto records', async () => {
  const { journal, zeros } = await begun();
  const [step] = zeros.waiting;
  expect(step?.from).toBeGreaterThan(journal.status().queueBytes);
  zeros.release();
  await append(journal, 100);
  expect(zeros.written).toBeGreaterThan(1);
  await expectWhole(journal);
});

test('the writer does not wait for zeros before it gets there, and then it does', async () => {
  const { journal, dir, zeros } = await begun();
  const from = zeros.waiting[0]?.from ?? 0;
  const room = Math.floor((from - journal.status().queueBytes - 8 * KIB) / (64 * KIB));
  await append(journal, room);
  let done = false;
  const next = append(journal, 2).then(() => {
    done = true;
  });
  for (let turn = 0; turn < 20; turn++) await promises.stat(dir);
  expect(done).toBe(false);
  zeros.release();
  await next;
  await expectWhole(journal);
});

describe('with zeros under way,', () => {
  test('a segment that is full is sealed behind them', async () => {
    const { journal, dir, zeros } = await begun({ segmentBytes: MIB + 512 * KIB });
    const rolling = append(journal, 40);
    for (let turn = 0; turn < 20; turn++) await promises.stat(dir);
    zeros.release();
    await rolling;
    await expectWhole(journal);
    await journal.close();
    await expectReopens(dir);
  });

  test('a close waits for them, and the footer is at the end', async () => {
    const { journal, dir, zeros } = await begun();
    let closed = false;
    const closing = journal.close().then(() => {
      closed = true;
    });
    for (let turn = 0; turn < 20; turn++) await promises.stat(dir);
    expect(closed).toBe(false);
    zeros.release();
    await closing;
    expect(endsWithFooter(dir)).toBe(true);
    await expectReopens(dir);
  });

  test('a file that grows for records and for zeros at once is as long as the longer of both', async () => {
    const { journal, dir, zeros } = await open();
    await append(journal, 3);
    zeros.holdsAllocations = true;
    await append(journal, 2);
    expect(zeros.allocating).toHaveLength(1);
    const burst = Array.from({ length: 16 }, () => journal.append(payloadOf(journal.assigned + 1)));
    await expect.poll(() => zeros.allocating.length).toBe(2);
    zeros.allocating.shift()?.();
    await expect.poll(() => zeros.waiting.length).toBe(1);
    zeros.release();
    await Promise.all(burst);
    await append(journal, 3);
    await journal.close();
    expect(statSync(lastSegment(dir)).size).toBe(journal.status().diskBytes);
    expect(endsWithFooter(dir)).toBe(true);
    await expectReopens(dir);
  });

  test('a cut waits for them, and what is written after it stays', async () => {
    const { journal, dir, zeros } = await begun();
    const cutting = journal.truncateAfter(3);
    for (let turn = 0; turn < 20; turn++) await promises.stat(dir);
    zeros.release();
    await cutting;
    await append(journal, 30);
    await expectWhole(journal);
    await journal.close();
    await expectReopens(dir);
  });

  test('a reset waits for them', async () => {
    const { journal, dir, zeros } = await begun();
    const resetting = journal.reset(100, 7n);
    for (let turn = 0; turn < 20; turn++) await promises.stat(dir);
    zeros.release();
    await resetting;
    await append(journal, 30);
    await expectWhole(journal, 100);
    await journal.close();
    await expectReopens(dir);
  });

  test('a process that dies leaves records that are whole', async () => {
    const { journal, dir, zeros } = await begun();
    await append(journal, 4);
    const before = crashCopy(dir);
    zeros.release();
    await expect.poll(() => zeros.written).toBeGreaterThan(0);
    for (const copy of [before, crashCopy(dir)]) {
      const again = await openJournal({ dir: copy });
      expect(again.last).toBe(journal.last);
      await expectWhole(again);
    }
  });
});

describe('zeros that fail', () => {
  test('are no loss: the journal goes on without', async () => {
    const { journal, dir, zeros } = await begun();
    zeros.failing = 'zeros';
    zeros.release();
    await append(journal, 100);
    expect(zeros.written).toBe(0);
    expect(journal.status()).not.toHaveProperty('broken');
    await expectWhole(journal);
    await journal.close();
    await expectReopens(dir);
  });

  test('for want of space, in a file that has become longer: its footer is at its end', async () => {
    const { journal, dir, zeros } = await open();
    zeros.open = true;
    await append(journal, 3);
    zeros.failing = 'preallocate';
    await append(journal, 3);
    await journal.close();
    expect(statSync(lastSegment(dir)).size).toBe(journal.status().diskBytes);
    expect(endsWithFooter(dir)).toBe(true);
    await expectReopens(dir);
  });
});

test('a journal that breaks while zeros are under way closes behind them, and leaves no file', async () => {
  const { journal, dir, zeros } = await begun();
  const cursor = journal.cursor('peer');
  await cursor.advance(1);
  const files = readdirSync(join(dir, 'cursors'));
  expect(files).toHaveLength(1);
  zeros.failing = 'zeros';
  zeros.fs.writeDurable = async () => {
    throw Object.assign(new Error('EIO'), { code: 'EIO' });
  };
  await expect(append(journal, 1)).rejects.toMatchObject({ code: 'JOURNAL_BROKEN' });
  const closing = journal.close();
  zeros.release();
  await closing;
  const again = await openJournal({ dir });
  await expectWhole(again);
});
