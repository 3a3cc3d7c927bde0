import { readdirSync, readFileSync } from 'node:fs';
import * as promises from 'node:fs/promises';
import { join, relative } from 'node:path';
import { expect, test } from 'vitest';
import { Journal, type JournalFileSystem } from '../../src/journal/journal.js';
import { tables } from '../docs/tables.js';
import { crashCopy, flipBit, newDirectory, newJournal, openJournal, recordsOf, segmentFiles } from './harness.js';

const document = readFileSync(new URL('../../docs/journal-format.md', import.meta.url), 'utf8');

/** What stands in pointed brackets in the names of the document. */
const PARTS: Record<string, string> = {
  first: '[0-9a-f]{16}',
  number: '[1-9]\\d*',
  offset: '\\d+',
  name: '[a-z0-9_%=-]+',
  token: '[0-9a-f]{32}',
  random: '[0-9a-f]{32}',
};

/** The names that the document knows, by how it writes them. */
const DOCUMENTED = new Map<string, RegExp>();
for (const { name = '' } of tables(document).find((table) => table.heading === 'The directory')?.rows ?? []) {
  const text = name.replaceAll('`', '');
  if (text === '*.tmp') continue;
  const pattern = text.replaceAll('.', '\\.').replace(/<(\w+)>/g, (_, part: string) => `${PARTS[part]}`);
  DOCUMENTED.set(text, new RegExp(`^${pattern}(\\.tmp)?$`));
}

/** A file system that keeps the name of each file that it opens or names. */
class NamingFileSystem {
  readonly paths = new Set<string>();
  readonly fs: JournalFileSystem = {
    ...promises,
    open: (path, ...rest) => {
      this.paths.add(String(path));
      return promises.open(path, ...rest);
    },
    rename: (from, to) => {
      this.paths.add(String(from));
      this.paths.add(String(to));
      return promises.rename(from, to);
    },
  };
}

test('every name that a journal gives to a file is in the document, and the other way round', async () => {
  const seen = new Set<string>();
  const { fs, paths } = new NamingFileSystem();
  const note = (dir: string) => {
    const listed = readdirSync(dir, { recursive: true, encoding: 'utf8' }).map((name) => join(dir, name));
    for (const path of [...paths, ...listed]) seen.add(relative(dir, path));
    paths.clear();
  };
  const source = await fill(newDirectory(), promises);

  const damaged = newDirectory();
  await (await fill(damaged, fs)).close();
  const [first = ''] = segmentFiles(damaged);
  flipBit(first, (recordsOf(first)[0]?.offset ?? 0) + 64);
  await Journal.repair({ dir: damaged, from: 1, to: 2, source: (from) => source.read(from), fs });
  note(damaged);

  const { journal, dir } = await newJournal({ fs, historyBytes: 0 });
  for (let index = 0; index < 3; index++) await journal.append(Buffer.alloc(40_000));
  expect(await journal.writeSide(1, Buffer.from('side'))).toBe(true);
  await journal.cursor('peer').advance(2);
  await journal.truncateAfter(2);
  await journal.append(Buffer.alloc(100));
  await journal.reset(9, 1n);
  await journal.append(Buffer.alloc(8000));
  note(dir);

  const torn = crashCopy(dir);
  const active = segmentFiles(torn).at(-1) ?? '';
  await promises.truncate(active, (recordsOf(active)[0]?.offset ?? 0) + 100);
  await openJournal({ dir: torn, fs });
  note(torn);

  const files = [...seen].filter((name) => !['', 'cursors'].includes(name));
  for (const name of files)
    expect(
      [...DOCUMENTED.values()].some((pattern) => pattern.test(name)),
      name,
    ).toBe(true);
  for (const [text, pattern] of DOCUMENTED) {
    // Only the holder of a stale lock has one, for a moment; lock.test.ts sees to it.
    if (text !== 'lock.<token>')
      expect(
        files.some((name) => pattern.test(name)),
        text,
      ).toBe(true);
  }
});

/** A journal of three segments. */
async function fill(dir: string, fs: JournalFileSystem): Promise<Journal> {
  const journal = await openJournal({ dir, fs, volume: 'ab'.repeat(16) });
  for (let index = 0; index < 5; index++) await journal.append(Buffer.alloc(30_000, index));
  return journal;
}
