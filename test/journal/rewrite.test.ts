import { promises, readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { DATA_START } from '../../src/journal/format/format.js';
import type { JournalFileSystem } from '../../src/journal/journal.js';
import { contents, crashCopy, lastSegment, newJournal, openJournal, recordsOf } from './harness.js';

/** What an open has read and nothing proves durable is written again, as it was read. */

/** Shows what was read of a segment, and from where, before the caller gets to see it. */
function reading(show: (bytes: Buffer, position: number) => void): JournalFileSystem {
  const open = async (path: string, flags: string) => {
    const handle = await promises.open(path, flags);
    if (!path.endsWith('.log')) return handle;
    return new Proxy(handle, {
      get(target, property) {
        if (property !== 'read') {
          const value: unknown = Reflect.get(target, property);
          return typeof value === 'function' ? value.bind(target) : value;
        }
        return async (buffer: Buffer, offset: number, length: number, position: number) => {
          const result = await target.read(buffer, offset, length, position);
          show(buffer.subarray(offset, offset + result.bytesRead), position);
          return result;
        };
      },
    });
  };
  return { ...promises, open } as JournalFileSystem;
}

/** A journal that died after three records, each of several pages in a group of its own; only two are proved durable. */
async function died(): Promise<{ dir: string; path: string; lost: number; end: number }> {
  const { journal } = await newJournal();
  for (const text of ['a', 'b', 'c']) await journal.append(Buffer.alloc(9000, text));
  const dir = crashCopy(journal.dir);
  const path = lastSegment(dir);
  const { offset = 0, end = 0 } = recordsOf(path)[2]?.group ?? {};
  return { dir, path, lost: offset + 5000, end };
}

test('a page that was read and is not on the disk is met as it is there: its group is cut off', async () => {
  const { dir, path, lost } = await died();
  let evicted = false;
  const fs = reading((_, position) => {
    if (evicted || position !== DATA_START) return;
    evicted = true;
    writeFileSync(path, readFileSync(path).fill(0, lost));
  });
  const journal = await openJournal({ dir, fs });
  // Nothing proved it durable, so nobody was ever told that it was.
  expect(journal).toMatchObject({ last: 2, recovery: { rows: ['sound', 'torn tail'] } });
  await journal.append(Buffer.from('d'));
  await journal.close();
  expect((await contents(await openJournal({ dir }))).map((text) => text[0])).toEqual(['a', 'b', 'd']);
});

test('a disk that gives something else each time is given up, and nothing bad is written', async () => {
  const { dir, path, lost, end } = await died();
  const before = readFileSync(path);
  const fs = reading((bytes, position) => {
    if (position + bytes.length === end) bytes.fill(0, Math.max(0, lost - position));
  });
  await expect(openJournal({ dir, fs })).rejects.toMatchObject({ code: 'STORAGE_FAILED', path });
  expect(readFileSync(path).equals(before)).toBe(true);
});

test('a group that is larger than a block is written again whole', async () => {
  const { journal } = await newJournal({ segmentBytes: 16 * 1024 * 1024 });
  await journal.append(Buffer.from('small'));
  await journal.append(Buffer.alloc(3 * 1024 * 1024, 'x'));
  const again = await openJournal({ dir: crashCopy(journal.dir), segmentBytes: 16 * 1024 * 1024 });
  expect(again).toMatchObject({ last: 2, lastChain: journal.lastChain, recovery: { rows: ['sound'], rewritten: 1 } });
});
