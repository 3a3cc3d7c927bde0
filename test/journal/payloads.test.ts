import { describe, expect, test } from 'vitest';
import { RECORD_HEADER_BYTES } from '../../src/engine/record-layout.js';
import type { Journal, JournalOptions, SequenceRange } from '../../src/journal/journal.js';
import { randomFor, rounds } from '../support/seed.js';
import { FaultyFileSystem } from './faults.js';
import { flipBit, newJournal, patternOf, readBeside, recordsOf, segmentFiles } from './harness.js';

/** Payloads of whole stretches of records, end to end. Every byte of a payload tells its record and where it stands. */

const PAYLOAD_BYTES_MAX = 9000;
const GROUP_RECORDS = 5;

function payloadOf(sequence: number): Buffer {
  const length = sequence % 7 === 0 ? 0 : (sequence * 1237) % PAYLOAD_BYTES_MAX;
  return patternOf(sequence, length);
}

async function filled(records: number, o: Partial<JournalOptions> = {}) {
  const opened = await newJournal({ historyBytes: 0, tailBytes: 0, ...o });
  await add(opened.journal, records);
  return opened;
}

async function add(journal: Journal, records: number): Promise<void> {
  for (const end = journal.last + records; journal.last < end; ) {
    const next = journal.last + 1;
    const numbers = Array.from({ length: Math.min(GROUP_RECORDS, end - journal.last) }, (_, index) => next + index);
    await Promise.all(numbers.map((number) => journal.append(payloadOf(number), { key: `key ${number % 3}` })));
  }
}

function payloadsOf(ranges: readonly SequenceRange[]): Buffer {
  const numbers = ranges.flatMap(({ from, to }) => Array.from({ length: to - from + 1 }, (_, index) => from + index));
  return Buffer.concat(numbers.map(payloadOf));
}

/** Reads into memory that has just as much room as is wanted. */
async function read(journal: Journal, ranges: readonly SequenceRange[]): Promise<Buffer> {
  const into = Buffer.alloc(payloadsOf(ranges).byteLength, 0xee);
  expect(await journal.readPayloads(ranges, into)).toBe(into.byteLength);
  return into;
}

async function expectRead(journal: Journal, ranges: readonly SequenceRange[], name = ''): Promise<void> {
  expect((await read(journal, ranges)).equals(payloadsOf(ranges)), name).toBe(true);
}

describe('stretches come back end to end', () => {
  test.each([0, 1024 * 1024])('across groups and segments of a journal, tailBytes %i', async (tailBytes) => {
    const { journal, dir } = await filled(240, { tailBytes });
    expect(segmentFiles(dir).length).toBeGreaterThan(10);
    await expectRead(journal, []);
    await expectRead(journal, [{ from: 1, to: 240 }]);
    const random = randomFor(81);
    for (let round = 0; round < rounds(30); round++) {
      const ranges: SequenceRange[] = [];
      for (let from = random.between(1, 30); from <= 240; ) {
        const to = Math.min(240, from + random.below(random.pick([1, 4, 40])));
        ranges.push({ from, to });
        from = to + random.between(1, random.pick([2, 10, 60]));
      }
      await expectRead(journal, ranges, `seed ${random.seed}, round ${round}`);
    }
  });

  test('of records larger than what is read at once', async () => {
    const { journal } = await newJournal({ historyBytes: 0, tailBytes: 0, segmentBytes: 16 * 1024 * 1024 });
    const large = [3, 1, 5].map((mib, index) => Buffer.alloc(mib * 1024 * 1024 + 13, index + 1));
    await journal.appendMany([...large, Buffer.from('end')]);
    const into = new Uint8Array(7 * 1024 * 1024);
    const ranges = [
      { from: 2, to: 2 },
      { from: 3, to: 4 },
    ];
    const bytes = await journal.readPayloads(ranges, into);
    expect(Buffer.concat([...large.slice(1), Buffer.from('end')]).equals(into.subarray(0, bytes))).toBe(true);
  });

  test('with one walk through each group, however many of them lie in it', async () => {
    const faulty = new FaultyFileSystem();
    const { journal, dir } = await filled(240, { fs: faulty.fs });
    const count = (name: string) => faulty.calls.filter((call) => call === name).length;
    const before = { open: count('open'), read: count('file.read') };
    const odd = Array.from({ length: 120 }, (_, index) => ({ from: 2 * index + 1, to: 2 * index + 1 }));
    await expectRead(journal, odd);
    const segments = segmentFiles(dir).length;
    expect(count('open') - before.open).toBe(segments);
    expect(count('file.read') - before.read).toBeLessThan(4 * segments);
    await journal.close();
    expect(faulty.openFiles).toBe(0);
  });
});

describe('what cannot be had is told', () => {
  test('records that are still to come, were freed, or have no room', async () => {
    const { journal } = await filled(60);
    const gone = (sequence: number) => ({ code: 'SEQUENCE_GONE', sequence });
    const into = Buffer.alloc(1024 * 1024);
    await expect(journal.readPayloads([{ from: 50, to: 61 }], into)).rejects.toMatchObject(gone(61));
    const room = payloadsOf([{ from: 3, to: 5 }]).byteLength;
    const small = journal.readPayloads([{ from: 3, to: 5 }], into.subarray(0, room - 1));
    await expect(small).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', argument: 'into' });
    await journal.cursor('peer').advance(50);
    await expect.poll(() => journal.first).toBeGreaterThan(30);
    await expect(journal.readPayloads([{ from: 3, to: 55 }], into)).rejects.toMatchObject(gone(3));
    await expectRead(journal, [{ from: journal.first, to: 60 }]);
  });

  test('damage; what comes before it, and from another group behind it, is read all the same', async () => {
    // So much that the index has places behind the damage.
    const { journal, dir } = await filled(160, { segmentBytes: 8 * 1024 * 1024 });
    const [file = ''] = segmentFiles(dir);
    const bad = recordsOf(file)[32];
    const sequence = bad?.sequence ?? 0;
    expect(payloadOf(sequence).byteLength).toBeGreaterThan(20);
    flipBit(file, (bad?.offset ?? 0) + RECORD_HEADER_BYTES + 20);
    const into = Buffer.alloc(4 * 1024 * 1024);
    const wanted = [
      { from: 2, to: 4 },
      { from: sequence - 3, to: sequence + 3 },
    ];
    const damaged = { code: 'JOURNAL_DAMAGED', segment: file, fromSequence: sequence };
    await expect(journal.readPayloads(wanted, into)).rejects.toMatchObject(damaged);
    await expectRead(journal, [{ from: 1, to: sequence - 1 }]);
    await expectRead(journal, [
      { from: 1, to: sequence - 1 },
      { from: 140, to: 160 },
    ]);
  });

  const wrong: [string, unknown, string][] = [
    ['no array', { from: 1, to: 1 }, 'ranges'],
    ['nothing in it', [undefined], 'ranges[0].from'],
    ['a record 0', [{ from: 0, to: 1 }], 'ranges[0].from'],
    ['an end before the start', [{ from: 2, to: 1 }], 'ranges[0].to'],
    ['half a record', [{ from: 1, to: 1.5 }], 'ranges[0].to'],
    [
      'one that starts within the one before',
      [
        { from: 1, to: 2 },
        { from: 2, to: 3 },
      ],
      'ranges[1].from',
    ],
  ];
  test.each(wrong)('arguments: %s', async (_, ranges, argument) => {
    const { journal } = await filled(3);
    const call = journal.readPayloads(ranges as SequenceRange[], Buffer.alloc(100_000));
    await expect(call).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', argument });
    const nowhere = journal.readPayloads([{ from: 1, to: 1 }], 'text' as unknown as Buffer);
    await expect(nowhere).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', argument: 'into' });
  });

  test('a signal, and a journal that is closed; a call under way ends first', async () => {
    const faulty = new FaultyFileSystem();
    const { journal } = await filled(60, { fs: faulty.fs });
    const all = [{ from: 1, to: 60 }];
    const aborted = journal.readPayloads(all, Buffer.alloc(1), { signal: AbortSignal.abort() });
    await expect(aborted).rejects.toMatchObject({ code: 'ABORTED' });
    const release = faulty.holdNext('file.read');
    const reading = journal.readPayloads(all, Buffer.alloc(1024 * 1024)).catch((error: unknown) => error);
    await expect.poll(() => faulty.holding).toBe(true);
    const closing = journal.close();
    release();
    expect(await reading).toMatchObject({ code: 'CLOSED' });
    await closing;
    expect(faulty.openFiles).toBe(0);
    await expect(journal.readPayloads(all, Buffer.alloc(1))).rejects.toMatchObject({ code: 'CLOSED' });
  });
});

test('a cut in the middle: what stays is read from where it lies now', async () => {
  const faulty = new FaultyFileSystem();
  const { journal } = await filled(60, { fs: faulty.fs });
  const wanted = [{ from: 50, to: 58 }];
  const release = faulty.holdNext('file.read');
  const reading = expectRead(journal, wanted);
  await expect.poll(() => faulty.holding).toBe(true);
  await journal.truncateAfter(58);
  release();
  await reading;
});

test('while the writer uses files again, never a wrong byte', async () => {
  const { journal } = await filled(30);
  const random = randomFor(82);
  const cursor = journal.cursor('peer', { at: 20 });
  const readSome = async () => {
    const { first, last } = journal;
    const from = random.between(Math.max(1, first - 3), last);
    await expectRead(journal, [{ from, to: Math.min(last, from + random.below(8)) }], `seed ${random.seed}`);
  };
  const write = async () => {
    for (let lap = 0; lap < rounds(60); lap++) {
      await add(journal, 5);
      await cursor.advance(journal.last - 8);
    }
  };
  const outcomes = await readBeside(write, readSome);
  expect(outcomes.right).toBeGreaterThan(20);
  expect(outcomes.gone).toBeGreaterThan(2);
});
