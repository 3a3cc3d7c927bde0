import { rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { FOOTER, PLACE } from '../../src/journal/format/footer.js';
import { PAGE_BYTES, SEGMENT, segmentName } from '../../src/journal/format/format.js';
import type { Journal } from '../../src/journal/journal.js';
import {
  cutSegment,
  duplicateSegment,
  expectRefusal,
  footerOf,
  makeSample,
  removeSegments,
  sample,
  segmented,
  swapSegments,
} from './damages.js';
import { collect, endOfRecords, flipBit, openJournal, patch, recordsOf, segmentFiles } from './harness.js';

/** Damage to full segments, to their headers and footers, and to which of them are there. */

const file = (files: string[], index: number): string => files[index] ?? '';
const damagedAt = (path: string, sequence: number) => ({
  code: 'JOURNAL_DAMAGED',
  segment: path,
  fromSequence: sequence,
  toSequence: sequence,
});

describe.each(['died', 'closed'] as const)('full segments (%s)', (ending) => {
  test('a missing one is damage', async () => {
    const { dir, files } = await segmented(ending);
    removeSegments(2)(dir);
    await expectRefusal(dir, { ...damagedAt(file(files, 3), 3), found: 'the segment before it is missing' });
  });

  test('several missing ones are one damage', async () => {
    const { dir, files } = await segmented(ending);
    removeSegments(2, 3, 4)(dir);
    await expectRefusal(dir, { code: 'JOURNAL_DAMAGED', segment: file(files, 5), toSequence: 5 });
  });

  test('the oldest may be gone', async () => {
    const { dir } = await segmented(ending);
    const whole = await openJournal({ dir });
    const chain = (await collect(whole.read(1)))[0]?.chain;
    await whole.close();
    removeSegments(0)(dir);
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

  test.each(Object.entries(SEGMENT))('a flipped bit of the %s in a header is damage', async (_, offset) => {
    const { dir, files } = await segmented(ending);
    flipBit(file(files, 2), offset);
    await expectRefusal(dir, { ...damagedAt(file(files, 2), 3), offset: 0 });
  });

  test('two that are swapped', async () => {
    const { dir, files } = await segmented(ending);
    swapSegments(2, 3)(dir);
    await expectRefusal(dir, { code: 'JOURNAL_DAMAGED', segment: file(files, 2), offset: 0, fromSequence: 3 });
  });

  test.each([
    ['in the place of another', 2, 5],
    ['in the place of the last', 2, 6],
    ['behind the last', 2, 7],
  ])('one that is there twice, %s', async (_, from, to) => {
    const { dir } = await segmented(ending);
    const name = join(dir, segmentName(to + 1));
    duplicateSegment(from, to + 1)(dir);
    await expectRefusal(dir, { code: 'JOURNAL_DAMAGED', segment: name, offset: 0, fromSequence: to + 1 });
  });

  test.each([0, 64, 100, PAGE_BYTES, PAGE_BYTES + 20, 30_000])('one that is cut to %i bytes', async (bytes) => {
    const { dir, files } = await segmented(ending);
    cutSegment(3, bytes)(dir);
    await expectRefusal(dir, damagedAt(file(files, 3), 4));
  });

  test('a bad record is reported when it is read, and the ones before are served', async () => {
    const { dir, files } = await segmented(ending);
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

  test('one that vanishes while the journal is open is reported', async () => {
    const { dir, files } = await segmented(ending);
    const journal = await openJournal({ dir });
    rmSync(file(files, 3));
    await expect(collect(journal.read(4))).rejects.toMatchObject({
      code: 'JOURNAL_DAMAGED',
      found: 'the file is gone',
    });
  });
});

describe('a full segment without a sound footer is read whole', () => {
  /** The row, and that nothing else has changed. */
  async function expectFootless(dir: string, row = 'full, footer lost'): Promise<Journal> {
    const journal = await openJournal({ dir });
    expect(journal.recovery).toMatchObject({ rows: [row, 'sound'], tails: [] });
    const records = await collect(journal.read(1));
    expect(records.map(({ sequence, payload }) => [sequence, payload[0]])).toEqual(
      [0, 1, 2, 3, 4, 5, 0].map((fill, index) => [index + 1, fill]),
    );
    return journal;
  }

  test.each(Object.entries(FOOTER))('a bit of the %s flips', async (_, offset) => {
    const { dir, files } = await segmented();
    flipBit(file(files, 3), footerOf(file(files, 3)).trailer + offset);
    await expectFootless(dir);
  });

  test.each(Object.entries(PLACE))('a bit of the %s in its index flips', async (_, offset) => {
    const { dir, files } = await segmented();
    flipBit(file(files, 3), footerOf(file(files, 3)).index + offset);
    await expectFootless(dir);
  });

  test('it is cut off, and appending goes on', async () => {
    const { dir, files } = await segmented();
    truncateSync(file(files, 3), endOfRecords(file(files, 3)));
    const journal = await expectFootless(dir);
    expect(await journal.append(Buffer.from('after'))).toBe(8);
    await journal.close();
    expect((await openJournal({ dir })).last).toBe(8);
  });

  test('something else follows it', async () => {
    const { dir, files } = await segmented();
    patch(file(files, 3), (bytes) => Buffer.concat([bytes, Buffer.alloc(5000, 1)]));
    await expectFootless(dir);
  });

  test('and a record is damaged too', async () => {
    const { dir, files } = await segmented();
    flipBit(file(files, 3), footerOf(file(files, 3)).trailer);
    flipBit(file(files, 3), 30_000);
    const offset = recordsOf(file(files, 3))[0]?.offset;
    await expectRefusal(dir, { ...damagedAt(file(files, 3), 4), offset });
  });

  test('and its last records are gone too', async () => {
    const { dir, files } = await segmented();
    const bytes = endOfRecords(file(files, 3));
    truncateSync(file(files, 3), bytes);
    patch(file(files, 3), (all) => all.fill(0, PAGE_BYTES));
    await expectRefusal(dir, { ...damagedAt(file(files, 3), 4), offset: PAGE_BYTES });
  });
});

describe('the last segment', () => {
  test.each([0, 1, 63])('one of %i bytes was just being made, and is made again', async (bytes) => {
    const { dir, files } = await segmented();
    cutSegment(6, bytes)(dir);
    const journal = await openJournal({ dir });
    expect(journal.recovery.rows).toEqual(['last segment was just being made', 'sound']);
    expect(journal.last).toBe(6);
    expect(await journal.append(Buffer.alloc(10_000, 9))).toBe(7);
    expect((await collect(journal.read(7)))[0]?.payload[0]).toBe(9);
    expect(segmentFiles(dir)).toEqual(files);
  });

  test.each([64, PAGE_BYTES])('one of %i zeros too', async (bytes) => {
    const { dir, files } = await segmented();
    writeFileSync(file(files, 6), Buffer.alloc(bytes));
    expect((await openJournal({ dir })).last).toBe(6);
  });

  test('one whose header is whole and that holds nothing else is empty', async () => {
    const { dir } = await segmented();
    cutSegment(6, PAGE_BYTES)(dir);
    const journal = await openJournal({ dir });
    expect(journal.recovery.rows).toEqual(['sound']);
    expect(await journal.append(Buffer.from('after'))).toBe(7);
  });

  test('its existence proves the records before it', async () => {
    const { dir } = await segmented();
    cutSegment(6, 10)(dir);
    cutSegment(5, 30_000)(dir);
    await expect(openJournal({ dir })).rejects.toMatchObject({
      code: 'JOURNAL_DAMAGED',
      fromSequence: 6,
      toSequence: 6,
    });
  });

  test('and when a cursor has passed its records, a torn header is damage', async () => {
    const dir = await makeSample('died', { cursorAt: 9 });
    cutSegment(0, 20)(dir);
    await expectRefusal(dir, {
      code: 'JOURNAL_DAMAGED',
      segment: file(segmentFiles(dir), 0),
      fromSequence: 1,
      toSequence: 9,
    });
  });

  test('a footer of an earlier close, which later records outran, is left alone', async () => {
    const dir = await sample('closed');
    const journal = await openJournal({ dir });
    for (let index = 0; index < 5; index++) await journal.append(Buffer.from(`later ${index}`));
    await journal.close();
    const again = await openJournal({ dir });
    expect(again).toMatchObject({ last: 15, recovery: { rows: ['sound'], rewritten: 0 } });
  });
});
