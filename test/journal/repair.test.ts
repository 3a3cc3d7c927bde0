import { cpSync, existsSync, readdirSync, readFileSync, rmSync, truncateSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { JournalDamagedError, RepairRefusedError } from '../../src/errors.js';
import { DATA_START, GROUP, SEGMENT } from '../../src/journal/format/format.js';
import {
  Journal,
  type JournalDamage,
  type JournalRecord,
  type RepairOptions,
  type ReplicatedRecord,
} from '../../src/journal/journal.js';
import { randomFor, SEED } from '../support/seed.js';
import { FaultyFileSystem } from './faults.js';
import {
  collect,
  endOfRecords,
  type FoundRecord,
  flipBit,
  lastSegment,
  newDirectory,
  newJournal,
  openJournal,
  patch,
  recordsOf,
  segmentFiles,
  VOLUME,
} from './harness.js';

/** A journal of forty records in five segments and its peer, which lays the same records out in other groups. */

const RECORDS = 40;

interface Sample {
  dir: string;
  files: string[];
  peer: Journal;
  records: JournalRecord[];
}

async function sample(o: { cursorAt?: number; cursorBefore?: number } = {}): Promise<Sample> {
  const { journal, dir } = await newJournal({ volume: VOLUME, epoch: 5, scrubBytesPerSecond: 0 });
  for (let next = 1; next <= RECORDS; next += 4) {
    await journal.appendMany(
      Array.from({ length: 4 }, (_, index) => Buffer.alloc(6900 + index, next + index)),
      { key: `key ${next}`, offset: next },
    );
  }
  if (o.cursorAt !== undefined) await journal.cursor('peer').advance(o.cursorAt);
  const { journal: peer } = await newJournal({ volume: VOLUME, epoch: 9 });
  for await (const batch of journal.readBatches(1, { batchRecordsMax: 3 })) await peer.appendReplicated(batch);
  const records = await collect(journal.read(1));
  await journal.close();
  const files = segmentFiles(dir);
  expect(files.length).toBe(5);
  return { dir, files, peer, records };
}

function recordIn(path: string, index: number): FoundRecord {
  const record = recordsOf(path).at(index);
  if (record === undefined) throw new Error(`${path} has no record ${index}`);
  return record;
}

/** What an open refuses, or what a scrub finds if it does not: full segments are opened by their footers. */
async function damageOf(dir: string): Promise<JournalDamage> {
  const opened = await Journal.open({ dir }).catch((error: unknown) => error);
  if (opened instanceof JournalDamagedError) return opened;
  if (!(opened instanceof Journal)) throw opened;
  const [found] = (await opened.scrub()).damage;
  await opened.close();
  if (found === undefined) throw new Error('nothing is damaged');
  return found;
}

async function repaired({ dir, peer }: Sample, o: Partial<RepairOptions> = {}) {
  const { fromSequence: from, toSequence: to } = await damageOf(dir);
  return Journal.repair({ dir, from, to, source: peer.read(from), ...o });
}

/** Deep equality of buffers takes its time. */
function expectSame(found: JournalRecord[], records: JournalRecord[], name?: string): void {
  const chains = (list: JournalRecord[]) => list.map(({ sequence, chain }) => [sequence, chain]);
  expect(chains(found), name).toEqual(chains(records));
  expect(
    found.every(({ payload }, index) => records[index]?.payload.equals(payload)),
    name,
  ).toBe(true);
}

async function expectWhole({ dir, records }: Sample, o: { rows?: string[] } = {}): Promise<void> {
  const journal = await openJournal({ dir });
  expect(journal.recovery.rows).toEqual(o.rows ?? ['sound']);
  expectSame(await collect(journal.read(1)), records);
  expect((await journal.scrub()).damage).toEqual([]);
  expect(await journal.append(Buffer.from('next'))).toBe(RECORDS + 1);
  await journal.close();
  expect(readdirSync(dir).filter((name) => /repair|tmp/.test(name))).toEqual([]);
}

type Damage = (files: string[]) => void;
const file = (files: string[], index: number) => files.at(index) ?? '';
const flip = (index: number, offset: (path: string) => number): Damage => {
  return (files) => flipBit(file(files, index), offset(file(files, index)), 4);
};
const payload = (index: number, record: number): Damage => flip(index, (path) => recordIn(path, record).offset + 90);
const header = (index: number, record: number): Damage => flip(index, (path) => recordIn(path, record).offset + 9);
const group = (index: number, record: number): Damage =>
  flip(index, (path) => recordIn(path, record).group.offset + GROUP.first);
const wipe = (index: number, from: number, to: (path: string) => number): Damage => {
  return (files) => {
    const path = file(files, index);
    patch(path, (bytes) => bytes.fill(0, from, to(path)));
  };
};

/** What is damaged, which segments are made anew, and how many records have to come from the peer. */
const cases: [string, Damage[], number[], number][] = [
  ['the payload of the first record of all', [payload(0, 0)], [0], 4],
  ['a payload in the middle of a group', [payload(1, 2)], [1], 2],
  ['the last payload of a full segment', [payload(1, -1)], [1], 1],
  ['the header of a record', [header(2, 5)], [2], 3],
  ['the header of a group', [group(2, 4)], [2], 4],
  ['the header of the last group of a full segment', [group(2, -1)], [2], 4],
  ['a page across two groups', [flip(1, (path) => recordIn(path, 1).offset + 20), header(1, 5)], [1], 6],
  ['a payload in the last segment', [payload(-1, 1)], [-1], 3],
  ['the last payload of all', [payload(-1, -1)], [-1], 1],
  ['the header of the last group of all', [group(-1, -1)], [-1], 4],
  ['a field in the header of a full segment', [flip(1, () => SEGMENT.epoch)], [1], 0],
  ['the checksum in the header of a full segment', [flip(1, () => SEGMENT.checksum + 2)], [1], 0],
  ['a field in the header of the first segment', [flip(0, () => SEGMENT.volume)], [0], 0],
  ['a field in the header of the last segment', [flip(-1, () => SEGMENT.chain)], [-1], 0],
  ['the whole header of a full segment', [wipe(2, 0, () => DATA_START)], [2], 8],
  ['the whole header of the first segment', [wipe(0, 0, () => 64)], [0], 8],
  ['all of a full segment but its header', [wipe(3, DATA_START, (path) => readFileSync(path).length)], [3], 8],
  ['the records of the last segment', [wipe(-1, DATA_START, endOfRecords)], [-1], 8],
];

describe('damage is repaired from a peer:', () => {
  test.each(cases)('%s', async (_, damages, segments, taken) => {
    const journal = await sample();
    const { dir, files } = journal;
    const damage = damages.length === 2 ? damages.reverse() : damages;
    for (const each of damage) each(files);
    const damaged = segments.map((index) => readFileSync(file(files, index)));
    const paths = segments.map((index) => file(files, index));
    const { fromSequence: from, toSequence } = await damageOf(dir);
    const to = damages.length === 2 ? toSequence + 4 : toSequence;
    const report = await Journal.repair({ dir, from, to, source: journal.peer.read(from) });
    expect(report).toEqual({ segments: paths, records: taken, kept: paths.map((path) => `${path}.damaged`) });
    expect(report.kept.map((path) => readFileSync(path))).toEqual(damaged);
    await expectWhole(journal);
  });

  test('a source that is asked for what is missing gets the exact stretches', async () => {
    const journal = await sample();
    const { dir, files, peer } = journal;
    for (const damage of [payload(1, 2), payload(1, 6), payload(2, 0)]) damage(files);
    const asked: [number, number][] = [];
    const source = (from: number, to: number) => {
      asked.push([from, to]);
      return peer.read(from);
    };
    const report = await Journal.repair({ dir, from: 9, to: 24, source });
    expect(asked).toEqual([
      [11, 12],
      [15, 16],
      [17, 20],
    ]);
    expect(report).toMatchObject({ segments: [files[1], files[2]], records: 8 });
    await expectWhole(journal);
  });

  test('a segment that is missing', async () => {
    const journal = await sample();
    unlinkSync(file(journal.files, 2));
    expect(await repaired(journal)).toEqual({ segments: [journal.files[2]], records: 8, kept: [] });
    await expectWhole(journal);
  });

  test('several segments in a row that are missing', async () => {
    const journal = await sample();
    const { dir, files, peer } = journal;
    for (const index of [1, 2]) unlinkSync(file(files, index));
    await expect(repaired(journal)).rejects.toMatchObject({ code: 'REPAIR_REFUSED', fromSequence: 9, toSequence: 16 });
    const report = await Journal.repair({ dir, from: 9, to: 24, source: peer.read(1) });
    expect(report).toEqual({ segments: [files[1], files[2]], records: 16, kept: [] });
    await expectWhole(journal);
  });

  test('the end of a segment, and the segment behind it', async () => {
    const journal = await sample();
    const { dir, files, peer } = journal;
    truncateSync(file(files, 0), recordIn(file(files, 0), 5).offset);
    unlinkSync(file(files, 1));
    await expect(repaired(journal)).rejects.toMatchObject({ code: 'REPAIR_REFUSED' });
    const report = await Journal.repair({ dir, from: 5, to: 16, source: peer.read(5) });
    expect(report.records).toBeGreaterThanOrEqual(11);
    await expectWhole(journal, { rows: ['full, footer lost', 'sound'] });
  });

  test('the end of the last segment, which a cursor proves', async () => {
    const journal = await sample({ cursorAt: RECORDS });
    const path = lastSegment(journal.dir);
    truncateSync(path, recordIn(path, 3).group.end);
    expect(await repaired(journal)).toMatchObject({ segments: [path], records: 4 });
    await expectWhole(journal);
  });

  test('the last segment as a whole, which a cursor proves', async () => {
    const journal = await sample({ cursorAt: RECORDS });
    unlinkSync(lastSegment(journal.dir));
    expect(await repaired(journal)).toMatchObject({
      segments: [journal.files[3]],
      records: 8,
      kept: expect.any(Array),
    });
    await expectWhole(journal);
  });

  test('every segment, which a cursor proves', async () => {
    const journal = await sample({ cursorAt: RECORDS });
    for (const path of journal.files) unlinkSync(path);
    await expect(repaired(journal)).rejects.toMatchObject({ code: 'REPAIR_REFUSED', expected: 'the option volume' });
    expect(await repaired(journal, { volume: VOLUME })).toMatchObject({ records: RECORDS });
    await expectWhole(journal);
  });

  test('what a scrub found in full segments whose footers are sound', async () => {
    const journal = await sample();
    payload(1, 3)(journal.files);
    const open = await openJournal({ dir: journal.dir });
    const { damage } = await open.scrub();
    expect(damage).toMatchObject([{ fromSequence: 12, toSequence: 12 }]);
    await open.close();
    const { dir, peer } = journal;
    expect(await Journal.repair({ dir, from: 12, to: 12, source: peer.read(12) })).toMatchObject({ records: 1 });
    await expectWhole(journal);
  });
});

test('nothing is damaged: nothing is done', async () => {
  const journal = await sample();
  const before = readdirSync(journal.dir);
  const report = await Journal.repair({ dir: journal.dir, from: 1, to: RECORDS, source: journal.peer.read(1) });
  expect(report).toEqual({ segments: [], records: 0, kept: [] });
  expect(readdirSync(journal.dir)).toEqual(before);
  await expectWhole(journal);
});

describe('refuses, and changes nothing:', () => {
  const change = (at: number, changed: Partial<ReplicatedRecord>) =>
    async function* (records: AsyncIterable<JournalRecord>): AsyncGenerator<ReplicatedRecord> {
      for await (const { chain: _, ...record } of records) {
        if (record.sequence !== at) yield record;
        else yield { ...record, ...changed };
      }
    };
  const sources: [string, (records: AsyncIterable<JournalRecord>) => AsyncIterable<ReplicatedRecord>, string][] = [
    ['records of another history', change(12, { timestamp: 7 }), 'chain at record 16'],
    ['a lower epoch', change(12, { epoch: 2 }), 'epoch 2'],
    ['a record that is not sound', change(11, { checksum: 5n }), 'not sound'],
    ['a record without a number', change(11, { sequence: Number.NaN }), 'NaN'],
    ['a gap', change(11, { sequence: 13 }), 'gives record 13'],
    [
      'an end too early',
      async function* (records) {
        for await (const record of records) if (record.sequence < 12) yield record;
      },
      'ends before',
    ],
  ];
  test.each(sources)('%s', async (_, distort, text) => {
    const journal = await sample();
    const { dir, files, peer } = journal;
    payload(1, 2)(files);
    group(1, 4)(files);
    const before = readdirSync(dir).map((name) => [name, name.endsWith('.log') && readFileSync(join(dir, name))]);
    const error: unknown = await Journal.repair({ dir, from: 11, to: 16, source: distort(peer.read(11)) }).catch(
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(RepairRefusedError);
    expect(error).toMatchObject({ code: 'REPAIR_REFUSED', segment: files[1], message: expect.stringContaining(text) });
    const after = readdirSync(dir).map((name) => [name, name.endsWith('.log') && readFileSync(join(dir, name))]);
    expect(after).toEqual(before);
    await repaired(journal, { to: 16 });
    await expectWhole(journal);
  });

  test('a range that does not cover what is damaged', async () => {
    const journal = await sample();
    payload(1, 2)(journal.files);
    await expect(repaired(journal, { to: 11 })).rejects.toMatchObject({
      code: 'REPAIR_REFUSED',
      fromSequence: 11,
      toSequence: 12,
      found: 'the repair is for records 11 to 11',
    });
  });

  test('records that nothing proves', async () => {
    const journal = await sample();
    const { dir, files, peer } = journal;
    wipe(-1, 0, (path) => readFileSync(path).length)(files);
    await expect(Journal.repair({ dir, from: 33, to: 40, source: peer.read(33) })).rejects.toMatchObject({
      code: 'REPAIR_REFUSED',
      fromSequence: 33,
      toSequence: 40,
      found: expect.stringContaining('nothing sound'),
    });
    expect(existsSync(`${lastSegment(dir)}.damaged`)).toBe(false);
  });

  test('a first segment whose beginning nothing says', async () => {
    const { journal, dir } = await newJournal({ volume: VOLUME });
    await journal.reset(100, 77n);
    for (let next = 0; next < 6; next++) await journal.append(Buffer.alloc(20_000, next));
    const records = await collect(journal.read(100));
    await journal.close();
    const { journal: peer } = await newJournal();
    await peer.reset(100, 77n);
    await peer.appendReplicated(records);
    patch(segmentFiles(dir)[0] ?? '', (bytes) => bytes.fill(0, 0, 20_000));
    const { fromSequence: from, toSequence: to } = await damageOf(dir);
    const options = { dir, from, to, source: (first: number) => peer.read(first) };
    await expect(Journal.repair(options)).rejects.toMatchObject({ code: 'REPAIR_REFUSED' });
    await expect(Journal.repair({ ...options, chainBefore: 78n })).rejects.toMatchObject({ code: 'REPAIR_REFUSED' });
    expect((await Journal.repair({ ...options, chainBefore: 77n })).segments.length).toBe(1);
    const again = await openJournal({ dir });
    expect(await collect(again.read(100))).toEqual(records);
  });

  test('a journal that is open, and arguments that are none', async () => {
    const { journal, dir } = await newJournal();
    const source = journal.read(1);
    await expect(Journal.repair({ dir, from: 1, to: 2, source })).rejects.toMatchObject({ code: 'STATE_LOCKED' });
    await expect(Journal.repair({ dir, from: 0, to: 2, source })).rejects.toMatchObject({ argument: 'from' });
    await expect(Journal.repair({ dir, from: 3, to: 2, source })).rejects.toMatchObject({ argument: 'to' });
    await journal.close();
    await expect(Journal.repair({ dir, from: 1, to: 2, source, volume: 'f'.repeat(32) })).rejects.toMatchObject({
      argument: 'volume',
    });
  });
});

test('a failure at each call leaves a journal that can be repaired, or is', async () => {
  const outcomes = new Set<string>();
  const journal = await sample();
  const { peer } = journal;
  unlinkSync(file(journal.files, 2));
  payload(1, -1)(journal.files);
  for (let target = 0, done = false; !done; target++) {
    const dir = newDirectory();
    cpSync(journal.dir, dir, { recursive: true });
    const faulty = new FaultyFileSystem((index) => index === target);
    const options = { dir, from: 16, to: 24, source: (from: number) => peer.read(from) };
    const name = () => `call ${target}: ${faulty.calls[target]}`;
    done = await Journal.repair({ ...options, fs: faulty.fs }).then(
      () => true,
      () => false,
    );
    expect(faulty.openFiles, name()).toBe(0);
    const report = await Journal.repair(options);
    outcomes.add(`${report.segments.length} left to do`);
    if (done) expect(report.segments).toEqual([]);
    await expectWhole({ ...journal, dir });
    rmSync(dir, { recursive: true });
  }
  expect([...outcomes].sort()).toEqual(['0 left to do', '1 left to do', '2 left to do']);
});

test.each([1, 2, 3, 4, 5, 6])(
  'whatever bits are wrong, a repair makes good all that is told: round %i',
  async (round) => {
    const random = randomFor(round);
    const journal = await sample({ cursorAt: random.below(RECORDS) });
    const { dir, files, peer } = journal;
    const ends = new Map(files.map((path) => [path, endOfRecords(path)]));
    for (let count = random.between(1, 6); count > 0; count--) {
      const path = random.pick(files);
      const at = random.below(ends.get(path) ?? 0);
      if (random.below(8) === 0 && path !== lastSegment(dir)) truncateSync(path, at);
      else if (at < readFileSync(path).length) flipBit(path, at, random.below(8));
    }
    const name = `seed ${SEED}, round ${round}`;
    // What is told first may not be all.
    for (let tries = 0; ; tries++) {
      expect(tries, name).toBeLessThan(30);
      const damage = await damageOf(dir).catch((error: Error) => error);
      if (damage instanceof Error && !(damage instanceof JournalDamagedError)) {
        expect(damage.message, name).toBe('nothing is damaged');
        break;
      }
      let range = { from: damage.fromSequence, to: damage.toSequence };
      for (let widened = 0; ; widened++) {
        expect(widened, name).toBeLessThan(10);
        const refused = await Journal.repair({ dir, ...range, source: (from) => peer.read(from) }).then(
          () => undefined,
          (error: RepairRefusedError) => error,
        );
        if (refused === undefined) break;
        expect(refused, name).toBeInstanceOf(RepairRefusedError);
        range = { from: Math.min(range.from, refused.fromSequence), to: Math.max(range.to + 1, refused.toSequence) };
      }
    }
    const again = await openJournal({ dir });
    const found = await collect(again.read(1));
    expectSame(found, journal.records.slice(0, found.length), name);
    expect(found.length, name).toBeGreaterThanOrEqual(RECORDS - 4);
  },
);
