import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { checksum64 } from '../../src/engine/checksum.js';
import { RECORD_HEADER_BYTES } from '../../src/engine/record-layout.js';
import {
  FORMAT_VERSION,
  GROUP_HEADER_BYTES,
  PAGE_BYTES,
  SEGMENT,
  segmentName,
} from '../../src/journal/format/format.js';
import { craftGroup, craftSegment, padded } from './craft.js';
import { expectRefusal, sample, segmented } from './damages.js';
import {
  contents,
  crashCopy,
  endOfRecords,
  flipBit,
  lastSegment,
  newDirectory,
  newJournal,
  openJournal,
  patch,
  recordsOf,
  VOLUME,
} from './harness.js';

/** Sound bytes in the wrong place: of another journal, another release, another record, or an earlier life of the file. */

/** Gives a segment header another value and a checksum to match. */
function forge(path: string, change: (bytes: Buffer) => void): void {
  patch(path, (bytes) => {
    change(bytes);
    bytes.writeBigUInt64LE(checksum64(bytes.subarray(0, SEGMENT.checksum)), SEGMENT.checksum);
    return undefined;
  });
}

const file = (files: string[], index: number): string => files[index] ?? '';

describe('of another journal', () => {
  test.each([2, 6])('a segment, number %i', async (index) => {
    const { dir, files } = await segmented();
    forge(file(files, index), (bytes) => bytes.fill(0xee, SEGMENT.volume, SEGMENT.first));
    await expectRefusal(dir, { code: 'STATE_DAMAGED', path: file(files, index) });
  });

  test('all of them', async () => {
    const { dir } = await segmented();
    await expect(openJournal({ dir, volume: 'f'.repeat(32) })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      argument: 'volume',
    });
    expect((await openJournal({ dir, volume: VOLUME })).volume).toBe(VOLUME);
  });
});

describe.each([
  ['an earlier', 1],
  ['a later', FORMAT_VERSION + 1],
])('of %s release', (_, version) => {
  test.each([0, 2, 6])('a segment, number %i', async (index) => {
    const { dir, files } = await segmented();
    forge(file(files, index), (bytes) => bytes.writeUInt16LE(version, SEGMENT.version));
    await expectRefusal(dir, {
      code: 'FORMAT_VERSION',
      path: file(files, index),
      found: version,
      supported: FORMAT_VERSION,
    });
  });

  test.each(['reset', 'truncate'])('a decision, %s', async (name) => {
    const { dir, files } = await segmented();
    const path = join(dir, name);
    writeFileSync(path, readFileSync(file(files, 2)).subarray(0, 104));
    forge(path, (bytes) => bytes.writeUInt16LE(version, SEGMENT.version));
    await expectRefusal(dir, { code: 'FORMAT_VERSION', path, found: version, supported: FORMAT_VERSION });
  });
});

/** The last segment up to the end of its records, without the room that may lie behind. */
function usedBytes(dir: string): Buffer {
  const path = lastSegment(dir);
  return readFileSync(path).subarray(0, endOfRecords(path));
}

describe('stored as a payload', () => {
  test('a whole journal proves nothing', async () => {
    const inner = usedBytes(await sample('closed'));
    const { journal, dir } = await newJournal({ volume: VOLUME });
    await journal.appendMany([Buffer.from('first'), inner, inner.subarray(40), Buffer.from('last')]);
    const copy = crashCopy(dir);
    flipBit(lastSegment(copy), recordsOf(lastSegment(copy))[0]?.offset ?? 0);
    const again = await openJournal({ dir: copy });
    expect(again.last).toBe(0);
    expect(again.recovery.rows).toEqual(['torn tail']);
  });

  test('the segment itself proves no more than is true', async () => {
    const { journal, dir } = await newJournal({ volume: VOLUME });
    await journal.append(Buffer.from('one'));
    await journal.append(Buffer.from('two'));
    await journal.append(usedBytes(dir));
    const copy = crashCopy(dir);
    // The header of the group is gone, so that the headers within its payload come to light.
    const torn = recordsOf(lastSegment(copy))[2]?.group.offset ?? 0;
    patch(lastSegment(copy), (bytes) => bytes.fill(0, torn, torn + GROUP_HEADER_BYTES + RECORD_HEADER_BYTES));
    const again = await openJournal({ dir: copy });
    expect(again.recovery.rows).toEqual(['torn tail with sound parts']);
    expect(await contents(again)).toEqual(['one', 'two']);
    expect(await again.append(Buffer.from('three'))).toBe(3);
    await again.close();
    expect(await contents(await openJournal({ dir: copy }))).toEqual(['one', 'two', 'three']);
  });
});

describe('of an earlier life of the file', () => {
  const three = (from: number, sizes: readonly number[]) =>
    sizes.map((size, index) => ({ payload: Buffer.alloc(size, `record ${from + index} `) }));
  const small = [50, 50, 50];

  /** This life's groups, and behind them what the last one wrote there: the same records that would come next. */
  function twoLives(sizes: readonly number[], gap: 'page' | 'none'): { image: Buffer; last: number } {
    const now = craftSegment([three(1, small), three(4, sizes)], { recycled: true, salt: 2 });
    const before = craftSegment([], { salt: 1 });
    const stale = [7, 10, 13].reduce(
      ({ bytes, chain }, first) => {
        const group = craftGroup(three(first, [700, 700, 700]), first, chain, before.seed);
        return { bytes: Buffer.concat([bytes, group.bytes]), chain: group.chain };
      },
      { bytes: Buffer.alloc(0), chain: now.chain },
    );
    return { image: Buffer.concat([gap === 'page' ? padded(now) : now.bytes, stale.bytes]), last: now.last };
  }

  function place(image: Buffer): string {
    const dir = newDirectory();
    writeFileSync(join(dir, segmentName(1)), image);
    return dir;
  }

  /** Payloads of the second group that end right where a page does. */
  const toPageEnd = [1144, 1144, 1160];

  test.each([
    ['behind the page in which the log ends', small, 'page', 'sound'],
    ['right behind the log, which ends with a page', toPageEnd, 'none', 'sound'],
    ['right behind the log, in the same page', small, 'none', 'torn tail'],
  ] as const)('groups whose numbers and chain go on: %s', async (_, sizes, gap, row) => {
    const { image, last } = twoLives(sizes, gap);
    const dir = place(image);
    const end = recordsOf(lastSegment(dir))[5]?.group.end ?? 0;
    expect(end % PAGE_BYTES === 0).toBe(sizes === toPageEnd);
    const journal = await openJournal({ dir });
    expect(journal.last).toBe(last);
    expect(journal.recovery.rows).toEqual([row]);
    expect(await journal.append(Buffer.from('this life'))).toBe(last + 1);
    await journal.close();
    const again = await openJournal({ dir });
    expect((await contents(again)).at(-1)).toBe('this life');
    expect(again.recovery.rows).toEqual(['sound']);
  });

  test('a group of this life that lost its header is not there when the next one has but its header', async () => {
    // The header of the next group has the end of the page to itself.
    const now = craftSegment([[{ payload: Buffer.alloc(3936) }]], { recycled: true });
    const group = craftGroup([{ payload: Buffer.alloc(8000, 'T') }], 2, now.chain, now.seed).bytes;
    const dir = place(Buffer.concat([now.bytes, Buffer.alloc(GROUP_HEADER_BYTES), group.subarray(GROUP_HEADER_BYTES)]));
    const end = now.bytes.length;
    expect((end + GROUP_HEADER_BYTES) % PAGE_BYTES).toBe(0);
    const journal = await openJournal({ dir });
    expect(journal).toMatchObject({ last: 1, recovery: { rows: ['sound'], tails: [] } });
    const copy = crashCopy(dir);
    patch(lastSegment(copy), (bytes) => void group.copy(bytes, end, 0, GROUP_HEADER_BYTES));
    expect(await openJournal({ dir: copy })).toMatchObject({ last: 1, recovery: { rows: ['torn tail'] } });
  });

  test('the footer of that life is none', async () => {
    const { journal, dir } = await newJournal({ volume: VOLUME, historyBytes: 0 });
    const cursor = journal.cursor('peer');
    for (let index = 0; index < 6; index++) {
      await journal.append(Buffer.alloc(50_000, index));
      await cursor.advance(journal.last);
    }
    await journal.append(Buffer.from('tail'));
    const copy = crashCopy(dir);
    const again = await openJournal({ dir: copy });
    expect(again.last).toBe(7);
    expect((await contents(again)).at(-1)).toBe('tail');
  });
});
