import { appendFileSync, readFileSync } from 'node:fs';
import * as promises from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { DiskFullError, JournalBrokenError, LonghaulError } from '../../src/errors.js';
import { Journal, type JournalFileSystem } from '../../src/journal/journal.js';
import { type FaultCode, FaultyFileSystem } from './faults.js';
import {
  collect,
  contents,
  endOfRecords,
  lastSegment,
  newDirectory,
  openJournal,
  SEGMENT_BYTES_MIN,
} from './harness.js';

/** Appends enough for several segments, moves a cursor so that some are freed; tells what was acknowledged. */
async function work(
  dir: string,
  faulty: FaultyFileSystem,
): Promise<{ acknowledged: number; position: number; errors: unknown[] }> {
  const seen = { acknowledged: 0, position: 0, errors: [] as unknown[] };
  const note = (error: unknown) => {
    seen.errors.push(error);
  };
  let journal: Journal;
  try {
    journal = await Journal.open({ dir, segmentBytes: SEGMENT_BYTES_MIN, historyBytes: 0, fs: faulty.fs });
  } catch (error) {
    note(error);
    return seen;
  }
  try {
    const cursor = journal.cursor('peer');
    for (let round = 0; round < 4; round++) {
      const calls = [0, 1, 2].map(() => journal.append(payloadOf(journal.assigned + 1)));
      for (const result of await Promise.allSettled(calls)) {
        if (result.status === 'rejected') note(result.reason);
        else seen.acknowledged = result.value;
      }
      await cursor.advance(journal.last).catch(note);
      seen.position = cursor.position;
    }
    expect((await collect(journal.read(journal.first)).catch(note)) ?? []).toBeDefined();
  } catch (error) {
    note(error);
  } finally {
    await journal.close().catch(note);
  }
  return seen;
}

function payloadOf(sequence: number): Buffer {
  return Buffer.alloc(20_000, sequence);
}

/** Every call that the work makes without faults, by its number. */
async function callsWithoutFaults(): Promise<string[]> {
  const faulty = new FaultyFileSystem();
  const seen = await work(newDirectory(), faulty);
  expect(seen).toMatchObject({ acknowledged: 12, position: 12, errors: [] });
  return faulty.calls;
}

describe.each(['EIO', 'ENOSPC'] satisfies FaultCode[])('%s at each call', (code) => {
  test('loses nothing acknowledged, and a new open recovers', async () => {
    const calls = await callsWithoutFaults();
    expect(new Set(calls)).toContain('file.writev');
    for (const target of calls.keys()) {
      const dir = newDirectory();
      const faulty = new FaultyFileSystem((index) => index === target, code);
      const seen = await work(dir, faulty);
      const name = `call ${target}: ${faulty.calls[target]}`;
      expect(faulty.openFiles, name).toBe(0);
      for (const error of seen.errors) expect(error, name).toBeInstanceOf(LonghaulError);

      const journal = await openJournal({ dir });
      expect(journal.last, name).toBeGreaterThanOrEqual(seen.acknowledged);
      for (const { sequence, payload } of await collect(journal.read(journal.first))) {
        expect(payload.equals(payloadOf(sequence)), name).toBe(true);
      }
      const position = journal.cursors()[0]?.position ?? 0;
      expect(position, name).toBeGreaterThanOrEqual(seen.position);
      expect(position, name).toBeLessThanOrEqual(journal.last);
      expect(await journal.append(Buffer.from('after')), name).toBe(journal.last);
      await journal.close();
    }
  });
});

describe('a failed write or sync', () => {
  test.each([
    ['file.write', 'EIO', JournalBrokenError],
    ['file.datasync', 'EIO', JournalBrokenError],
    ['file.write', 'ENOSPC', DiskFullError],
    ['file.datasync', 'EDQUOT', DiskFullError],
  ] as const)('%s with %s breaks the journal for good', async (call, code, expected) => {
    const faulty = new FaultyFileSystem(undefined, code);
    const dir = newDirectory();
    const journal = await openJournal({ dir, fs: faulty.fs, pendingBytesMax: SEGMENT_BYTES_MIN });
    await journal.append(Buffer.from('safe'));
    const follower = collect(journal.read(1, { follow: true }));
    const ended = expect(follower).rejects.toBeInstanceOf(expected);
    faulty.failNext(call);
    const assigned = await journal.assign(Buffer.alloc(60_000));
    const waiters = [assigned.durable, journal.append(Buffer.alloc(60_000)), journal.append(Buffer.alloc(1))];
    for (const result of await Promise.allSettled(waiters)) {
      expect(result).toMatchObject({ status: 'rejected', reason: expect.any(expected) });
    }
    await ended;
    await expect(journal.append(Buffer.alloc(1))).rejects.toBeInstanceOf(JournalBrokenError);
    const later: unknown = await journal.append(Buffer.alloc(1)).catch((error: unknown) => error);
    expect(later).toMatchObject({
      code: 'JOURNAL_BROKEN',
      cause: { code: expected === DiskFullError ? 'DISK_FULL' : 'STORAGE_FAILED' },
    });
    await expect(journal.reset(1, 0n)).rejects.toBeInstanceOf(JournalBrokenError);
    expect(() => journal.cursor('peer')).toThrow(JournalBrokenError);
    expect(journal.status().broken).toContain(call === 'file.write' ? 'writing' : 'syncing');
    expect(await contents(journal)).toEqual(['safe']);
    expect(faulty.callsAfterFault.filter((name) => name.startsWith('file.write') || name === 'file.datasync')).toEqual(
      [],
    );
    await journal.close();
    expect((await openJournal({ dir })).last).toBeGreaterThanOrEqual(1);
  });

  test('an ignored `durable` raises nothing', async () => {
    const faulty = new FaultyFileSystem();
    const { append } = await openJournal({ dir: newDirectory(), fs: faulty.fs }).then((journal) => ({
      append: () => journal.assign(Buffer.from('a')),
    }));
    faulty.failNext('file.write');
    const { durable } = await append();
    // Vitest fails the run on an unhandled rejection; this waits until it would have been reported.
    await new Promise((resolve) => setImmediate(resolve));
    await expect(durable).rejects.toBeInstanceOf(JournalBrokenError);
  });

  test('a failed cursor write breaks the journal too', async () => {
    const faulty = new FaultyFileSystem();
    const journal = await openJournal({ dir: newDirectory(), fs: faulty.fs });
    await journal.append(Buffer.from('a'));
    const cursor = journal.cursor('peer');
    await cursor.advance(0);
    faulty.failNext('file.write');
    await expect(cursor.advance(1)).rejects.toBeInstanceOf(JournalBrokenError);
    await expect(journal.append(Buffer.from('b'))).rejects.toBeInstanceOf(JournalBrokenError);
    expect(cursor.position).toBe(0);
  });

  test('what was queued when something else broke the journal is not written any more', async () => {
    const faulty = new FaultyFileSystem();
    const dir = newDirectory();
    const journal = await openJournal({ dir, fs: faulty.fs });
    await journal.append(Buffer.from('a'));
    const cursor = journal.cursor('peer');
    await cursor.advance(0);
    // The write of the cursor fails while the first group is being synced and the next one has taken its record.
    const release = faulty.holdNext('file.datasync');
    const first = journal.append(Buffer.from('b'));
    await expect.poll(() => faulty.holding).toBe(true);
    const behind = journal.append(Buffer.from('c'));
    faulty.failNext('file.write');
    const results = Promise.allSettled([cursor.advance(1), first, behind]);
    expect((await results).map((result) => result.status)).toEqual(['rejected', 'rejected', 'rejected']);
    release();
    await journal.close();
    expect((await openJournal({ dir })).last).toBeLessThanOrEqual(2);
  });
});

test('a failure at each call of a recovery leaves what the next open needs', async () => {
  for (let target = 0, done = false; !done; target++) {
    const dir = newDirectory();
    const journal = await openJournal({ dir });
    for (const part of [1, 2, 3]) await journal.append(payloadOf(part));
    await journal.cursor('peer').advance(2);
    await journal.close();
    const path = lastSegment(dir);
    appendFileSync(path, Buffer.alloc(5000, 1));
    const tail = readFileSync(path).subarray(endOfRecords(path));

    const faulty = new FaultyFileSystem((index) => index === target);
    const attempt = await openJournal({ dir, fs: faulty.fs }).catch((error: unknown) => error);
    done = attempt instanceof Journal;
    if (attempt instanceof Journal) await attempt.close();
    else expect(attempt).toBeInstanceOf(LonghaulError);
    const name = `call ${target}: ${faulty.calls[target]}`;
    expect(faulty.openFiles, name).toBe(0);

    const again = await openJournal({ dir });
    expect(again.last, name).toBe(3);
    expect(again.cursor('peer').position, name).toBe(2);
    expect(readFileSync(`${path}.${endOfRecords(path)}.tail`).equals(tail), name).toBe(true);
    await again.close();
  }
});

test('short writes and reads are carried on', async () => {
  const dir = newDirectory();
  const short: JournalFileSystem = {
    ...promises,
    open: async (...args) => {
      const handle = await promises.open(...args);
      const { read, write } = handle;
      const shorter =
        (call: unknown, bytesMax: number) => (buffer: Buffer, at: number, length: number, place: number) =>
          Reflect.apply(call as typeof write, handle, [buffer, at, Math.min(length, bytesMax), place]);
      const writev = (buffers: Buffer[], place: number) => {
        const bytes = Buffer.concat(buffers).subarray(0, 9000);
        return Reflect.apply(write, handle, [bytes, 0, bytes.length, place]);
      };
      return Object.assign(handle, { read: shorter(read, 7000), write: shorter(write, 5000), writev });
    },
  };
  const journal = await openJournal({ dir, fs: short });
  const large = Buffer.from(Array.from({ length: 40_000 }, (_, index) => index % 251));
  await journal.appendMany([large, Buffer.from('small'), large]);
  const payloads = (await collect(journal.read(1))).map((record) => record.payload);
  expect(payloads.map((payload) => payload.equals(large))).toEqual([true, false, true]);
  await journal.close();
  expect((await openJournal({ dir })).last).toBe(3);
});
