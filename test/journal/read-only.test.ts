import { spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import * as promises from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import {
  Journal,
  type JournalFileSystem,
  type JournalRecord,
  type ReadOnlyJournal,
} from '../../src/journal/journal.js';
import { payloadOf } from './appender.js';
import {
  collect,
  crashCopy,
  flipBit,
  lastSegment,
  newDirectory,
  newJournal,
  openJournal,
  recordsOf,
  SEGMENT_BYTES_MIN,
  VOLUME,
} from './harness.js';

/** The functions that only read; any other call fails the test. */
const READING: JournalFileSystem = new Proxy(promises, {
  get(target, name) {
    if (name === 'readdir') return promises.readdir;
    if (name === 'open') {
      return (path: string, flags: string) => {
        if (flags !== 'r') throw new Error(`${path} opened with ${flags}`);
        return promises.open(path, flags);
      };
    }
    if (['mkdir', 'rename', 'unlink', 'writeDurable', 'preallocate', 'statfs'].includes(String(name))) {
      return name === 'writeDurable' || name === 'preallocate'
        ? undefined
        : () => Promise.reject(new Error(`${String(name)} called`));
    }
    return Reflect.get(target, name);
  },
}) as unknown as JournalFileSystem;

function openReading(
  dir: string,
  o: { volume?: string; durability?: 'group' | 'none' } = {},
): Promise<ReadOnlyJournal> {
  return Journal.openReadOnly({ dir, fs: READING, ...o });
}

/** Every file of a directory, with its content. */
function filesOf(dir: string): Map<string, string> {
  const files = new Map<string, string>();
  for (const name of readdirSync(dir, { recursive: true, encoding: 'utf8' }).sort()) {
    const path = join(dir, name);
    files.set(name, statSync(path).isDirectory() ? 'directory' : readFileSync(path).toString('latin1'));
  }
  return files;
}

async function contents(journal: ReadOnlyJournal, o: { from?: number; unsynced?: boolean } = {}): Promise<string[]> {
  const { from = journal.first, ...options } = o;
  return (await collect(journal.read(from, options))).map(({ payload }) => payload.toString());
}

const texts = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => `record ${from + index}`);

/** Ten records, each in a group of its own, and two cursors. */
async function sample(): Promise<{ journal: Journal; dir: string }> {
  const { journal, dir } = await newJournal({ volume: VOLUME });
  for (const text of texts(1, 10)) await journal.append(Buffer.from(text));
  await journal.cursor('a').advance(3);
  await journal.cursor('b').advance(5);
  return { journal, dir };
}

test('shows a closed journal, and changes nothing', async () => {
  const { journal, dir } = await sample();
  const chains = await Promise.all([0, 1, 7, 10].map((sequence) => journal.chainAt(sequence)));
  await journal.close();
  const before = filesOf(dir);
  const reading = await openReading(dir);
  expect(reading).toMatchObject({ first: 1, last: 10, volume: VOLUME, dir, lastChain: chains[3] });
  expect(await contents(reading)).toEqual(texts(1, 10));
  expect(await contents(reading, { from: 8 })).toEqual(texts(8, 10));
  expect(await contents(reading, { from: 11 })).toEqual([]);
  expect(await Promise.all([0, 1, 7, 10, 11].map((sequence) => reading.chainAt(sequence)))).toEqual([
    ...chains,
    undefined,
  ]);
  expect(reading.cursors()).toMatchObject([
    { name: 'a', position: 3, chain: expect.any(BigInt), detached: false },
    { name: 'b', position: 5 },
  ]);
  expect(reading.cursor('b').position).toBe(5);
  expect(() => reading.cursor('c')).toThrow(/expected the name of a cursor/);
  expect(reading.status()).toMatchObject({
    first: 1,
    last: 10,
    written: 10,
    cursors: [{}, { name: 'b' }],
    rows: ['sound'],
  });
  await reading.close();
  expect(filesOf(dir)).toEqual(before);
});

test('works where nothing can be written', async () => {
  const { journal, dir } = await sample();
  await journal.close();
  chmodSync(join(dir, 'cursors'), 0o500);
  chmodSync(dir, 0o500);
  try {
    expect(await contents(await Journal.openReadOnly({ dir }))).toEqual(texts(1, 10));
  } finally {
    chmodSync(dir, 0o700);
    chmodSync(join(dir, 'cursors'), 0o700);
  }
});

test('refuses what would write', async () => {
  const { journal, dir } = await sample();
  const reading = await openReading(dir);
  const calls: Record<string, () => Promise<never>> = {
    append: () => reading.append(),
    appendMany: () => reading.appendMany(),
    assign: () => reading.assign(),
    appendReplicated: () => reading.appendReplicated(),
    dropCursor: () => reading.dropCursor(),
    reset: () => reading.reset(),
    truncateAfter: () => reading.truncateAfter(),
    advance: () => reading.cursor('a').advance(4),
  };
  for (const [operation, call] of Object.entries(calls)) {
    await expect(call(), operation).rejects.toMatchObject({ code: 'READ_ONLY', path: dir, operation });
  }
  expect(() => reading.readBatches(1, { follow: true })).toThrow(/follow/);
  await reading.close();
  expect(() => reading.readBatches(1)).toThrow(/closed/);
  await expect(reading.chainAt(1)).rejects.toMatchObject({ code: 'CLOSED' });
  await expect(reading.refresh()).rejects.toMatchObject({ code: 'CLOSED' });
  await expect(Journal.openReadOnly({ dir, volume: 'f'.repeat(32) })).rejects.toMatchObject({ argument: 'volume' });
  await journal.close();
});

test('without a journal there is a clear error, and still none afterwards', async () => {
  const dir = newDirectory();
  const missing = join(dir, 'missing');
  const file = join(dir, 'file');
  writeFileSync(file, '');
  for (const path of [missing, dir, file]) {
    await expect(openReading(path), path).rejects.toMatchObject({ code: 'JOURNAL_MISSING', path });
  }
  expect(readdirSync(dir)).toEqual(['file']);
  mkdirSync(join(dir, 'cursors'));
  await expect(openReading(dir)).rejects.toMatchObject({ code: 'JOURNAL_MISSING' });
});

test('beside a writer: what is proved durable shows, the rest on request, and more after another look', async () => {
  const { journal, dir } = await sample();
  const reading = await openReading(dir);
  // The last group is proved by nothing yet: the next one will say that it was synced.
  expect([reading.last, reading.status().written]).toEqual([9, 10]);
  expect(await contents(reading)).toEqual(texts(1, 9));
  expect(await contents(reading, { unsynced: true })).toEqual(texts(1, 10));
  expect(await contents(reading, { from: 10, unsynced: true })).toEqual(texts(10, 10));
  expect([reading.lastChain, await reading.chainAt(10)]).toEqual([await journal.chainAt(9), undefined]);
  await journal.appendMany(texts(11, 20).map((text) => Buffer.from(text)));
  await journal.cursor('a').advance(12);
  expect(await contents(reading)).toEqual(texts(1, 9));
  await reading.refresh();
  // A cursor has passed part of the last group, so all of it was synced.
  expect([reading.last, reading.cursor('a').position]).toEqual([20, 12]);
  expect(await contents(reading)).toEqual(texts(1, 20));
  const unproving = await openReading(dir, { durability: 'none' });
  expect([unproving.last, unproving.status().written]).toEqual([10, 20]);
  expect(unproving.lastChain).toBe(await journal.chainAt(10));
  expect(await contents(unproving, { from: 15, unsynced: true })).toEqual(texts(15, 20));
  await journal.append(Buffer.from('record 21'));
  await journal.close();
  await reading.refresh();
  expect(reading.last).toBe(21);
});

test('a group of which nothing is proved does not show, though it begins the journal', async () => {
  const { journal, dir } = await newJournal();
  expect((await openReading(dir)).last).toBe(0);
  await journal.append(Buffer.from('record 1'));
  const reading = await openReading(dir);
  expect([reading.first, reading.last, reading.lastChain, await contents(reading)]).toEqual([1, 0, 0n, []]);
  expect(await contents(reading, { unsynced: true })).toEqual(['record 1']);
});

describe('as recovery would, but without its changes:', () => {
  const tornTails: [string, (path: string) => void, number][] = [
    ['a torn tail is left out', (path) => flipBit(path, recordsOf(path)[9]?.offset ?? 0), 9],
    [
      'garbage at the end is',
      (path) => writeFileSync(path, Buffer.concat([readFileSync(path), Buffer.alloc(99, 7)])),
      10,
    ],
  ];
  test.each(tornTails)('%s', async (_, damage, last) => {
    const { journal, dir } = await sample();
    const copy = crashCopy(dir);
    await journal.close();
    const path = lastSegment(copy);
    truncateSync(path, recordsOf(path).at(-1)?.group.end ?? 0);
    damage(path);
    const before = filesOf(copy);
    const reading = await openReading(copy);
    expect(reading.status()).toMatchObject({ last: 9, written: last, rows: ['torn tail'] });
    expect(await contents(reading, { unsynced: true })).toEqual(texts(1, last));
    expect(filesOf(copy)).toEqual(before);
  });

  test('a segment that was just being made is as if it were not there', async () => {
    const { journal, dir } = await sample();
    await journal.close();
    writeFileSync(join(dir, '000000000000000b.log'), Buffer.alloc(10));
    const before = filesOf(dir);
    const reading = await openReading(dir);
    expect(reading.last).toBe(10);
    expect(reading.status().rows).toEqual(['last segment was just being made', 'sound']);
    expect(filesOf(dir)).toEqual(before);
  });

  test('damage is refused', async () => {
    const { journal, dir } = await sample();
    await journal.close();
    const path = lastSegment(dir);
    flipBit(path, (recordsOf(path)[3]?.offset ?? 0) + 70);
    const damaged = { code: 'JOURNAL_DAMAGED', segment: path, fromSequence: 4, toSequence: 4 };
    await expect(openReading(dir)).rejects.toMatchObject(damaged);
    unlinkSync(path);
    await expect(openReading(dir)).rejects.toMatchObject({ code: 'JOURNAL_DAMAGED', segment: dir });
  });

  test.each(['reset', 'truncate'])('a %s that was not finished is for whoever writes', async (name) => {
    const { journal, dir } = await sample();
    await journal.close();
    writeFileSync(join(dir, name), '');
    await expect(openReading(dir)).rejects.toMatchObject({ code: 'JOURNAL_BUSY', recoverable: true });
  });
});

test('what is freed or cut while it is read is gone, and no damage', async () => {
  const { journal, dir } = await newJournal({ historyBytes: 0 });
  for (let next = 1; next <= 12; next++) await journal.append(Buffer.alloc(20_000, next));
  const reading = await openReading(dir);
  expect(reading.last).toBe(11);
  const iterator = reading.readBatches(3, { batchRecordsMax: 1 })[Symbol.asyncIterator]();
  await iterator.next();
  const later = reading.read(5)[Symbol.asyncIterator]();
  await journal.cursor('peer').advance(10);
  await expect.poll(() => journal.first).toBe(11);
  // The files of what was freed become those of what comes now.
  for (let next = 13; next <= 20; next++) await journal.append(Buffer.alloc(20_000, next));
  await expect(later.next()).rejects.toMatchObject({ code: 'SEQUENCE_GONE', sequence: 5 });
  expect(await reading.chainAt(7)).toBeUndefined();
  await journal.truncateAfter(11);
  await expect(collect(reading.read(11, { unsynced: true }))).rejects.toMatchObject({ code: 'SEQUENCE_GONE' });
  await iterator.return?.();
  await reading.refresh();
  expect([reading.first, reading.last]).toEqual([11, 11]);
});

test('beside a process that writes as fast as it can, every look is sound', async () => {
  const script = fileURLToPath(new URL('../../dist/test/journal/appender.js', import.meta.url));
  expect(existsSync(script), `${script} is missing: npm run build`).toBe(true);
  const dir = newDirectory();
  await (await openJournal({ dir, segmentBytes: 4 * SEGMENT_BYTES_MIN })).close();
  const child = spawn(process.execPath, [script, dir], { stdio: ['ignore', 'pipe', 'inherit'] });
  let acknowledged = 0;
  child.stdout.setEncoding('latin1').on('data', (text: string) => {
    for (const [, number] of text.matchAll(/^a (\d+)$/gm)) acknowledged = Math.max(acknowledged, Number(number));
  });
  const ended = new Promise((resolve) => child.on('close', resolve));
  try {
    const reading = await openReading(dir);
    let seen = 0;
    for (let looks = 0; acknowledged < 5000; looks++) {
      const before = reading.last;
      await reading.refresh().catch((error: { code?: string }) => expect(error.code).toBe('JOURNAL_BUSY'));
      expect(reading.last).toBeGreaterThanOrEqual(before);
      const records: JournalRecord[] = await collect(reading.read(Math.max(reading.first, reading.last - 100))).catch(
        (error: { code?: string }) => {
          expect(error.code, `look ${looks}`).toBe('SEQUENCE_GONE');
          return [];
        },
      );
      for (const { sequence, payload } of records) expect(payload.equals(payloadOf(sequence))).toBe(true);
      seen += records.length;
    }
    expect(seen).toBeGreaterThan(0);
  } finally {
    child.kill('SIGKILL');
    await ended;
  }
});
