import { describe, expect, test } from 'vitest';
import { RepairRefusedError } from '../../src/errors.js';
import { Journal, type JournalRecord } from '../../src/journal/journal.js';
import { randomFor, rounds } from '../support/seed.js';
import { collect, counterClock, newDirectory, SEGMENT_BYTES_MIN, VOLUME } from './harness.js';
import { MemoryDisk } from './memory-disk.js';

/** A repair whose process dies, or whose power is cut, at any of its calls; and one that is refused. */

const RECORDS = 40;
const FROM = 9;
const TO = 24;

interface Damaged {
  dir: string;
  disk: MemoryDisk;
}

const options = ({ dir, disk }: Damaged) => ({
  dir,
  volume: VOLUME,
  epoch: 5,
  segmentBytes: SEGMENT_BYTES_MIN,
  scrubBytesPerSecond: 0,
  now: counterClock(),
  fs: disk.fs,
});

const segmentsOf = ({ dir, disk }: Damaged) =>
  [...disk.list(dir).keys()].filter((name) => name.endsWith('.log')).sort();

async function fill(home: Damaged): Promise<JournalRecord[]> {
  const journal = await Journal.open(options(home));
  for (let next = 1; next <= RECORDS; next += 4) {
    await journal.appendMany(Array.from({ length: 4 }, (_, index) => Buffer.alloc(6900 + index, next + index)));
  }
  const records = await collect(journal.read(1));
  await journal.close();
  return records;
}

async function overwrite({ dir, disk }: Damaged, name: string, at: number): Promise<void> {
  const file = await disk.fs.open(`${dir}/${name}`, 'r+');
  await file.write(Buffer.alloc(300, 0xaa), 0, 300, at);
  await file.sync();
}

/** Five segments, of which the second has a hole in its records and the third is gone. */
async function damaged(): Promise<Damaged & { records: JournalRecord[] }> {
  const home = { dir: newDirectory(), disk: new MemoryDisk() };
  const records = await fill(home);
  const [, second = '', third = ''] = segmentsOf(home);
  await overwrite(home, second, 12_000);
  await home.disk.fs.unlink(`${home.dir}/${third}`);
  const directory = await home.disk.fs.open(home.dir, 'r');
  await directory.sync();
  return { ...home, records };
}

async function* recordsFrom(records: readonly JournalRecord[], from: number, to = RECORDS) {
  yield* records.slice(from - 1, to);
}

const repair = ({ dir, disk }: Damaged, records: readonly JournalRecord[]) =>
  Journal.repair({ dir, from: FROM, to: TO, fs: disk.fs, source: (from, to) => recordsFrom(records, from, to) });

/** Every file as it is, the lock and its like apart. */
async function imageOf({ dir, disk }: Damaged): Promise<Map<string, string>> {
  const image = new Map<string, string>();
  for (const [name, size] of disk.list(dir)) {
    if (!name.includes('.')) continue;
    const bytes = Buffer.alloc(size);
    await (await disk.fs.open(`${dir}/${name}`, 'r')).read(bytes, 0, size, 0);
    image.set(name, bytes.toString('latin1'));
  }
  return image;
}

async function expectWhole(home: Damaged, records: readonly JournalRecord[], name: string): Promise<void> {
  const journal = await Journal.open(options(home));
  const found = await collect(journal.read(1));
  expect(
    found.map(({ chain }) => chain),
    name,
  ).toEqual(records.map(({ chain }) => chain));
  expect(
    found.every(({ payload }, index) => records[index]?.payload.equals(payload)),
    name,
  ).toBe(true);
  expect((await journal.scrub()).damage, name).toEqual([]);
  await journal.close();
}

test.each(Array.from({ length: rounds(3) }, (_, round) => round))(
  'whenever it ends, it can be done again, and what was damaged is kept: round %i',
  async (round) => {
    const random = randomFor(90 + round);
    const coin = () => random.chance(0.5);
    let done = false;
    for (let calls = 0; !done; calls++) {
      const { records, ...home } = await damaged();
      const [, second = ''] = segmentsOf(home);
      const hurt = (await imageOf(home)).get(second);
      const name = `seed ${random.seed}, round ${round}, call ${calls}`;
      home.disk.cutAfter(calls);
      done = await repair(home, records).then(
        () => true,
        () => false,
      );
      if (coin()) home.disk.restart(coin);
      else home.disk.revive();
      // What is sound stays so, and nobody takes a segment that is only half there for whole.
      const between = await Journal.open(options(home)).catch((error: Error) => error);
      if (between instanceof Journal) {
        const first = await collect(between.read(1)).catch((error: unknown) => error);
        if (!Array.isArray(first)) expect(first, name).toMatchObject({ code: 'JOURNAL_DAMAGED' });
        await between.close();
      } else {
        expect(between, name).toMatchObject({ code: 'JOURNAL_DAMAGED' });
      }
      await repair(home, records);
      expect((await imageOf(home)).get(`${second}.damaged`), name).toBe(hurt);
      await expectWhole(home, records, name);
      expect(
        [...home.disk.list(home.dir).keys()].filter((file) => /repair|tmp/.test(file)),
        name,
      ).toEqual([]);
    }
  },
);

describe('refused, with nothing changed:', () => {
  type Wrong = (records: JournalRecord[]) => JournalRecord[];
  const replaced = (records: JournalRecord[], at: number, change: (record: JournalRecord) => JournalRecord) =>
    records.map((record) => (record.sequence === at ? change(record) : record));
  const wrong: [string, Wrong][] = [
    ['a source that ends too early', (records) => records.slice(0, 14)],
    ['a source with a gap', (records) => records.filter(({ sequence }) => sequence !== 20)],
    [
      'a payload that is not what its checksum says',
      (records) => replaced(records, 20, (r) => ({ ...r, payload: Buffer.from('x') })),
    ],
    [
      'another timestamp in one record',
      (records) => replaced(records, 20, (r) => ({ ...r, timestamp: r.timestamp + 1 })),
    ],
    ['another kind in the last record', (records) => replaced(records, TO, (r) => ({ ...r, kind: 7 }))],
    ['an epoch that falls', (records) => replaced(records, 20, (r) => ({ ...r, epoch: 1 }))],
  ];
  test.each(wrong)('%s', async (_, change) => {
    const { records, ...home } = await damaged();
    const before = await imageOf(home);
    await expect(repair(home, change(records))).rejects.toBeInstanceOf(RepairRefusedError);
    expect(await imageOf(home)).toEqual(before);
    // The right one is taken after that.
    await repair(home, records);
    await expectWhole(home, records, 'after the refusal');
  });

  test('all records of another journal, each sound in itself', async () => {
    const { records, ...home } = await damaged();
    const other = await fill({ dir: newDirectory(), disk: new MemoryDisk() });
    const strange = other.map((record) => ({ ...record, timestamp: record.timestamp + 5 }));
    const before = await imageOf(home);
    const call = repair(home, strange);
    await expect(call).rejects.toMatchObject({ code: 'REPAIR_REFUSED' });
    expect(await imageOf(home)).toEqual(before);
    expect(records).toHaveLength(RECORDS);
  });
});
