import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { RECORD } from '../../src/engine/record-layout.js';
import { FOOTER, PLACE } from '../../src/journal/format/footer.js';
import { GROUP, SEGMENT } from '../../src/journal/format/format.js';
import {
  appendBytes,
  type Damage,
  expectRefusal,
  expectSurvivors,
  flip,
  footerOf,
  makeSample,
  PAYLOADS,
  type Part,
  place,
  sample,
  tear,
  zero,
  zeroSector,
} from './damages.js';
import { crashCopy, flipBit, lastSegment, newDirectory, newJournal, openJournal, patch, VOLUME } from './harness.js';

/** Damage to the last segment of a journal, and what the next open makes of it. */

const TORN = 'torn tail';
const PARTS = 'torn tail with sound parts';

const groupFields = Object.entries(GROUP);
const recordFields = Object.entries(RECORD);

/** Damage to the last group: what it is called, the first record that it makes unreadable, and the row of the table. */
const lastGroup: [string, Damage, number, string][] = [
  ['the last record is zeros', zero([10, 'start'], [10, 'end']), 10, TORN],
  ['the payload of the last record is zeros', zero([10, 'payload'], [10, 'end']), 10, TORN],
  ['the last group is zeros', zero([9, 'group'], [10, 'end']), 9, 'sound'],
  ['the first record of the last group is zeros', zero([9, 'start'], [10, 'start']), 9, TORN],
  ['the header of the last group is zeros', zero([9, 'group'], [9, 'start']), 9, TORN],
  ['a bit of the last payload flips', flip(10, 'payload'), 10, TORN],
  ['a bit of the last key flips', flip(10, 'key'), 10, TORN],
  ...recordFields.map(([field, at]): [string, Damage, number, string] => [
    `a bit of the last record's ${field} flips`,
    flip(10, 'start', at),
    10,
    TORN,
  ]),
  ...groupFields.map(([field, at]): [string, Damage, number, string] => [
    `a bit of the last group's ${field} flips`,
    flip(9, 'group', at),
    9,
    TORN,
  ]),
];

describe('damage to a group that nothing proves durable: the group is cut off whole', () => {
  test.each(lastGroup)('%s', async (_, damage, __, row) => {
    const dir = await sample('died');
    damage(dir);
    await expectSurvivors(dir, 8, row);
  });
});

describe('the same damage after a clean close, which proves everything, is reported', () => {
  test.each(lastGroup)('%s', async (_, damage, from) => {
    const dir = await sample('closed');
    const found = place(dir, from);
    damage(dir);
    const wholeGroup = [found.group, found.start];
    const [first, last] = [from === 9 ? 9 : 10, 10];
    await expectRefusal(dir, {
      code: 'JOURNAL_DAMAGED',
      segment: lastSegment(dir),
      offset: expect.toSatisfy((offset: number) => wholeGroup.includes(offset)),
      fromSequence: first,
      toSequence: last,
    });
  });
});

describe('a sector of the last group that never reached the disk', () => {
  /** Like the sample, but the records of the last group take several sectors each. */
  async function largeSample(): Promise<string> {
    const { journal, dir } = await newJournal({ volume: VOLUME });
    for (const text of PAYLOADS.slice(0, 8)) await journal.append(Buffer.from(text));
    await journal.appendMany([Buffer.alloc(5000, 9), Buffer.alloc(5000, 10)]);
    return crashCopy(dir);
  }

  test.each([
    ['in the first payload', 9, 'payload', 1000],
    ['with the header of the last record', 10, 'start', 0],
    ['in the last payload', 10, 'payload', 4000],
  ] as const)('%s', async (_, sequence, part, by) => {
    const dir = await largeSample();
    zeroSector(sequence, part, by)(dir);
    await expectSurvivors(dir, 8, TORN);
  });
});

/** A file that ends early has lost its footer too, so that it does not matter how the journal ended. */
const cutShort: [string, Damage, number][] = [
  ['the last record is torn', tear(10, 'payload', 10), 8],
  ['its header is torn', tear(10, 'start', 20), 8],
  ['its first bytes are all that is left of it', tear(10, 'start', 3), 8],
  ['the group ends after its first record', tear(10, 'start'), 8],
  ['the first record of the group is torn', tear(9, 'payload'), 8],
  ['the group ends with its header', tear(9, 'start'), 8],
  ['the header of the group is torn', tear(9, 'group', 20), 8],
  ['a few bytes of the header are left', tear(9, 'group', 3), 8],
];

describe.each(['died', 'closed'] as const)('the file ends early (%s):', (ending) => {
  test.each(cutShort)('%s', async (_, damage, survivors) => {
    const dir = await sample(ending);
    damage(dir);
    await expectSurvivors(dir, survivors, TORN);
  });

  test('after the last sound group: nothing shows that there were more', async () => {
    const dir = await sample(ending);
    tear(9, 'group')(dir);
    await expectSurvivors(dir, 8, 'sound');
  });
});

/** Damage to records that the headers of later groups prove durable: the range that is reported. */
const proven: [string, Damage, number, number, Part][] = [
  ...recordFields.map(([field, at]): [string, Damage, number, number, Part] => [
    `a bit of an inner record's ${field} flips`,
    flip(4, 'start', at),
    4,
    4,
    'start',
  ]),
  ...groupFields.map(([field, at]): [string, Damage, number, number, Part] => [
    `a bit of an inner group's ${field} flips`,
    flip(4, 'group', at),
    4,
    4,
    'group',
  ]),
  ['a bit of an inner payload flips', flip(4, 'payload'), 4, 4, 'start'],
  ['a bit of an inner key flips', flip(4, 'key'), 4, 4, 'start'],
  ['the last proved record is damaged', flip(8, 'payload'), 8, 8, 'start'],
  ['groups in the middle are zeros', zero([3, 'group'], [7, 'end']), 3, 7, 'group'],
];

describe.each(['died', 'closed'] as const)('damage to durable records (%s) is reported:', (ending) => {
  test.each(proven)('%s', async (_, damage, fromSequence, toSequence, part) => {
    const dir = await sample(ending);
    const offset = place(dir, fromSequence)[part];
    damage(dir);
    await expectRefusal(dir, {
      code: 'JOURNAL_DAMAGED',
      segment: lastSegment(dir),
      offset,
      fromSequence,
      toSequence,
    });
  });

  test('a sector of zeros, in the middle', async () => {
    const dir = await sample(ending);
    const sectorOf = (offset: number) => Math.floor(offset / 512);
    const sector = sectorOf(place(dir, 5).start);
    const hit = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10].filter((sequence) => {
      const { group, end } = place(dir, sequence);
      return sectorOf(group) <= sector && sectorOf(end - 1) >= sector;
    });
    zeroSector(5, 'start')(dir);
    const range = { fromSequence: hit[0], toSequence: hit.at(-1) };
    expect(hit.length).toBeGreaterThan(1);
    await expectRefusal(dir, { code: 'JOURNAL_DAMAGED', ...range });
  });

  test.each(Object.entries(SEGMENT))('a bit of the %s in the segment header flips', async (_, offset) => {
    const dir = await sample(ending);
    flipBit(lastSegment(dir), offset);
    await expectRefusal(dir, { code: 'JOURNAL_DAMAGED', segment: lastSegment(dir), offset: 0 });
  });
});

describe.each(['died', 'closed'] as const)('bytes that are none of the journal (%s):', (ending) => {
  test.each([
    ['garbage behind the end of the file', appendBytes(Buffer.alloc(999, 0xa5))],
    ['one byte behind the end of the file', appendBytes(Buffer.alloc(1, 1))],
    ['a byte in the rest of the last page', flip(10, 'end', 100)],
  ])('%s', async (_, damage) => {
    const dir = await sample(ending);
    damage(dir);
    await expectSurvivors(dir, 10, TORN);
  });

  test('padding of a record means nothing', async () => {
    const dir = await sample(ending);
    flip(10, 'padding')(dir);
    await expectSurvivors(dir, 10, 'sound');
  });

  test('zeros behind the end', async () => {
    const dir = await sample(ending);
    appendBytes(Buffer.alloc(9000))(dir);
    // Where a footer was, it is one no more, and its bytes are cut off.
    await expectSurvivors(dir, 10, ending === 'died' ? 'sound' : TORN);
  });
});

describe('a damaged footer of the last segment proves nothing, and takes no record with it:', () => {
  test.each(Object.entries(FOOTER))('a bit of the %s flips', async (_, offset) => {
    const dir = await sample('closed');
    flipBit(lastSegment(dir), footerOf(lastSegment(dir)).trailer + offset);
    await expectSurvivors(dir, 10, TORN);
  });

  test.each(Object.entries(PLACE))('a bit of the %s in its index flips', async (_, offset) => {
    const dir = await sample('closed');
    flipBit(lastSegment(dir), footerOf(lastSegment(dir)).index + offset);
    await expectSurvivors(dir, 10, TORN);
  });

  test('it is gone', async () => {
    const dir = await sample('closed');
    const { index } = footerOf(lastSegment(dir));
    patch(lastSegment(dir), (bytes) => bytes.fill(0, index));
    await expectSurvivors(dir, 10, 'sound');
  });
});

test('a sound group behind a hole proves itself nothing', async () => {
  const dir = newDirectory();
  const journal = await openJournal({ dir, durability: 'none' });
  for (const text of ['a', 'b', 'c', 'd']) await journal.append(Buffer.from(text));
  const copy = crashCopy(dir);
  zero([2, 'group'], [2, 'end'])(copy);
  await expectSurvivors(copy, 1, PARTS, ['a']);
});

describe('a cursor proves what it has passed', () => {
  test('in the last segment, and when all segments are gone', async () => {
    const dir = await makeSample('died', { cursorAt: 10 });
    const { path, group } = place(dir, 10);
    const lost = { code: 'JOURNAL_DAMAGED', fromSequence: 9, toSequence: 10, offset: group };
    tear(9, 'group')(dir);
    await expectRefusal(dir, lost);
    appendBytes(Buffer.alloc(100, 1))(dir);
    await expectRefusal(dir, lost);
    rmSync(path);
    await expectRefusal(dir, { code: 'JOURNAL_DAMAGED', fromSequence: 1, toSequence: 10, segment: dir });
  });

  test("but not with durability 'none': there it moves back to the tail", async () => {
    const dir = await makeSample('died', { cursorAt: 10 });
    tear(10, 'payload')(dir);
    const journal = await openJournal({ dir, durability: 'none' });
    expect(journal.last).toBe(8);
    expect(journal.cursor('peer').position).toBe(8);
    await journal.append(Buffer.from('again'));
    await journal.cursor('peer').advance(9);
    expect(journal.cursor('peer').chain).toBe(journal.lastChain);
  });
});

describe('kept tails', () => {
  test('only the newest stay', async () => {
    const dir = await sample('closed');
    for (let round = 0; round < 12; round++) {
      appendBytes(Buffer.alloc(10, 1))(dir);
      const journal = await openJournal({ dir });
      await journal.append(Buffer.from(`round ${round}`));
      await journal.close();
    }
    expect(readdirSync(dir).filter((name) => name.endsWith('.tail'))).toHaveLength(8);
  });

  test('what an interrupted one left is written over', async () => {
    const dir = await sample('died');
    const tail = `${lastSegment(dir)}.${place(dir, 10).group}.tail`;
    writeFileSync(`${tail}.tmp`, 'half');
    tear(10, 'start', 20)(dir);
    const journal = await openJournal({ dir });
    expect(journal.recovery.tails).toEqual([tail]);
    expect(readdirSync(dir).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });
});
