import { readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { checksum64 } from '../../src/engine/checksum.js';
import { CURSOR_SLOT_STRIDE } from '../../src/journal/cursor-format.js';
import { RECORD_HEADER_BYTES, SEGMENT } from '../../src/journal/format.js';
import {
  collect,
  contents,
  flipBit,
  lastSegment,
  newDirectory,
  newJournal,
  openJournal,
  patch,
  RECORD_FIELDS,
  recordsOf,
  SEGMENT_FIELDS,
  segmentFiles,
  VOLUME,
} from './harness.js';

/**
 * Append, damage, open, append, read. Each case is one named damage to a journal of ten records, of which the last
 * group holds 9 and 10: what comes before is proved durable, those two are not.
 */

const PAYLOADS = Array.from({ length: 10 }, (_, index) => `payload of record ${index + 1}`);

async function sample(o: { cursorAt?: number } = {}): Promise<string> {
  const { journal, dir } = await newJournal({ volume: VOLUME });
  for (const text of PAYLOADS.slice(0, 8)) await journal.append(Buffer.from(text), { key: 'key', offset: 5 });
  await journal.appendMany(
    PAYLOADS.slice(8).map((text) => Buffer.from(text)),
    { key: 'key', offset: 5 },
  );
  if (o.cursorAt !== undefined) await journal.cursor('peer').advance(o.cursorAt);
  await journal.close();
  return dir;
}

/** Where a record of the sample starts, and its parts. */
function place(
  dir: string,
  sequence: number,
): { path: string; start: number; key: number; payload: number; end: number } {
  const path = lastSegment(dir);
  const record = recordsOf(path)[sequence - 1];
  if (record === undefined) throw new Error(`no record ${sequence}`);
  const key = record.offset + RECORD_HEADER_BYTES;
  return { path, start: record.offset, key, payload: key + record.keyLength, end: record.offset + record.bytes };
}

type Damage = (dir: string) => void;

const at = (sequence: number, part: 'start' | 'key' | 'payload', by = 0): Damage => {
  return (dir) => {
    const found = place(dir, sequence);
    flipBit(found.path, found[part] + by);
  };
};
const cutAt = (sequence: number, by: number): Damage => {
  return (dir) => {
    const found = place(dir, sequence);
    truncateSync(found.path, found.start + by);
  };
};
const appendBytes = (bytes: Buffer): Damage => {
  return (dir) => patch(lastSegment(dir), (old) => Buffer.concat([old, bytes]));
};
const zero = (sequence: number, length: number): Damage => {
  return (dir) => {
    const found = place(dir, sequence);
    patch(found.path, (bytes) => {
      bytes.fill(0, found.start, Math.min(found.start + length, bytes.length));
      return undefined;
    });
  };
};

/** Damage to records that nothing proves durable, with the number of records that survive. */
const torn: [string, Damage, number][] = [
  ['the last record is cut short', cutAt(10, RECORD_HEADER_BYTES + 10), 9],
  ['the header of the last record is cut short', cutAt(10, 20), 9],
  ['the file ends after a few bytes of a header', cutAt(10, 3), 9],
  ['the last group is cut in its first record', cutAt(9, RECORD_HEADER_BYTES), 8],
  ['the last record is zeros', zero(10, 4096), 9],
  ['the last group is zeros', zero(9, 4096), 8],
  ['the first record of the last group is zeros, the second is sound', zero(9, 112), 8],
  ['garbage follows the tail', appendBytes(Buffer.alloc(999, 0xa5)), 10],
  ['zeros follow the tail', appendBytes(Buffer.alloc(8192)), 10],
  ['one byte follows the tail', appendBytes(Buffer.alloc(1)), 10],
  ['a bit of the last payload flips', at(10, 'payload'), 9],
  ['a bit of the last key flips', at(10, 'key'), 9],
  ...RECORD_FIELDS.map(([field, offset]): [string, Damage, number] => [
    `a bit of the last record's ${field} flips`,
    at(10, 'start', offset),
    9,
  ]),
];

describe('a torn tail is cut and kept aside:', () => {
  test.each(torn)('%s', async (_, damage, survivors) => {
    const dir = await sample();
    damage(dir);
    const damaged = readFileSync(lastSegment(dir));
    const journal = await openJournal({ dir });
    expect(journal.last).toBe(survivors);
    expect(journal.recovery.rows).toEqual(['torn tail']);
    expect(await contents(journal)).toEqual(PAYLOADS.slice(0, survivors));

    const [tail] = journal.recovery.tails;
    const end = readFileSync(lastSegment(dir)).length;
    expect(tail).toBe(`${lastSegment(dir)}.${end}.tail`);
    expect(readFileSync(tail ?? '').equals(damaged.subarray(end))).toBe(true);

    expect(await journal.append(Buffer.from('after'))).toBe(survivors + 1);
    await journal.close();
    const again = await openJournal({ dir });
    expect(again.recovery).toMatchObject({ rows: ['sound'], tails: [] });
    expect(await contents(again)).toEqual([...PAYLOADS.slice(0, survivors), 'after']);
  });
});

/** Damage to records that something proves durable: the range that is reported, and where. */
const damaged: [string, Damage, number, number][] = [
  ...RECORD_FIELDS.map(([field, offset]): [string, Damage, number, number] => [
    `a bit of an inner record's ${field} flips`,
    at(4, 'start', offset),
    4,
    4,
  ]),
  ['a bit of an inner payload flips', at(4, 'payload'), 4, 4],
  ['a bit of an inner key flips', at(4, 'key'), 4, 4],
  ['the last proved record is damaged', at(8, 'payload'), 8, 8],
  ['a sector of inner records is zeros', zero(3, 512), 3, 7],
];

describe('damage to durable records is reported, and nothing is changed:', () => {
  test.each(damaged)('%s', async (_, damage, fromSequence, toSequence) => {
    const dir = await sample();
    const segment = lastSegment(dir);
    const offset = place(dir, fromSequence).start;
    damage(dir);
    const before = readFileSync(segment);
    const expected = { code: 'JOURNAL_DAMAGED', segment, offset, fromSequence, toSequence };
    await expect(openJournal({ dir })).rejects.toMatchObject(expected);
    await expect(openJournal({ dir })).rejects.toMatchObject(expected);
    expect(readFileSync(segment).equals(before)).toBe(true);
  });

  test('a cursor proves what it has passed', async () => {
    const dir = await sample({ cursorAt: 10 });
    const found = place(dir, 10);
    truncateSync(found.path, found.start);
    const lost = { code: 'JOURNAL_DAMAGED', fromSequence: 10, toSequence: 10, offset: found.start };
    await expect(openJournal({ dir })).rejects.toMatchObject(lost);
    writeFileSync(found.path, Buffer.concat([readFileSync(found.path), Buffer.alloc(100, 1)]));
    await expect(openJournal({ dir })).rejects.toMatchObject(lost);
    rmSync(found.path);
    await expect(openJournal({ dir })).rejects.toMatchObject({ fromSequence: 1, toSequence: 10, segment: dir });
  });

  test("with durability 'none' a cursor proves nothing, and moves back to the tail", async () => {
    const dir = await sample({ cursorAt: 10 });
    const found = place(dir, 10);
    truncateSync(found.path, found.start);
    const journal = await openJournal({ dir, durability: 'none' });
    expect(journal.last).toBe(9);
    expect(journal.cursor('peer').position).toBe(9);
    await journal.append(Buffer.from('again'));
    await journal.cursor('peer').advance(10);
    expect(journal.cursor('peer').chain).toBe(journal.lastChain);
  });
});

/** Six segments of one large record each; record 7 lies in the seventh, small and last. */
async function segmented(): Promise<{ dir: string; files: string[] }> {
  const { journal, dir } = await newJournal({ volume: VOLUME });
  for (let index = 0; index < 6; index++) await journal.append(Buffer.alloc(60_000, index));
  await journal.append(Buffer.alloc(10_000));
  await journal.close();
  const files = segmentFiles(dir);
  expect(files).toHaveLength(7);
  return { dir, files };
}

const file = (files: string[], index: number): string => files[index] ?? '';

describe('full segments', () => {
  test('a missing one is damage', async () => {
    const { dir, files } = await segmented();
    rmSync(file(files, 2));
    await expect(openJournal({ dir })).rejects.toMatchObject({
      code: 'JOURNAL_DAMAGED',
      segment: file(files, 3),
      fromSequence: 3,
      toSequence: 3,
    });
  });

  test('the oldest may be gone', async () => {
    const { dir, files } = await segmented();
    const whole = await openJournal({ dir });
    const chain = (await collect(whole.read(1)))[0]?.chain;
    await whole.close();
    rmSync(file(files, 0));
    const journal = await openJournal({ dir });
    expect([journal.first, journal.last]).toEqual([2, 7]);
    await expect(collect(journal.read(1))).rejects.toMatchObject({
      code: 'SEQUENCE_GONE',
      sequence: 1,
      first: 2,
      last: 7,
    });
    expect(await journal.chainAt(1)).toBe(chain);
    expect(await journal.chainAt(0)).toBe(0n);
  });

  test.each(SEGMENT_FIELDS)('a flipped bit of the %s in the header is damage', async (_, offset) => {
    const { dir, files } = await segmented();
    flipBit(file(files, 2), offset);
    await expect(openJournal({ dir })).rejects.toMatchObject({
      code: 'JOURNAL_DAMAGED',
      segment: file(files, 2),
      offset: 0,
      fromSequence: 3,
      toSequence: 3,
    });
  });

  test('a bad record is reported when it is read, and the ones before are served', async () => {
    const { dir, files } = await segmented();
    flipBit(file(files, 3), 30_000);
    const journal = await openJournal({ dir });
    const seen: number[] = [];
    const read = async () => {
      for await (const record of journal.read(1)) seen.push(record.sequence);
    };
    await expect(read()).rejects.toMatchObject({ code: 'JOURNAL_DAMAGED', segment: file(files, 3), fromSequence: 4 });
    expect(seen).toEqual([1, 2, 3]);
    expect(await collect(journal.read(5))).toHaveLength(3);
  });

  test.each([0, 64, 100, 30_000])(
    'one that is cut to %i bytes is reported, at the latest when it is read',
    async (bytes) => {
      const { dir, files } = await segmented();
      truncateSync(file(files, 3), bytes);
      const attempt = async () => collect((await openJournal({ dir })).read(1));
      await expect(attempt()).rejects.toMatchObject({
        code: 'JOURNAL_DAMAGED',
        segment: file(files, 3),
        fromSequence: 4,
        toSequence: 4,
      });
    },
  );

  test('one that vanishes while the journal is open is reported', async () => {
    const { dir, files } = await segmented();
    const journal = await openJournal({ dir });
    rmSync(file(files, 3));
    await expect(collect(journal.read(4))).rejects.toMatchObject({
      code: 'JOURNAL_DAMAGED',
      found: 'the file is gone',
    });
  });
});

describe('the last segment', () => {
  test.each(SEGMENT_FIELDS)('a flipped bit of the %s in the header is damage', async (_, offset) => {
    const { dir, files } = await segmented();
    flipBit(file(files, 6), offset);
    await expect(openJournal({ dir })).rejects.toMatchObject({
      code: 'JOURNAL_DAMAGED',
      segment: file(files, 6),
      offset: 0,
    });
  });

  test.each([0, 1, 63])('one of %i bytes was just being made, and is made again', async (bytes) => {
    const { dir, files } = await segmented();
    truncateSync(file(files, 6), bytes);
    const journal = await openJournal({ dir });
    expect(journal.recovery.rows).toEqual(['last segment was just being made', 'sound']);
    expect(journal.last).toBe(6);
    expect(await journal.append(Buffer.alloc(10_000, 9))).toBe(7);
    expect((await collect(journal.read(7)))[0]?.payload[0]).toBe(9);
    expect(segmentFiles(dir)).toEqual(files);
  });

  test('one with a zeroed header and nothing behind it too', async () => {
    const { dir, files } = await segmented();
    writeFileSync(file(files, 6), Buffer.alloc(64));
    expect((await openJournal({ dir })).last).toBe(6);
  });

  test('the existence of a segment proves the records before it', async () => {
    const { dir, files } = await segmented();
    truncateSync(file(files, 6), 10);
    truncateSync(file(files, 5), 30_000);
    await expect(openJournal({ dir })).rejects.toMatchObject({
      code: 'JOURNAL_DAMAGED',
      fromSequence: 6,
      toSequence: 6,
    });
  });

  test('only the newest tails stay', async () => {
    const dir = await sample();
    for (let round = 0; round < 12; round++) {
      appendBytes(Buffer.alloc(10, 1))(dir);
      const journal = await openJournal({ dir });
      await journal.append(Buffer.from(`round ${round}`));
      await journal.close();
    }
    expect(readdirSync(dir).filter((name) => name.endsWith('.tail'))).toHaveLength(8);
  });
});

describe('what is not ours', () => {
  /** Gives a segment header another value and a checksum to match. */
  function forge(path: string, change: (bytes: Buffer) => void): void {
    patch(path, (bytes) => {
      change(bytes);
      bytes.writeBigUInt64LE(checksum64(bytes.subarray(0, SEGMENT.checksum)), SEGMENT.checksum);
      return undefined;
    });
  }

  test.each([2, 6])('a segment of another volume, number %i', async (index) => {
    const { dir, files } = await segmented();
    forge(file(files, index), (bytes) => bytes.fill(0xee, SEGMENT.volume, SEGMENT.first));
    await expect(openJournal({ dir })).rejects.toMatchObject({ code: 'STATE_DAMAGED', path: file(files, index) });
  });

  test.each([2, 6])('a segment of a later release, number %i', async (index) => {
    const { dir, files } = await segmented();
    forge(file(files, index), (bytes) => bytes.writeUInt32LE(2, SEGMENT.version));
    await expect(openJournal({ dir })).rejects.toMatchObject({
      code: 'FORMAT_VERSION',
      path: file(files, index),
      found: 2,
      supported: 1,
    });
  });

  test('a journal of another volume than the one asked for', async () => {
    const { dir } = await segmented();
    await expect(openJournal({ dir, volume: 'f'.repeat(32) })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      argument: 'volume',
    });
    expect((await openJournal({ dir, volume: VOLUME })).volume).toBe(VOLUME);
  });

  test('a whole journal stored as a payload proves nothing', async () => {
    const inner = readFileSync(lastSegment(await sample()));
    const { journal, dir } = await newJournal({ volume: VOLUME });
    await journal.appendMany([Buffer.from('first'), inner, inner.subarray(40), Buffer.from('last')]);
    await journal.close();
    flipBit(lastSegment(dir), 64 + 80);
    expect((await openJournal({ dir })).last).toBe(0);
  });

  test('a segment under the name of another', async () => {
    const { dir, files } = await segmented();
    writeFileSync(file(files, 6), readFileSync(file(files, 5)));
    await expect(openJournal({ dir })).rejects.toMatchObject({ code: 'JOURNAL_DAMAGED', segment: file(files, 6) });
  });
});

describe('cursors', () => {
  const path = (dir: string) => join(dir, 'cursors', 'peer.cursor');

  async function moved(): Promise<string> {
    const dir = await sample();
    const journal = await openJournal({ dir });
    const cursor = journal.cursor('peer');
    await cursor.advance(3);
    await cursor.advance(5);
    await journal.close();
    return dir;
  }

  // Counter 0 is the creation, so that the newest slot, counter 2, is the first in the file.
  test.each([
    ['the newest', 0, 3],
    ['the older', CURSOR_SLOT_STRIDE, 5],
  ])('%s slot is torn: the other counts', async (_, offset, position) => {
    const dir = await moved();
    flipBit(path(dir), offset + 20);
    const journal = await openJournal({ dir });
    expect(journal.cursor('peer').position).toBe(position);
    await journal.cursor('peer').advance(7);
    await journal.close();
    expect((await openJournal({ dir })).cursor('peer').position).toBe(7);
  });

  test('both slots are torn', async () => {
    const dir = await moved();
    flipBit(path(dir), 20);
    flipBit(path(dir), CURSOR_SLOT_STRIDE + 20);
    await expect(openJournal({ dir })).rejects.toMatchObject({ code: 'STATE_DAMAGED', path: path(dir) });
  });

  test('a slot of a later release', async () => {
    const dir = await moved();
    patch(path(dir), (bytes) => {
      bytes.writeUInt32LE(9, 4);
      bytes.writeBigUInt64LE(checksum64(bytes.subarray(0, 32)), 32);
      return undefined;
    });
    await expect(openJournal({ dir })).rejects.toMatchObject({ code: 'FORMAT_VERSION', found: 9 });
  });

  test('one that was never finished is cleared away', async () => {
    const dir = await moved();
    writeFileSync(join(dir, 'cursors', 'other.cursor.tmp'), 'half');
    const journal = await openJournal({ dir });
    expect(journal.cursors().map((cursor) => cursor.name)).toEqual(['peer']);
    expect(readdirSync(join(dir, 'cursors'))).toEqual(['peer.cursor']);
  });
});

test('leftovers of an interrupted tail are overwritten', async () => {
  const dir = await sample();
  const tail = `${lastSegment(dir)}.${place(dir, 10).start}.tail`;
  writeFileSync(`${tail}.tmp`, 'half');
  cutAt(10, 20)(dir);
  const journal = await openJournal({ dir });
  expect(journal.recovery.tails).toEqual([tail]);
  expect(readdirSync(dir).filter((name) => name.endsWith('.tmp'))).toEqual([]);
});

test('an empty directory and one that is missing become new journals', async () => {
  const dir = newDirectory();
  const journal = await openJournal({ dir: join(dir, 'a', 'b') });
  expect(journal.recovery.rows).toEqual(['new journal']);
  expect(journal.volume).toMatch(/^[0-9a-f]{32}$/);
});
