import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Journal } from '../../src/journal/journal.js';
import { History } from '../../src/reduce/history.js';
import { Indexer } from '../../src/reduce/indexer.js';
import { type Outline, Outliner } from '../../src/reduce/outline.js';
import { randomFor } from '../support/seed.js';
import { atEnd, newDirectory } from '../support/temp.js';

const RECORDS = 24;
const RECORD_BYTES = 20_000;
const SECRET = Buffer.alloc(32, 3);

async function open(dir: string): Promise<Journal> {
  const journal = await Journal.open({ dir, segmentBytes: 64 * 1024 });
  atEnd(() => journal.close());
  return journal;
}

async function append(journal: Journal, count = RECORDS): Promise<void> {
  const random = randomFor(611 + journal.last);
  for (let index = 0; index < count; index++) {
    await journal.append(random.bytes(RECORD_BYTES), { key: `key ${index % 5}`, offset: 0 });
  }
}

async function outlinesOf(journal: Journal, outliner = new Outliner(SECRET)): Promise<Outline[]> {
  const outlines: Outline[] = [];
  for await (const record of journal.read(journal.first)) outlines.push(outliner.of(record));
  return outlines;
}

/** Tells an indexer of all records, as an encoder does, and waits for what it writes. */
async function noteAll(journal: Journal): Promise<void> {
  const indexer = new Indexer(journal, new Outliner(SECRET));
  for (const outline of await outlinesOf(journal)) indexer.note([outline]);
  await indexer.idle();
}

/** A history that is loaded, and the records that had to be read for it. */
async function load(journal: Journal, through = journal.last, secret = SECRET) {
  const read: number[] = [];
  const watched = new Proxy(journal, {
    get(target, name) {
      const value = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      if (name !== 'readBatches') return value.bind(target);
      return async function* (...args: Parameters<Journal['readBatches']>) {
        for await (const records of target.readBatches(...args)) {
          read.push(...records.map(({ sequence }) => sequence));
          yield records;
        }
      };
    },
  });
  const history = new History();
  const indexer = new Indexer(watched, new Outliner(secret));
  await indexer.load(history, through);
  await indexer.idle();
  return { history, read };
}

/** Whether it finds each record's content and place again, as it should. */
async function knows(history: History, journal: Journal): Promise<boolean> {
  const direct = new History();
  const outlines = await outlinesOf(journal);
  for (const outline of outlines) direct.note(outline);
  return outlines.every((outline) => {
    const again = { ...outline, sequence: journal.last + 1 };
    const [is, was] = [history, direct].map((one) =>
      JSON.stringify([one.copies(again), one.bases(again, 0, RECORD_BYTES)]),
    );
    return is === was && direct.copies(again).length > 0;
  });
}

const indexFiles = (dir: string) => readdirSync(dir).filter((name) => name.endsWith('.idx'));
const openRecords = (journal: Journal): number[] => {
  const from = (journal.sealedSegments().at(-1)?.last ?? 0) + 1;
  return Array.from({ length: journal.last - from + 1 }, (_, at) => from + at);
};

describe('the indexes of a journal', () => {
  test('are written as segments fill up, and spare their records after the next open', async () => {
    const dir = newDirectory();
    let journal = await open(dir);
    await append(journal);
    await noteAll(journal);
    const sealed = journal.sealedSegments();
    expect(sealed.length).toBeGreaterThan(4);
    expect(indexFiles(dir).length).toBe(sealed.length);
    await journal.close();
    journal = await open(dir);
    const { history, read } = await load(journal);
    expect([...new Set(read)]).toEqual(openRecords(journal));
    expect(await knows(history, journal)).toBe(true);
  });

  test('are written too when each record is noted as soon as it is there', async () => {
    const dir = newDirectory();
    const journal = await open(dir);
    const outliner = new Outliner(SECRET);
    const indexer = new Indexer(journal, outliner);
    for (let index = 0; index < RECORDS; index++) {
      await append(journal, 1);
      for await (const record of journal.read(journal.last)) indexer.note([outliner.of(record)]);
    }
    await indexer.idle();
    expect(indexFiles(dir).length).toBe(journal.sealedSegments().length);
    const { history, read } = await load(journal);
    expect([...new Set(read)]).toEqual(openRecords(journal));
    expect(await knows(history, journal)).toBe(true);
  });

  test('are made again where one is lost or damaged', async () => {
    const dir = newDirectory();
    const journal = await open(dir);
    await append(journal);
    await noteAll(journal);
    const [first, second] = journal.sealedSegments() as [{ first: number; last: number }, { first: number }];
    const files = indexFiles(dir).sort();
    await journal.close();
    rmSync(join(dir, files[0] as string));
    const again = await open(dir);
    const sound = (await again.readSide(second.first)) as Buffer;
    await again.writeSide(second.first, sound.subarray(0, sound.byteLength - 1));
    const { history, read } = await load(again);
    expect(read).toEqual(expect.arrayContaining([first.first, first.last, second.first]));
    expect(await knows(history, again)).toBe(true);
    expect(indexFiles(dir).sort()).toEqual(files);
    expect(await again.readSide(second.first)).toEqual(sound);
    const { read: later } = await load(again);
    expect([...new Set(later)]).toEqual(openRecords(again));
  });

  test('of another secret are of no use', async () => {
    const journal = await open(newDirectory());
    await append(journal);
    await noteAll(journal);
    const { read } = await load(journal, journal.last, Buffer.alloc(32, 4));
    expect(new Set(read).size).toBe(RECORDS);
  });

  test('are loaded up to the record that is asked for, and no further', async () => {
    const journal = await open(newDirectory());
    await append(journal);
    await noteAll(journal);
    for (let through = 0; through <= RECORDS; through++) {
      const { history } = await load(journal, through);
      expect(history.through).toBe(through);
    }
  });
});
