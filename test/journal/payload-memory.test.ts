import { expect, test, vi } from 'vitest';
import type { Journal } from '../../src/journal/journal.js';
import { FaultyFileSystem } from './faults.js';
import { collect, newJournal, openJournal, SEGMENT_BYTES_MIN } from './harness.js';

/** Payloads whose memory goes away, and memory that cannot be had: one call is refused, and nothing else notices. */

const KIB = 1024;

function transferAway(bytes: Uint8Array): void {
  structuredClone(undefined, { transfer: [bytes.buffer as ArrayBuffer] });
}

/** Appends more, opens the journal again, and returns the first byte of each payload. */
async function afterwards(journal: Journal, dir: string): Promise<(number | undefined)[]> {
  const last = journal.last;
  expect(await Promise.all([journal.append(Buffer.alloc(50, 201)), journal.append(Buffer.alloc(50, 202))])).toEqual([
    last + 1,
    last + 2,
  ]);
  expect(journal.status()).not.toHaveProperty('broken');
  await journal.close();
  const again = await openJournal({ dir });
  expect((await again.scrub()).damage).toEqual([]);
  return (await collect(again.read(1))).map(({ payload }) => payload[0]);
}

test('memory that was transferred away is refused', async () => {
  const { journal, dir } = await newJournal();
  await journal.append(Buffer.alloc(50, 1));
  const gone = new Uint8Array(100);
  transferAway(gone);
  const refused = { code: 'INVALID_ARGUMENT' };
  await expect(journal.append(gone)).rejects.toMatchObject(refused);
  await expect(journal.append(Buffer.alloc(1), { key: gone })).rejects.toMatchObject(refused);
  await expect(journal.appendMany([Buffer.alloc(1), gone])).rejects.toMatchObject(refused);
  expect(journal.assigned).toBe(1);
  expect(await afterwards(journal, dir)).toEqual([1, 201, 202]);
});

test('memory that goes while its call waits is refused when its turn comes', async () => {
  const faulty = new FaultyFileSystem();
  const { journal, dir } = await newJournal({ fs: faulty.fs, pendingBytesMax: SEGMENT_BYTES_MIN });
  const release = faulty.holdNext('file.datasync');
  const full = journal.append(Buffer.alloc(100 * KIB, 1));
  const gone = new Uint8Array(100).fill(2);
  const list: Uint8Array[] = [Buffer.alloc(10, 3), Buffer.alloc(10, 4)];
  const [single, key, many, kept] = await Promise.all([
    ...[journal.append(gone), journal.append(Buffer.alloc(9), { key: gone }), journal.appendMany([gone, gone])].map(
      (call) => [call.catch((error: unknown) => error)],
    ),
    [journal.appendMany(list)],
  ]);
  transferAway(gone);
  // The array is the caller's again at once; its payloads are not.
  list.length = 0;
  release();
  await full;
  for (const call of [single, key, many]) expect(await call?.[0]).toMatchObject({ code: 'INVALID_ARGUMENT' });
  expect(await kept?.[0]).toBe(3);
  expect(await afterwards(journal, dir)).toEqual([1, 3, 4, 201, 202]);
});

test('where there is no memory, the call fails, and the next one goes where it would have gone', async () => {
  const { journal, dir } = await newJournal({ segmentBytes: 1024 * KIB });
  for (let index = 1; index <= 9; index++) await journal.append(Buffer.alloc(100 * KIB, index));
  const allocation = vi.spyOn(Buffer, 'allocUnsafeSlow').mockImplementation(() => {
    throw new RangeError('Array buffer allocation failed');
  });
  // It would have begun the next segment.
  const refused = await journal.append(Buffer.alloc(500 * KIB)).catch(String);
  allocation.mockRestore();
  expect(refused).toBe('RangeError: Array buffer allocation failed');
  expect(journal.assigned).toBe(9);
  expect(await afterwards(journal, dir)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 201, 202]);
});

test('what a reader was given cannot be transferred away from under the writer', async () => {
  const { journal, dir } = await newJournal();
  await journal.append(Buffer.alloc(50, 1));
  const [record] = await collect(journal.read(1));
  const next = journal.append(Buffer.alloc(300 * KIB, 2));
  const { buffer } = (record as { payload: Buffer }).payload;
  try {
    structuredClone(undefined, { transfer: [buffer as ArrayBuffer] });
  } catch {
    // Refused outright in later versions of Node; left out before.
  }
  expect(buffer.byteLength).toBeGreaterThan(0);
  await next;
  expect(await afterwards(journal, dir)).toEqual([1, 2, 201, 202]);
});
