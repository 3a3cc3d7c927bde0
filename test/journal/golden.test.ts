import { cpSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { cursorFileName } from '../../src/journal/format/cursor-format.js';
import { segmentName } from '../../src/journal/format/format.js';
import { Journal } from '../../src/journal/journal.js';
import { type Expected, expectedOf } from './golden/expected.js';
import { makeGolden, OTHER_VOLUME, RESET_BASE, RESET_CHAIN, VOLUME } from './golden/make.js';
import { readJournal } from './golden/reader.js';
import { collect, newDirectory, openJournal, snapshot } from './harness.js';

/** Journals that are kept in git, each opened as a copy: what comes out of them must never change. */

const GOLDEN = fileURLToPath(new URL('golden', import.meta.url));

function copyOf(name: string): string {
  const dir = newDirectory();
  cpSync(join(GOLDEN, name), dir, { recursive: true });
  mkdirSync(join(dir, 'cursors'), { recursive: true });
  return dir;
}

function expectedIn(name: string): Expected {
  return JSON.parse(readFileSync(join(GOLDEN, `${name}.json`), 'utf8')) as Expected;
}

/** Name, what the open finds, how many records nothing proves durable, whether it was closed. */
const SOUND = [
  ['closed', 'sound', 0, true],
  ['reopened', 'sound', 1, false],
  ['killed', 'sound', 4, false],
  ['recycled', 'sound', 1, false],
] as const;

describe.each(SOUND)('a sound journal: %s', (name, row, rewritten, closed) => {
  const { volume, records, cursors } = expectedIn(name);

  test('opens, and holds what was appended', async () => {
    const dir = copyOf(name);
    const journal = await openJournal({ dir });
    expect(journal.recovery).toEqual({ rows: [row], tails: [], rewritten });
    expect(journal.volume).toBe(volume);
    expect((await collect(journal.read(journal.first))).map(expectedOf)).toEqual(records);
    expect(journal.cursors().map(({ name, position }) => ({ name, position }))).toEqual(cursors);
    for (const { sequence, chain } of records) expect(await journal.chainAt(sequence)).toBe(BigInt(`0x${chain}`));
    expect(journal.first).toBe(records[0]?.sequence);
    expect(await journal.append(Buffer.from('more'))).toBe((records.at(-1)?.sequence ?? 0) + 1);
  });

  test('shows the same to who only reads', async () => {
    const dir = copyOf(name);
    const before = snapshot(dir);
    const journal = await Journal.openReadOnly({ dir });
    const all = await collect(journal.read(journal.first, { unsynced: true }));
    expect(all.map(expectedOf)).toEqual(records);
    expect(journal.last).toBe((records.at(-1)?.sequence ?? 0) - rewritten);
    await journal.close();
    expect(snapshot(dir)).toEqual(before);
  });

  test('can be read with what the document says', () => {
    const read = readJournal(copyOf(name));
    expect(read.records.map(expectedOf)).toEqual(records);
    expect(read).toMatchObject({ volume, closed });
    const chains = new Map(read.records.map(({ sequence, chain }) => [sequence, chain]));
    for (const [index, { file, position, chain }] of read.cursors.entries()) {
      expect({ file, position }).toEqual({
        file: cursorFileName(cursors[index]?.name ?? ''),
        position: cursors[index]?.position,
      });
      if (chains.has(position)) expect(chain).toBe(chains.get(position));
    }
  });
});

test('the recycled segment has groups and a footer of another time behind its own', () => {
  const bytes = readFileSync(join(GOLDEN, 'recycled', segmentName(42)));
  expect(bytes.readUInt16LE(6)).toBe(1);
  const sequences: number[] = [];
  for (let at = 8192; at >= 0; at = bytes.indexOf('LHGR', at + 1)) {
    if (bytes.toString('latin1', at, at + 4) === 'LHGR') sequences.push(Number(bytes.readBigUInt64LE(at + 8)));
  }
  expect(sequences.at(0)).toBeLessThan(20);
  expect(sequences.at(-1)).toBeGreaterThan(20);
  expect(bytes.toString('latin1', bytes.length - 64, bytes.length - 60)).toBe('LHFT');
});

test('a torn tail is cut off and kept aside', async () => {
  const { records } = expectedIn('killed');
  const dir = copyOf('torn');
  expect(readJournal(dir).records.map(expectedOf)).toEqual(records.slice(0, 2));
  const journal = await openJournal({ dir });
  const end = 4096 + 2 * (48 + 64) + 32 + 16;
  const tail = join(dir, `${segmentName(1)}.${end}.tail`);
  expect(journal.recovery).toEqual({ rows: ['torn tail'], tails: [tail], rewritten: 0 });
  expect((await collect(journal.read(1))).map(expectedOf)).toEqual(records.slice(0, 2));
  const torn = readFileSync(join(GOLDEN, 'torn', segmentName(1)));
  const kept = readFileSync(tail);
  expect(kept.equals(torn.subarray(end, end + kept.length))).toBe(true);
  expect(torn.subarray(end + kept.length).every((byte) => byte === 0)).toBe(true);
});

test('a cut that was decided is carried out', async () => {
  const { records, cursors } = expectedIn('cut-decided');
  const dir = copyOf('cut-decided');
  await expect(Journal.openReadOnly({ dir })).rejects.toMatchObject({ code: 'JOURNAL_BUSY' });
  const journal = await openJournal({ dir });
  expect(journal.last).toBe(3);
  expect((await collect(journal.read(1))).map(expectedOf)).toEqual(records);
  expect(journal.cursors().map(({ name, position }) => ({ name, position }))).toEqual(cursors);
  expect(journal.cursor('behind').chain).toBe(BigInt(`0x${records.at(-1)?.chain}`));
  const start = 4096 + (48 + 72) + (48 + 72 + 80);
  const names = readdirSync(dir).filter((name) => !name.endsWith('.socket'));
  expect(names.sort()).toEqual([segmentName(1), `${segmentName(1)}.${start}.tail`, 'cursors', 'lock']);
  await journal.close();
  expect(readJournal(dir)).toMatchObject({ records: [{}, {}, {}], closed: true });
});

test('a reset that was decided is carried out', async () => {
  const { cursors } = expectedIn('reset-decided');
  const dir = copyOf('reset-decided');
  const journal = await openJournal({ dir });
  expect(journal).toMatchObject({ first: RESET_BASE, last: RESET_BASE - 1, lastChain: RESET_CHAIN });
  expect(journal.cursors().map(({ name, position }) => ({ name, position }))).toEqual(cursors);
  expect(journal.cursor('peer').chain).toBe(RESET_CHAIN);
  expect(await journal.append(Buffer.from('the first again'))).toBe(RESET_BASE);
  await journal.close();
  expect(readJournal(dir)).toMatchObject({ records: [{ sequence: RESET_BASE }], closed: true });
});

/** Name, options, and what the error says of which file. */
const REFUSED: [name: string, o: { volume?: string }, error: object, place?: [field: string, file: string]][] = [
  [
    'payload-damaged',
    {},
    {
      code: 'JOURNAL_DAMAGED',
      offset: 4096 + 48,
      fromSequence: 1,
      toSequence: 1,
      found: 'payload checksum differs',
    },
    ['segment', segmentName(1)],
  ],
  [
    'segment-missing',
    {},
    {
      code: 'JOURNAL_DAMAGED',
      offset: 0,
      fromSequence: 9,
      toSequence: 9,
      found: 'the segment before it is missing',
    },
    ['segment', segmentName(10)],
  ],
  ['later-version', {}, { code: 'FORMAT_VERSION', found: 3, supported: 2 }, ['path', segmentName(1)]],
  ['other-volume', { volume: VOLUME }, { code: 'STATE_DAMAGED' }, ['path', segmentName(1)]],
  ['closed', { volume: OTHER_VOLUME }, { code: 'INVALID_ARGUMENT', argument: 'volume' }],
];

test.each(REFUSED)('%s is refused, and nothing is changed', async (name, o, error, place) => {
  const dir = copyOf(name);
  const before = snapshot(dir);
  const expected = { ...error, ...(place === undefined ? {} : { [place[0]]: join(dir, place[1]) }) };
  await expect(openJournal({ dir, ...o })).rejects.toMatchObject(expected);
  await expect(Journal.openReadOnly({ dir, ...o })).rejects.toMatchObject(expected);
  expect(snapshot(dir)).toEqual(before);
});

test('the golden journals are what a journal writes today', async () => {
  const dir = newDirectory();
  await makeGolden(dir);
  const made = new Map([...snapshot(dir)].map(([path, bytes]) => [relative(dir, path), bytes]));
  const kept = [...snapshot(GOLDEN)].map(([path, bytes]) => [relative(GOLDEN, path), bytes] as const);
  const names = kept.map(([name]) => name).filter((name) => !name.endsWith('.ts'));
  expect([...made.keys()].sort()).toEqual(names.sort());
  // Not left to the comparison of strings, which would print all of both.
  for (const [name, bytes] of kept) if (!name.endsWith('.ts')) expect(made.get(name) === bytes, name).toBe(true);
});
