import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Journal } from '../../src/journal/journal.js';
import { decodeTruncation, encodeTruncation } from '../../src/journal/recovery/truncation.js';
import { randomFor, SEED } from '../support/seed.js';
import { FaultyFileSystem } from './faults.js';
import {
  collect,
  contents,
  newDirectory,
  newJournal,
  nextOf,
  openJournal,
  recordsOf,
  segmentFiles,
  VOLUME,
} from './harness.js';
import { MemoryDisk } from './memory-disk.js';

const RECORD_BYTES = 9000;

/** Twenty records, in groups of one, two, three and so on; a few fit a segment. */
async function sample(
  o: { dir?: string; cursors?: Record<string, number> } = {},
): Promise<{ journal: Journal; dir: string }> {
  const { journal, dir } = await newJournal({
    volume: VOLUME,
    epoch: 3,
    ...(o.dir === undefined ? {} : { dir: o.dir }),
  });
  for (let next = 1, size = 1; next <= 20; next += size, size = Math.min(size + 1, 21 - next)) {
    await journal.appendMany(Array.from({ length: Math.min(size, 21 - next) }, (_, index) => payloadOf(next + index)));
  }
  for (const [name, position] of Object.entries(o.cursors ?? {})) await journal.cursor(name).advance(position);
  return { journal, dir };
}

function payloadOf(sequence: number): Buffer {
  return Buffer.alloc(RECORD_BYTES, `record ${sequence} `);
}

const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index);
const tailsOf = (dir: string) =>
  readdirSync(dir)
    .filter((name) => name.endsWith('.tail'))
    .sort();

describe('makes a record the last one:', () => {
  test.each(numbers(0, 20))('%i', async (sequence) => {
    const { journal, dir } = await sample();
    const chains = await Promise.all(numbers(0, 20).map((each) => journal.chainAt(each)));
    await journal.truncateAfter(sequence);
    expect(journal).toMatchObject({ first: 1, last: sequence, assigned: sequence, lastChain: chains[sequence] });
    const check = async (held: Journal, last: number) => {
      const records = await collect(held.read(1));
      expect(records.map((record) => record.sequence)).toEqual(numbers(1, last));
      for (const record of records.slice(0, sequence))
        expect(record.payload.equals(payloadOf(record.sequence))).toBe(true);
      expect(await Promise.all(numbers(0, sequence).map((each) => held.chainAt(each)))).toEqual(
        chains.slice(0, sequence + 1),
      );
      expect(await held.chainAt(last + 1)).toBeUndefined();
    };
    await check(journal, sequence);
    expect(await journal.append(Buffer.from('new'))).toBe(sequence + 1);
    expect(await journal.appendMany([Buffer.from('a'), Buffer.from('b')])).toBe(sequence + 3);
    await check(journal, sequence + 3);
    await journal.close();
    const again = await openJournal({ dir });
    expect(again.recovery).toMatchObject({ rows: ['sound'], rewritten: 0 });
    await check(again, sequence + 3);
    expect(await contents(again, sequence + 1)).toEqual(['new', 'a', 'b']);
    expect(readdirSync(dir).filter((name) => /truncate|tmp/.test(name))).toEqual([]);
  });
});

test('what goes is kept aside: the rest of its segment, and whole segments however many', async () => {
  const { journal, dir } = await newJournal();
  for (let next = 1; next <= 40; next++) await journal.append(Buffer.alloc(20_000, next));
  const [first = '', ...later] = segmentFiles(dir);
  expect(later.length).toBeGreaterThan(12);
  const [kept, gone] = recordsOf(first);
  if (kept === undefined || gone === undefined) throw new Error('a segment holds two records');
  const cut = readFileSync(first).subarray(kept.group.end, gone.group.end);
  await journal.truncateAfter(1);
  const name = `${first.split('/').at(-1)}.${kept.group.end}.tail`;
  expect(tailsOf(dir)).toEqual([name, ...later.map((path) => `${path.split('/').at(-1)}.0.tail`)].sort());
  expect(readFileSync(join(dir, name))).toEqual(cut);
  expect(segmentFiles(dir)).toEqual([first]);
});

test('is refused outside of what the journal holds, and does nothing at its end', async () => {
  const { journal, dir } = await sample();
  for (const sequence of [21, -1, 1.5, Number.NaN]) {
    await expect(journal.truncateAfter(sequence)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      argument: 'sequence',
    });
  }
  const before = readdirSync(dir);
  await journal.truncateAfter(20);
  expect(readdirSync(dir)).toEqual(before);
  await journal.reset(100, 7n);
  await journal.append(Buffer.from('100'));
  await expect(journal.truncateAfter(98)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  await journal.truncateAfter(99);
  expect(journal).toMatchObject({ first: 100, last: 99, lastChain: 7n });
  expect(await journal.append(Buffer.from('another'))).toBe(100);
  await journal.close();
  await expect(journal.truncateAfter(99)).rejects.toMatchObject({ code: 'CLOSED' });
});

test('takes the epoch back too', async () => {
  const { journal } = await newJournal({ epoch: 2 });
  await journal.append(Buffer.from('old'));
  const [record] = await collect(journal.read(1));
  if (record === undefined) throw new Error('there is one');
  await journal.appendReplicated([{ ...record, sequence: 2, epoch: 9, chain: undefined } as never]);
  await journal.truncateAfter(1);
  await journal.append(Buffer.from('new'));
  expect((await collect(journal.read(2))).map(({ epoch }) => epoch)).toEqual([2]);
});

test('moves back the cursors beyond it, and no other', async () => {
  const { journal, dir } = await sample({ cursors: { behind: 3, at: 8, beyond: 19 } });
  await journal.truncateAfter(8);
  const chain = await journal.chainAt(8);
  const expected = [
    { name: 'at', position: 8, chain },
    { name: 'behind', position: 3 },
    { name: 'beyond', position: 8, chain },
  ];
  const sorted = (held: Journal) => held.cursors().sort((a, b) => (a.name < b.name ? -1 : 1));
  expect(sorted(journal)).toMatchObject(expected);
  await journal.append(Buffer.from('new'));
  await journal.cursor('beyond').advance(9);
  await journal.close();
  const again = await openJournal({ dir });
  expect(sorted(again)).toMatchObject([...expected.slice(0, 2), { name: 'beyond', position: 9 }]);
});

test('readers beyond end, all others go on, wherever they are', async () => {
  const { dir, journal: before } = await sample();
  await before.close();
  // Opened anew, the journal has nothing in memory and reads from its files.
  const journal = await openJournal({ dir });
  const readers = [];
  for (const place of numbers(2, 21)) {
    const reader = journal.readBatches(place - 1, { follow: true, batchRecordsMax: 1 });
    const iterator = reader[Symbol.asyncIterator]();
    await iterator.next();
    readers.push({ place, iterator });
  }
  await journal.truncateAfter(10);
  for (const { place, iterator } of readers) {
    if (place > 11) {
      await expect(nextOf(iterator), `before ${place}`).rejects.toMatchObject({ code: 'SEQUENCE_GONE' });
      continue;
    }
    for (const sequence of numbers(place, 10)) {
      const [record] = await nextOf(iterator);
      expect([record?.sequence, record?.payload.equals(payloadOf(sequence))], `before ${place}`).toEqual([
        sequence,
        true,
      ]);
    }
  }
  await journal.append(Buffer.from('new'));
  for (const { iterator } of readers.slice(0, 10)) {
    expect(await nextOf(iterator)).toMatchObject([{ sequence: 11, payload: Buffer.from('new') }]);
  }
});

test('a reader in the middle of a read when the cut comes gives what stays, once', async () => {
  const { journal } = await sample();
  for (const sequence of [15, 12, 9, 6, 3]) {
    const readers = numbers(1, sequence + 1).map((from) => collect(journal.read(from)));
    await journal.truncateAfter(sequence);
    for (const [index, reader] of readers.entries()) {
      const found = await reader.catch((error: { code: string }) => error.code);
      if (typeof found === 'string') expect(found).toBe('SEQUENCE_GONE');
      else expect(found.map((record) => record.sequence)).toEqual(numbers(index + 1, index + found.length));
    }
  }
});

test('records with a number are written before, those that wait for one come after', async () => {
  const { journal } = await sample();
  const numbered = journal.append(Buffer.from('21'));
  const cuts = [journal.truncateAfter(15), journal.truncateAfter(12)];
  await Promise.resolve();
  const waiting = [journal.append(Buffer.from('13')), journal.append(Buffer.from('14'))];
  const flushed = journal.flush();
  expect(await numbered).toBe(21);
  await Promise.all(cuts);
  await flushed;
  expect(new Set(await Promise.all(waiting)).size).toBe(2);
  expect(await journal.append(Buffer.from('last'))).toBe(journal.last);
});

test('the decision is read back, and nothing else is taken for one', () => {
  const header = { volume: VOLUME, first: 5, chain: 9n, epoch: 2, previousRecords: 4, salt: 7, recycled: false };
  const decision = { header, sequence: 8, chain: 2n ** 64n - 1n, cutOffset: 5000, cutEnd: 65_536 };
  const bytes = encodeTruncation(decision);
  expect(decodeTruncation(bytes)).toEqual(decision);
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const other = Buffer.from(bytes);
    other[bit >> 3] = (other[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    expect(decodeTruncation(other), `bit ${bit}`).toBeUndefined();
  }
  expect(decodeTruncation(bytes.subarray(1))).toBeUndefined();
});

describe('a failure at each call leaves the journal whole or cut:', () => {
  test.each([0, 9, 12])('after %i', async (sequence) => {
    const outcomes = new Set<string>();
    for (let target = 0, done = false; !done; target++) {
      const { journal: before, dir } = await sample({ cursors: { a: 8, b: 16 } });
      const chains = await Promise.all(numbers(0, 20).map((each) => before.chainAt(each)));
      await before.close();
      let counting = Number.POSITIVE_INFINITY;
      const faulty = new FaultyFileSystem((index) => index === counting);
      const journal = await Journal.open({ dir, fs: faulty.fs });
      await Promise.all(journal.cursors().map((cursor) => cursor.advance(0)));
      counting = faulty.calls.length + target;
      const broken = await journal.truncateAfter(sequence).then(
        () => undefined,
        () => journal.status().broken !== undefined,
      );
      done = broken === undefined;
      const name = `call ${target}: ${faulty.calls[counting]}`;
      if (broken === false) {
        outcomes.add('refused');
        expect(await journal.append(Buffer.from('goes on')), name).toBe(21);
        await journal.truncateAfter(20);
      }
      await journal.close().catch(() => {});
      if (broken !== false && done) expect(faulty.openFiles, name).toBe(0);

      const again = await openJournal({ dir });
      const isCut = again.last === sequence;
      outcomes.add(isCut ? 'cut' : 'whole');
      expect(isCut || !done, name).toBe(true);
      const last = isCut ? sequence : 20;
      expect([again.first, again.last, again.lastChain], name).toEqual([1, last, chains[last]]);
      expect((await collect(again.read(1))).length, name).toBe(last);
      const positions = again.cursors().map((cursor) => cursor.position);
      expect(positions, name).toEqual([Math.min(8, last), Math.min(16, last)]);
      expect(await again.append(Buffer.from('next')), name).toBe(last + 1);
      await again.close();
      expect(
        readdirSync(dir).filter((file) => /truncate|tmp/.test(file)),
        name,
      ).toEqual([]);
    }
    expect([...outcomes].sort()).toEqual(['cut', 'refused', 'whole']);
  });
});

test.each(numbers(1, 6))('a power cut at each call leaves the journal whole or cut: round %i', async (round) => {
  const random = randomFor(round);
  const outcomes = new Set<boolean>();
  for (let target = 0, done = false; !done; target++) {
    const sequence = random.below(20);
    const disk = new MemoryDisk();
    const dir = newDirectory();
    const journal = await openJournal({ dir, fs: disk.fs });
    for (let next = 1; next <= 20; next += 2) await journal.appendMany([payloadOf(next), payloadOf(next + 1)]);
    await journal.cursor('peer').advance(14);
    disk.cutAfter(target);
    done = await journal.truncateAfter(sequence).then(
      () => true,
      () => false,
    );
    disk.dead = true;
    await journal.close().catch(() => {});
    disk.restart(() => random.below(2) === 0);
    const name = `seed ${SEED}, round ${round}, call ${target}, cut after ${sequence}`;
    const again = await openJournal({ dir, fs: disk.fs });
    const isCut = again.last === sequence;
    outcomes.add(isCut);
    expect(isCut || (!done && again.last === 20), name).toBe(true);
    const records = await collect(again.read(1));
    expect(records.length, name).toBe(again.last);
    for (const record of records) expect(record.payload.equals(payloadOf(record.sequence)), name).toBe(true);
    expect(again.cursor('peer').position, name).toBe(Math.min(14, again.last));
    expect(await again.append(Buffer.from('next')), name).toBe(again.last);
    await again.close();
  }
  expect(outcomes.size).toBe(2);
});
