import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BlockMap } from '../../src/reduce/block-map.js';
import type { Outline } from '../../src/reduce/outline.js';
import { PositionIndex } from '../../src/reduce/position-index.js';
import { SEED } from '../support/seed.js';

const BLOCK = 4096;
const KEY = 0x1234_5678_9abc_def0n;
const NO_WORDS = new Uint32Array(0);

const write = (sequence: number, offset: number, bytes: number, key = KEY): Outline => ({
  sequence,
  bytes,
  key,
  offset,
  ends: NO_WORDS,
  tags: NO_WORDS,
});

function mapOf(...outlines: Outline[]): BlockMap {
  const map = new BlockMap(new PositionIndex(1000));
  for (const outline of outlines) map.note(outline);
  return map;
}

const all = () => true;

describe('what was last written where', () => {
  test('is the newest record that covers a block, neighbours made one', () => {
    const map = mapOf(write(1, 0, 8 * BLOCK), write(2, 2 * BLOCK, BLOCK), write(3, 5 * BLOCK, 2 * BLOCK));
    expect(map.bases(KEY, 0, 8 * BLOCK, all)).toEqual([
      { sequence: 1, offset: 0, length: 2 * BLOCK },
      { sequence: 2, offset: 0, length: BLOCK },
      { sequence: 1, offset: 3 * BLOCK, length: 2 * BLOCK },
      { sequence: 3, offset: 0, length: 2 * BLOCK },
      { sequence: 1, offset: 7 * BLOCK, length: BLOCK },
    ]);
    expect(map.bases(KEY, 2 * BLOCK + 300, 250, all)).toEqual([{ sequence: 2, offset: 256, length: 512 }]);
    expect(map.bases(KEY, 8 * BLOCK, BLOCK, all)).toEqual([]);
  });

  test('is told in whole units of 256 bytes where a record starts or ends within a block', () => {
    const map = mapOf(write(4, 100, 5000));
    expect(map.bases(KEY, 0, BLOCK, all)).toEqual([{ sequence: 4, offset: 156, length: BLOCK - 256 }]);
    expect(map.bases(KEY, BLOCK, BLOCK, all)).toEqual([{ sequence: 4, offset: BLOCK - 100, length: 768 }]);
    expect(map.bases(KEY, BLOCK, 1, all)).toEqual([{ sequence: 4, offset: BLOCK - 100, length: 256 }]);
    expect(map.bases(KEY, BLOCK + 768, 1, all)).toEqual([]);
  });

  test('stays when less than half of a block is written, unless no more was known', () => {
    const map = mapOf(write(1, 0, BLOCK), write(2, 512, 1024));
    expect(map.bases(KEY, 0, BLOCK, all)).toEqual([{ sequence: 1, offset: 0, length: BLOCK }]);
    map.note(write(3, 512, 2048));
    expect(map.bases(KEY, 0, BLOCK, all)).toEqual([{ sequence: 3, offset: 0, length: 2048 }]);
    const other = mapOf(write(1, 0, 512), write(2, 1024, 512), write(3, 2048, 100));
    expect(other.bases(KEY, 0, BLOCK, all)).toEqual([{ sequence: 2, offset: 0, length: 512 }]);
  });

  test('is of its own key, has to be usable, and leaves with history', () => {
    const places = new PositionIndex(1000);
    const map = new BlockMap(places);
    for (const outline of [write(1, 0, BLOCK), write(2, 0, BLOCK, KEY + (1n << 40n)), write(3, BLOCK, BLOCK)])
      map.note(outline);
    expect(map.bases(KEY, 0, BLOCK, all)).toEqual([{ sequence: 1, offset: 0, length: BLOCK }]);
    expect(map.bases(KEY, 0, 2 * BLOCK, (sequence) => sequence > 1)).toEqual([
      { sequence: 3, offset: 0, length: BLOCK },
    ]);
    places.dropBefore(3);
    expect(map.bases(KEY, 0, 2 * BLOCK, all)).toEqual([{ sequence: 3, offset: 0, length: BLOCK }]);
    places.clear();
    expect(map.bases(KEY, 0, 2 * BLOCK, all)).toEqual([]);
  });

  test('is known of what has a key and an offset alone', () => {
    const { key: _, ...keyless } = write(1, 0, BLOCK);
    const { offset: __, ...placeless } = write(2, 0, BLOCK);
    expect(mapOf(keyless, placeless).bases(KEY, 0, BLOCK, all)).toEqual([]);
  });

  test('of blocks 2^32 apart and at the end of all offsets is told apart', () => {
    const far = BLOCK * 2 ** 32;
    const end = Number.MAX_SAFE_INTEGER - 8191;
    const map = mapOf(write(1, 0, BLOCK), write(2, far, BLOCK), write(3, end, 8191));
    expect(map.bases(KEY, 0, BLOCK, all)).toEqual([{ sequence: 1, offset: 0, length: BLOCK }]);
    expect(map.bases(KEY, far, BLOCK, all)).toEqual([{ sequence: 2, offset: 0, length: BLOCK }]);
    expect(map.bases(KEY, end, 8191, all)[0]?.sequence).toBe(3);
  });

  test('always lies within the payload of its record, and in the same place of its object', () => {
    const writes = fc.array(fc.tuple(fc.nat(5 * BLOCK), fc.nat(3 * BLOCK)), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(writes, fc.nat(5 * BLOCK), fc.nat(4 * BLOCK), (list, offset, bytes) => {
        const outlines = list.map(([at, length], index) => write(index + 1, at, length));
        const bases = mapOf(...outlines).bases(KEY, offset, bytes, all);
        let before = Number.NEGATIVE_INFINITY;
        for (const base of bases) {
          const record = outlines[base.sequence - 1] as Outline;
          expect(base.length).toBeGreaterThan(0);
          expect(base.offset + base.length).toBeLessThanOrEqual(record.bytes);
          const place = (record.offset as number) + base.offset;
          expect(place).toBeGreaterThan(before - 1);
          expect(place + base.length).toBeGreaterThan(offset - (offset % BLOCK));
          expect(place).toBeLessThan(offset + bytes + BLOCK);
          before = place + base.length;
        }
      }),
      { seed: SEED, numRuns: 500 },
    );
  });
});
