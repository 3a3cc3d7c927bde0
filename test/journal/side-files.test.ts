import {
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { SIDE_CONTENT_BYTES_MAX, SIDE_HEADER_BYTES, sidePath } from '../../src/journal/format/side-format.js';
import { Journal, type JournalFileSystem, type JournalOptions } from '../../src/journal/journal.js';
import { randomFor } from '../support/seed.js';
import { FaultyFileSystem } from './faults.js';
import {
  collect,
  crashCopy,
  fileBytes,
  flipBit,
  newDirectory,
  newJournal,
  openJournal,
  recordsOf,
  SEGMENT_BYTES_MIN,
  segmentFiles,
  snapshot,
  VOLUME,
} from './harness.js';
import { readSides, straySides, writeSides } from './side-content.js';

const RECORD_BYTES = 25_000;

/** Two records a segment; the last segment has one or two and is not full. */
async function sample(records: number, o: Partial<JournalOptions> = {}) {
  const opened = await newJournal({ volume: VOLUME, ...o });
  for (let index = 0; index < records; index++) await opened.journal.append(Buffer.alloc(RECORD_BYTES, index));
  return opened;
}

const namesOf = (dir: string) => readdirSync(dir).filter((name) => name.includes('.idx'));
const sides = (journal: Journal) => readSides(journal).then((found) => Object.fromEntries(found));

describe('what is kept beside a full segment', () => {
  test('is read again, after the next open too, and can be replaced', async () => {
    const { journal, dir } = await sample(6);
    expect(journal.sealedSegments()).toEqual([
      { first: 1, last: 2 },
      { first: 3, last: 4 },
    ]);
    const content = Buffer.from('what I know of it');
    expect(await journal.readSide(3)).toBeUndefined();
    expect(await journal.writeSide(3, content)).toBe(true);
    expect(await journal.readSide(3)).toEqual(content);
    expect(await journal.readSide(1)).toBeUndefined();
    await journal.close();
    const again = await openJournal({ dir });
    expect(await again.readSide(3)).toEqual(content);
    expect(await again.writeSide(3, new Uint8Array(0))).toBe(true);
    expect(await again.readSide(3)).toEqual(Buffer.alloc(0));
    expect(namesOf(dir)).toEqual(['0000000000000003.log.idx']);
  });

  test('the last of several writes under way stays, and each of them counts', async () => {
    const { journal, dir } = await sample(3);
    const writes = Array.from({ length: 5 }, (_, index) => journal.writeSide(1, Buffer.alloc(90_000, index)));
    expect(await Promise.all(writes)).toEqual([true, true, true, true, true]);
    expect(await journal.readSide(1)).toEqual(Buffer.alloc(90_000, 4));
    expect(namesOf(dir)).toHaveLength(1);
  });

  test('is no part of what the journal says it takes, and its records are not touched', async () => {
    const { journal, dir } = await sample(6);
    const before = { ...journal.status(), scrub: undefined, cursors: [] };
    await writeSides(journal);
    expect({ ...journal.status(), scrub: undefined, cursors: [] }).toEqual(before);
    expect(journal.status().diskBytes).toBe(fileBytes(dir));
    expect((await collect(journal.read(1))).map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4, 5, 6]);
  });

  test('goes with its segment', async () => {
    const { journal, dir } = await sample(10, { historyBytes: 0 });
    expect(await writeSides(journal)).toBe(4);
    await journal.cursor('peer').advance(5);
    await expect.poll(() => namesOf(dir)).toEqual(['0000000000000005.log.idx', '0000000000000007.log.idx']);
    expect(await sides(journal)).toEqual({ 5: true, 7: true });
    expect([await journal.readSide(1), await journal.writeSide(1, Buffer.from('late'))]).toEqual([undefined, false]);
    await journal.cursor('peer').advance(10);
    await expect.poll(() => namesOf(dir)).toEqual([]);
  });

  test('goes with its segment when it is just being written', async () => {
    const faulty = new FaultyFileSystem();
    const { journal, dir } = await sample(5, { historyBytes: 0, fs: faulty.fs });
    const cursor = journal.cursor('peer');
    await cursor.advance(0);
    const release = faulty.holdNext('rename');
    const writing = journal.writeSide(1, Buffer.alloc(100));
    await expect.poll(() => faulty.holding).toBe(true);
    await cursor.advance(5);
    const left = journal.sealedSegments();
    release();
    expect(left).toEqual([{ first: 3, last: 4 }]);
    expect(await writing).toBe(true);
    await expect.poll(() => segmentFiles(dir).length).toBe(1);
    expect(namesOf(dir)).toEqual([]);
  });
});

describe('nothing is kept', () => {
  test('for a segment that is not full, for one that there is not, and for a record within one', async () => {
    const { journal, dir } = await sample(6);
    for (const first of [2, 5, 6, 7, 1000]) {
      expect(await journal.writeSide(first, Buffer.from('x')), `${first}`).toBe(false);
      expect(await journal.readSide(first), `${first}`).toBeUndefined();
    }
    expect(namesOf(dir)).toEqual([]);
  });

  test('of more than the bound', async () => {
    const { journal, dir } = await sample(3);
    expect(await journal.writeSide(1, new Uint8Array(SIDE_CONTENT_BYTES_MAX + 1))).toBe(false);
    expect(await journal.writeSide(1, new Uint8Array(1))).toBe(true);
    truncateSync(join(dir, namesOf(dir)[0] ?? ''), SIDE_CONTENT_BYTES_MAX + SIDE_HEADER_BYTES + 1);
    expect(await journal.readSide(1)).toBeUndefined();
  });

  test('by a journal that is closed', async () => {
    const { journal, dir } = await sample(3);
    const writing = journal.writeSide(1, Buffer.alloc(1000, 1));
    await journal.close();
    expect(await writing).toBe(namesOf(dir).length === 1);
    expect([await journal.writeSide(1, Buffer.alloc(5)), await journal.readSide(1)]).toEqual([false, undefined]);
  });

  test('where the disk would have less left than its reserve and a segment', async () => {
    let freeBytes = 0;
    const statfs = async () => ({ bavail: freeBytes, bsize: 1 });
    const fs = new Proxy(new FaultyFileSystem().fs, {
      get: (target, name) => (name === 'statfs' ? statfs : Reflect.get(target, name)),
    }) as JournalFileSystem;
    const { journal, dir } = await sample(5, { fs });
    freeBytes = SEGMENT_BYTES_MIN + SIDE_HEADER_BYTES + 99;
    expect(await journal.writeSide(1, Buffer.alloc(100))).toBe(false);
    expect(namesOf(dir)).toEqual([]);
    freeBytes++;
    expect(await journal.writeSide(1, Buffer.alloc(100))).toBe(true);
    await journal.close();
    const reserving = await openJournal({ dir, fs, diskReserveBytes: 1000 });
    expect(await reserving.writeSide(3, Buffer.alloc(100))).toBe(false);
    freeBytes += 1000;
    expect(await reserving.writeSide(3, Buffer.alloc(100))).toBe(true);
  });

  test('that is no memory', async () => {
    const { journal } = await sample(3);
    await expect(journal.writeSide(1, 'text' as never)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(journal.writeSide(0, Buffer.alloc(1))).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(journal.readSide(1.5)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });
});

describe('nothing else is taken for it:', () => {
  async function written() {
    const { journal, dir } = await sample(8);
    await writeSides(journal);
    return { journal, dir, path: (first: number) => sidePath(join(dir, `${first}`.padStart(16, '0')).concat('.log')) };
  }

  test('a file with any one bit changed in its header, or one in its content', async () => {
    const { journal, path } = await written();
    const { size } = statSync(path(3));
    const random = randomFor(41);
    const bits = [
      ...Array.from({ length: SIDE_HEADER_BYTES * 8 }, (_, bit) => bit),
      ...Array.from({ length: 50 }, () => random.below(size * 8)),
    ];
    for (const bit of bits) {
      flipBit(path(3), bit >> 3, bit & 7);
      expect(await journal.readSide(3), `bit ${bit}, seed ${random.seed}`).toBeUndefined();
      flipBit(path(3), bit >> 3, bit & 7);
    }
    expect(await sides(journal)).toEqual({ 1: true, 3: true, 5: true });
  });

  test('a file that is shorter or longer', async () => {
    const { journal, path } = await written();
    const whole = readFileSync(path(3));
    for (const bytes of [0, 1, 7, SIDE_HEADER_BYTES - 1, SIDE_HEADER_BYTES, whole.length - 1]) {
      writeFileSync(path(3), whole.subarray(0, bytes));
      expect(await journal.readSide(3), `${bytes} bytes`).toBeUndefined();
    }
    writeFileSync(path(3), Buffer.concat([whole, Buffer.alloc(1)]));
    expect(await journal.readSide(3)).toBeUndefined();
    writeFileSync(path(3), Buffer.alloc(whole.length));
    expect(await journal.readSide(3)).toBeUndefined();
    writeFileSync(path(3), whole);
    expect(await journal.readSide(3)).toBeDefined();
  });

  test('that of another segment, and that of another journal with the same records', async () => {
    const { journal, path } = await written();
    copyFileSync(path(1), path(3));
    expect(await journal.readSide(3)).toBeUndefined();
    const twin = await written();
    expect(twin.journal.lastChain).toBe(journal.lastChain);
    copyFileSync(twin.path(5), path(5));
    expect(await journal.readSide(5)).toBeUndefined();
    // What cannot be used is written anew.
    await writeSides(journal);
    expect(await sides(journal)).toEqual({ 1: true, 3: true, 5: true });
  });

  test('one of the same segment, when that goes on after it was full', async () => {
    const { journal, dir, path } = await written();
    await journal.close();
    const kept = readFileSync(path(5));
    // As if the machine had stopped while the next segment was made: the one before it is written to again.
    truncateSync(segmentFiles(dir).at(-1) ?? '', 10);
    const again = await openJournal({ dir });
    expect(again.recovery.rows).toContain('last segment was just being made');
    expect(namesOf(dir)).toHaveLength(2);
    for (const bytes of [3000, RECORD_BYTES]) await again.append(Buffer.alloc(bytes));
    expect(again.sealedSegments().at(-1)).toEqual({ first: 5, last: 7 });
    writeFileSync(path(5), kept);
    expect(await again.readSide(5)).toBeUndefined();
  });
});

describe('a reset, a cut, a repair', () => {
  test('a reset takes all, also when the numbers are the same', async () => {
    const { journal, dir } = await sample(6);
    await writeSides(journal);
    const kept = readFileSync(join(dir, '0000000000000001.log.idx'));
    await journal.reset(1, 0n);
    expect(namesOf(dir)).toEqual([]);
    for (let index = 0; index < 6; index++) await journal.append(Buffer.alloc(RECORD_BYTES, index));
    expect(await sides(journal)).toEqual({ 1: false, 3: false });
    writeFileSync(join(dir, '0000000000000001.log.idx'), kept);
    expect(await journal.readSide(1)).toBeUndefined();
    expect(await writeSides(journal)).toBe(2);
    expect(await sides(journal)).toEqual({ 1: true, 3: true });
  });

  test.each([
    [8, ['1', '3', '5']],
    [6, ['1', '3', '5']],
    [5, ['1', '3']],
    [4, ['1', '3']],
    [3, ['1']],
    [0, []],
  ])('a cut behind record %i leaves those of segments that stay as they are', async (sequence, left) => {
    const { journal, dir } = await sample(8);
    await writeSides(journal);
    const kept = new Map(namesOf(dir).map((name) => [name, readFileSync(join(dir, name))]));
    await journal.truncateAfter(sequence);
    expect(namesOf(dir)).toEqual(left.map((first) => `${first.padStart(16, '0')}.log.idx`));
    for (let next = sequence + 1; next <= 8; next++) await journal.append(Buffer.alloc(RECORD_BYTES, next - 1));
    // The same content, the same numbers, and in another file.
    for (const [name, bytes] of kept) writeFileSync(join(dir, name), bytes);
    const found = await sides(journal);
    expect(Object.keys(found).filter((first) => found[first])).toEqual(left);
    await journal.close();
    expect(await sides(await openJournal({ dir }))).toEqual(found);
  });

  test('a write that meets one is not kept, or is of what is there then', async () => {
    const { journal, dir } = await sample(8);
    const work = [writeSides(journal), journal.truncateAfter(5), writeSides(journal), journal.reset(1, 9n)];
    await Promise.all(work);
    expect(await sides(journal)).toEqual({});
    expect(namesOf(dir)).toEqual([]);
  });

  test('a repair removes those of the segments that it makes anew', async () => {
    const { journal, dir } = await sample(8);
    await writeSides(journal);
    const records = await collect(journal.read(1));
    await journal.close();
    const [, damaged = ''] = segmentFiles(dir);
    flipBit(damaged, (recordsOf(damaged)[0]?.offset ?? 0) + 100);
    const kept = readFileSync(sidePath(damaged));
    await Journal.repair({
      dir,
      from: 3,
      to: 4,
      async *source(from, to) {
        yield* records.slice(from - 1, to);
      },
    });
    expect(namesOf(dir)).toEqual(['0000000000000001.log.idx', '0000000000000005.log.idx']);
    writeFileSync(sidePath(damaged), kept);
    expect(await sides(await openJournal({ dir }))).toEqual({ 1: true, 3: false, 5: true });
  });
});

describe('an open', () => {
  const STRAYS = [
    '0000000000000002.log.idx',
    '0000000000000007.log.idx',
    '00000000000000ff.log.idx',
    '0000000000000001.log.idx.tmp',
    '00000000000000ff.log.idx.tmp',
  ];
  const OTHERS = ['1.log.idx', '000000000000000G.log.idx', 'x.idx', '0000000000000001.log.idx.old', '.idx'];

  async function littered(): Promise<string> {
    const { journal, dir } = await sample(8);
    await writeSides(journal);
    await journal.close();
    for (const name of [...STRAYS, ...OTHERS]) writeFileSync(join(dir, name), 'what is left');
    return dir;
  }

  test('removes those that no full segment has and those that were never finished, and nothing else', async () => {
    const dir = await littered();
    const journal = await openJournal({ dir });
    expect(await sides(journal)).toEqual({ 1: true, 3: true, 5: true });
    expect(journal.recovery.rows).toEqual(['sound']);
    const left = namesOf(dir);
    expect(left).toHaveLength(3 + OTHERS.length);
    expect(left).toEqual(expect.arrayContaining(OTHERS));
    expect(straySides(journal, left).sort()).toEqual([...OTHERS].sort());
  });

  test('that only reads touches nothing', async () => {
    const dir = await littered();
    const before = snapshot(dir);
    const reading = await Journal.openReadOnly({ dir });
    expect((await collect(reading.read(1))).length).toBe(8);
    await reading.close();
    expect(snapshot(dir)).toEqual(before);
  });

  test('of a new journal finds none of an old one', async () => {
    const dir = newDirectory();
    writeFileSync(join(dir, '0000000000000001.log.idx'), 'what is left');
    await openJournal({ dir });
    expect(namesOf(dir)).toEqual([]);
  });

  test('is none the worse for a directory in the place of one', async () => {
    const { journal, dir } = await sample(8);
    await writeSides(journal);
    await journal.close();
    const copy = crashCopy(dir);
    rmSync(join(copy, '0000000000000003.log.idx'));
    mkdirSync(join(copy, '0000000000000003.log.idx'));
    const again = await openJournal({ dir: copy, historyBytes: 0 });
    expect(await sides(again)).toEqual({ 1: true, 3: false, 5: true });
    expect(await again.writeSide(3, Buffer.alloc(1))).toBe(false);
    await again.cursor('peer').advance(8);
    await expect.poll(() => segmentFiles(copy).length).toBe(1);
    expect(again.status()).not.toHaveProperty('broken');
  });
});
