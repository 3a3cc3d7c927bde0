import { truncateSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { Random } from '../../fuzz/random.js';
import { RECORD_HEADER_BYTES } from '../../src/engine/record-layout.js';
import { SequenceGoneError } from '../../src/errors.js';
import type { Journal, JournalOptions, PayloadRange } from '../../src/journal/journal.js';
import { randomFor, rounds } from '../support/seed.js';
import { FaultyFileSystem } from './faults.js';
import { flipBit, newJournal, openJournal, patternOf, readBeside, recordsOf, segmentFiles } from './harness.js';

/** Parts of payloads, read back in place. Every byte of a payload tells its record and where in it it stands. */

const PAYLOAD_BYTES = 9000;

const payloadOf = (sequence: number, bytes = PAYLOAD_BYTES): Buffer => patternOf(sequence, bytes);

async function filled(records: number, o: Partial<JournalOptions> = {}) {
  const opened = await newJournal({ historyBytes: 0, ...o });
  while (opened.journal.last < records) {
    const next = opened.journal.last + 1;
    await opened.journal.appendMany([0, 1, 2].map((index) => payloadOf(next + index)));
  }
  return opened;
}

function randomRanges(random: Random, count: number, first: number, last: number): PayloadRange[] {
  return Array.from({ length: count }, () => {
    const offset = random.below(PAYLOAD_BYTES + 1);
    return { sequence: random.between(first, last), offset, length: random.below(PAYLOAD_BYTES - offset + 1) };
  });
}

function expectRanges(found: readonly Buffer[], ranges: readonly PayloadRange[], name = ''): void {
  const right = found.map((bytes, index) => {
    const { sequence, offset, length } = ranges[index] as PayloadRange;
    return bytes.equals(payloadOf(sequence).subarray(offset, offset + length));
  });
  expect(right.indexOf(false), name).toBe(-1);
  expect(found.length, name).toBe(ranges.length);
}

async function expectRead(journal: Journal, ranges: readonly PayloadRange[], name?: string): Promise<void> {
  expectRanges(await journal.readRanges(ranges), ranges, name);
}

describe('ranges come back right, whatever their order,', () => {
  const ways: [string, Partial<JournalOptions>][] = [
    ['from memory', { tailBytes: 64 * 1024 * 1024 }],
    ['from the disk', { tailBytes: 0 }],
    ['from both', { tailBytes: 1024 * 1024 }],
  ];
  test.each(ways)('%s, across segments', async (_, o) => {
    const { journal, dir } = await filled(240, o);
    expect(segmentFiles(dir).length).toBeGreaterThan(20);
    const random = randomFor(71);
    for (let round = 0; round < 10; round++) {
      const ranges = randomRanges(random, 100, 1, journal.last);
      await expectRead(journal, ranges, `seed ${random.seed}, round ${round}`);
    }
  });

  test('of large records, with keys, and of nothing', async () => {
    const { journal } = await newJournal({ tailBytes: 0 });
    const large = payloadOf(1, 3_000_000);
    await journal.append(large, { key: 'a key', offset: 7 });
    await journal.append(Buffer.alloc(0), { key: '' });
    const whole = { sequence: 1, offset: 0, length: large.length };
    const end = { sequence: 1, offset: large.length, length: 0 };
    const found = await journal.readRanges([whole, end, { ...whole, offset: 1_999_999, length: 1000 }, { ...end }]);
    expect(found.map((bytes) => bytes.length)).toEqual([large.length, 0, 1000, 0]);
    expect(found[0]?.equals(large)).toBe(true);
    expect(found[2]?.equals(large.subarray(1_999_999, 2_000_999))).toBe(true);
    expect(await journal.readRanges([{ sequence: 2, offset: 0, length: 0 }])).toEqual([Buffer.alloc(0)]);
    expect(await journal.readRanges([])).toEqual([]);
  });

  test('of the segment that is being written, as it grows, and after a reopen', async () => {
    const { journal, dir } = await newJournal({ tailBytes: 0, segmentBytes: 1024 * 1024 });
    for (let sequence = 1; sequence <= 60; sequence++) {
      await journal.append(payloadOf(sequence));
      const ranges = [sequence, 1, Math.ceil(sequence / 2)].map((each) => ({
        sequence: each,
        offset: 5,
        length: 4000,
      }));
      await expectRead(journal, ranges);
    }
    await journal.close();
    const again = await openJournal({ dir });
    await expectRead(again, randomRanges(randomFor(72), 50, 1, 60), `seed ${randomFor(72).seed}`);
  });

  test('in calls that run side by side, however many segments they open, and no file stays open', async () => {
    const faulty = new FaultyFileSystem();
    const { journal, dir } = await filled(240, { tailBytes: 0, fs: faulty.fs });
    const random = randomFor(73);
    const calls = Array.from({ length: 200 }, () => randomRanges(random, 3, 1, journal.last));
    await Promise.all(calls.map((ranges) => expectRead(journal, ranges, `seed ${random.seed}`)));
    expect(faulty.openFiles).toBeLessThan(segmentFiles(dir).length + 5);
    await journal.close();
    expect(faulty.openFiles).toBe(0);
  });

  test('with one walk through each segment, and after that one read at most for each', async () => {
    const faulty = new FaultyFileSystem();
    const { journal, dir } = await filled(240, { segmentBytes: 1024 * 1024, tailBytes: 0, fs: faulty.fs });
    const random = randomFor(74);
    const count = (name: string) => faulty.calls.filter((call) => call === name).length;
    const opened = count('open');
    const all = Array.from({ length: 240 }, (_, index) => ({ sequence: index + 1, offset: 0, length: 1 }));
    await journal.readRanges(all);
    expect(count('open') - opened).toBe(segmentFiles(dir).length);
    const before = { opened: count('open'), read: count('file.read') };
    for (let round = 0; round < 20; round++) await expectRead(journal, randomRanges(random, 100, 1, 240));
    expect(count('open')).toBe(before.opened);
    expect(count('file.read') - before.read, `seed ${random.seed}`).toBeLessThan(2000);
  });
});

describe('what is not there is told', () => {
  test('records that are still to come, or not durable', async () => {
    const faulty = new FaultyFileSystem();
    const { journal } = await newJournal({ fs: faulty.fs });
    await journal.append(payloadOf(1));
    const release = faulty.holdNext('file.datasync');
    const appending = journal.append(payloadOf(2));
    const wanted = [{ sequence: 2, offset: 0, length: 10 }];
    await expect(journal.readRanges(wanted)).rejects.toMatchObject({ code: 'SEQUENCE_GONE', sequence: 2, last: 1 });
    release();
    await appending;
    await expectRead(journal, wanted);
  });

  test.each([0, 1024 * 1024])('records that were freed, with %i bytes of memory', async (tailBytes) => {
    const { journal } = await filled(60, { tailBytes });
    await expectRead(journal, [{ sequence: 1, offset: 0, length: 100 }]);
    await journal.cursor('peer').advance(40);
    await expect.poll(() => journal.first).toBeGreaterThan(30);
    const { first, last } = journal;
    const gone = journal.readRanges([
      { sequence: last, offset: 0, length: 1 },
      { sequence: first - 1, offset: 0, length: 100 },
    ]);
    await expect(gone).rejects.toMatchObject({ code: 'SEQUENCE_GONE', sequence: first - 1, first, last });
    await expectRead(journal, [{ sequence: first, offset: 0, length: 100 }]);
  });

  const wrong: [string, unknown, string][] = [
    ['no array', { sequence: 1, offset: 0, length: 1 }, 'ranges'],
    ['nothing in it', [undefined], 'ranges[0].sequence'],
    ['a sequence of 0', [{ sequence: 0, offset: 0, length: 1 }], 'ranges[0].sequence'],
    ['half a sequence', [{ sequence: 1.5, offset: 0, length: 1 }], 'ranges[0].sequence'],
    ['an offset below 0', [{ sequence: 1, offset: -1, length: 1 }], 'ranges[0].offset'],
    ['no length', [{ sequence: 1, offset: 0 }], 'ranges[0].length'],
    ['more than the payload has', [{ sequence: 1, offset: 0, length: PAYLOAD_BYTES + 1 }], 'ranges[0]'],
    [
      'what lies behind the payload',
      [
        { sequence: 1, offset: 0, length: 1 },
        { sequence: 2, offset: PAYLOAD_BYTES, length: 1 },
      ],
      'ranges[1]',
    ],
    ['more than a number holds', [{ sequence: 1, offset: 2 ** 53 - 1, length: 2 ** 53 - 1 }], 'ranges[0]'],
  ];
  test.each(wrong)('arguments: %s', async (_, ranges, argument) => {
    const { journal } = await filled(3);
    const call = journal.readRanges(ranges as PayloadRange[]);
    await expect(call).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', argument });
  });

  test('damage, and the records before it in other segments are served all the same', async () => {
    const { journal, dir } = await filled(60, { tailBytes: 0 });
    await journal.close();
    const [, second = ''] = segmentFiles(dir);
    const [record] = recordsOf(second);
    flipBit(second, (record?.offset ?? 0) + RECORD_HEADER_BYTES + 10);
    const again = await openJournal({ dir });
    const sequence = record?.sequence ?? 0;
    const damaged = { code: 'JOURNAL_DAMAGED', segment: second, fromSequence: sequence };
    for (const offset of [0, 5000]) {
      await expect(again.readRanges([{ sequence, offset, length: 8 }])).rejects.toMatchObject(damaged);
    }
    await expectRead(again, [{ sequence: sequence - 1, offset: 0, length: 100 }]);
  });

  test('a file that somebody has cut since it was checked', async () => {
    const { journal, dir } = await filled(60, { tailBytes: 0 });
    const [, second = ''] = segmentFiles(dir);
    const records = recordsOf(second);
    const [whole, cut] = [records[1], records[3]];
    const ranges = [cut, whole].map((record) => ({ sequence: record?.sequence ?? 0, offset: 10, length: 500 }));
    await expectRead(journal, ranges);
    truncateSync(second, (cut?.offset ?? 0) + 200);
    const damaged = { code: 'JOURNAL_DAMAGED', segment: second, fromSequence: cut?.sequence };
    await expect(journal.readRanges(ranges)).rejects.toMatchObject(damaged);
    await expectRead(journal, ranges.slice(1));
  });

  test('a journal that is closed; a call under way ends first', async () => {
    const { journal, faulty, ranges, name } = await held();
    const release = faulty.holdNext('file.read');
    const reading = expectRead(journal, ranges, name);
    await expect.poll(() => faulty.holding).toBe(true);
    const closing = journal.close();
    release();
    await Promise.all([reading, closing]);
    expect(faulty.openFiles).toBe(0);
    await expect(journal.readRanges(ranges)).rejects.toMatchObject({ code: 'CLOSED' });
  });
});

/** A journal on a disk that can be held up, and ranges of the segment that is being written. */
async function held() {
  const faulty = new FaultyFileSystem();
  const { journal } = await filled(60, { tailBytes: 0, fs: faulty.fs });
  const random = randomFor(76);
  return { journal, faulty, ranges: randomRanges(random, 10, 57, 58), name: `seed ${random.seed}` };
}

test('a cut in the middle: what stays is read from where it lies now', async () => {
  const { journal, faulty, ranges, name } = await held();
  const release = faulty.holdNext('file.read');
  const reading = expectRead(journal, ranges, name);
  await expect.poll(() => faulty.holding).toBe(true);
  await journal.truncateAfter(58);
  release();
  await reading;
  await expectRead(journal, ranges, name);
  await expect(journal.readRanges([{ sequence: 59, offset: 0, length: 1 }])).rejects.toBeInstanceOf(SequenceGoneError);
  await journal.append(Buffer.alloc(PAYLOAD_BYTES, 1));
  expect((await journal.readRanges([{ sequence: 59, offset: 0, length: 2 }]))[0]).toEqual(Buffer.from([1, 1]));
});

test('a segment that is freed and used again in the middle of a call: the call is refused', async () => {
  const faulty = new FaultyFileSystem();
  const { journal } = await filled(30, { tailBytes: 0, fs: faulty.fs });
  const release = faulty.holdNext('file.read');
  const wanted = { sequence: 2, offset: 0, length: 100 };
  const reading = journal.readRanges([wanted]).catch((error: unknown) => error);
  await expect.poll(() => faulty.holding).toBe(true);
  await journal.cursor('peer').advance(30);
  await expect.poll(() => journal.first).toBeGreaterThan(20);
  await journal.appendMany(Array.from({ length: 30 }, () => Buffer.alloc(PAYLOAD_BYTES, 0xee)));
  release();
  expect(await reading).toMatchObject({ code: 'SEQUENCE_GONE', sequence: 2, first: journal.first });
});

test.each([0, 128 * 1024])(
  'while the writer uses files again, never a wrong byte: %i bytes of memory',
  async (tailBytes) => {
    const { journal } = await filled(30, { tailBytes });
    const random = randomFor(77);
    const name = `seed ${random.seed}`;
    const cursor = journal.cursor('peer', { at: 20 });
    const read = async () => {
      const { first, last } = journal;
      await expectRead(journal, randomRanges(random, 4, Math.max(1, first - 3), Math.min(last, first + 12)), name);
    };
    const write = async () => {
      for (let lap = 0; lap < rounds(40); lap++) {
        const next = journal.last + 1;
        await journal.appendMany([0, 1, 2].map((index) => payloadOf(next + index)));
        await cursor.advance(journal.last - 8);
      }
    };
    const outcomes = await readBeside(write, read);
    expect(outcomes.right, name).toBeGreaterThan(20);
    expect(outcomes.gone, name).toBeGreaterThan(5);
  },
);
