import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { checksum64 } from '../../src/engine/checksum.js';
import { CURSOR, CURSOR_SLOT_STRIDE } from '../../src/journal/format/cursor-format.js';
import { expectRefusal, sample } from './damages.js';
import { flipBit, newDirectory, openJournal, patch } from './harness.js';

const path = (dir: string) => join(dir, 'cursors', 'peer.cursor');

async function moved(): Promise<string> {
  const dir = await sample('closed');
  const journal = await openJournal({ dir });
  const cursor = journal.cursor('peer');
  await cursor.advance(3);
  await cursor.advance(5);
  await journal.close();
  return dir;
}

// Counter 0 is the creation, so that the newest slot, counter 2, is the first in the file.
const slots: [string, number, number][] = [
  ['newest', 0, 3],
  ['older', CURSOR_SLOT_STRIDE, 5],
];
const cases = slots.flatMap(([slot, offset, position]) =>
  Object.entries(CURSOR).map(([field, at]) => [field, slot, offset + at, position] as const),
);

test.each(cases)('a bit of the %s in the %s slot flips: the other slot counts', async (_, __, offset, position) => {
  const dir = await moved();
  flipBit(path(dir), offset);
  const journal = await openJournal({ dir });
  expect(journal.cursor('peer').position).toBe(position);
  await journal.cursor('peer').advance(7);
  await journal.close();
  expect((await openJournal({ dir })).cursor('peer').position).toBe(7);
});

test('both slots are torn', async () => {
  const dir = await moved();
  flipBit(path(dir), 20);
  flipBit(path(dir), CURSOR_SLOT_STRIDE + 20);
  await expectRefusal(dir, { code: 'STATE_DAMAGED', path: path(dir) });
});

test('a slot of a later release', async () => {
  const dir = await moved();
  patch(path(dir), (bytes) => {
    bytes.writeUInt32LE(9, CURSOR.version);
    bytes.writeBigUInt64LE(checksum64(bytes.subarray(0, CURSOR.checksum)), CURSOR.checksum);
    return undefined;
  });
  await expectRefusal(dir, { code: 'FORMAT_VERSION', found: 9 });
});

test('one that was never finished is cleared away', async () => {
  const dir = await moved();
  writeFileSync(join(dir, 'cursors', 'other.cursor.tmp'), 'half');
  const journal = await openJournal({ dir });
  expect(journal.cursors().map((cursor) => cursor.name)).toEqual(['peer']);
  expect(readdirSync(join(dir, 'cursors'))).toEqual(['peer.cursor']);
});

test('an empty directory and one that is missing become new journals', async () => {
  const dir = newDirectory();
  const journal = await openJournal({ dir: join(dir, 'a', 'b') });
  expect(journal.recovery.rows).toEqual(['new journal']);
  expect(journal.volume).toMatch(/^[0-9a-f]{32}$/);
});
