import { describe, expect, test } from 'vitest';
import type { Random } from '../../fuzz/random.js';
import { type Lz4, lz4, lz4Reason, portableLz4 } from '../../src/engine/lz4.js';
import { randomFor, rounds, SEED } from '../support/seed.js';

/** Text, runs, noise and repetitions from far and near. */
function content(random: Random): Buffer {
  const parts: Buffer[] = [];
  for (let count = random.below(random.pick([3, 60])); count > 0; count--) {
    const length = random.below(random.pick([4, 20, 300, 70_000]));
    const earlier = Buffer.concat(parts);
    const from = random.below(earlier.byteLength + 1);
    parts.push(
      random.pick([
        () => random.bytes(length),
        () => Buffer.alloc(length, random.u32()),
        () => Buffer.alloc(length, 'abcdefgh'.slice(0, random.between(1, 8))),
        () => earlier.subarray(from, from + length),
      ])(),
    );
  }
  return Buffer.concat(parts);
}

/** A block with its length in front, as the format has it. */
const block = (length: number, ...bytes: number[]): Buffer => Buffer.from([length, 0, 0, 0, ...bytes]);

const twins: [string, Lz4, Lz4][] = [
  ['the portable one unpacks what the binary packed', lz4, portableLz4],
  ['the binary unpacks what the portable one packed', portableLz4, lz4],
  ['the portable one unpacks its own', portableLz4, portableLz4],
];

test('the binary is used where it is installed', () => {
  expect(lz4Reason).toBeUndefined();
  expect(lz4).not.toBe(portableLz4);
});

describe.each(twins)('%s', (_, packing, unpacking) => {
  test(`whatever it was (seed ${SEED})`, async () => {
    const random = randomFor(60);
    for (let round = 0; round < rounds(60); round++) {
      const bytes = content(random);
      const packed = packing.compressSync(bytes);
      expect(unpacking.uncompressSync(packed).equals(bytes), `round ${round}`).toBe(true);
      expect((await unpacking.uncompress(await packing.compress(bytes))).equals(bytes), `round ${round}`).toBe(true);
    }
  });

  test('of every small size', () => {
    for (let length = 0; length < 600; length++) {
      const bytes = Buffer.alloc(length, 7);
      expect(unpacking.uncompressSync(packing.compressSync(bytes)).equals(bytes), String(length)).toBe(true);
    }
  });
});

describe('the portable one', () => {
  test('packs text nearly as tight as the binary', () => {
    const text = Buffer.from(
      Array.from({ length: 20_000 }, (_, at) => `${at % 977} sheep, ${at % 13} dogs\n`).join(''),
    );
    const [ours, theirs] = [portableLz4, lz4].map((one) => one.compressSync(text).byteLength) as [number, number];
    expect(ours / theirs).toBeLessThan(1.15);
  });

  test('grows noise by less than half a per cent', () => {
    const noise = randomFor(61).bytes(200_000);
    expect(portableLz4.compressSync(noise).byteLength).toBeLessThan(201_000);
  });

  test.each([
    ['literals alone', block(3, 0x30, 1, 2, 3), [1, 2, 3]],
    ['nothing', block(0, 0), []],
    ['a match that reaches into itself', block(7, 0x12, 9, 1, 0, 0x00), [9, 9, 9, 9, 9, 9, 9]],
    ['a match of two bytes in turn', block(9, 0x23, 8, 9, 2, 0, 0), [8, 9, 8, 9, 8, 9, 8, 9, 8]],
    ['a length that goes on', block(21, 0x1f, 5, 1, 0, 1, 0), new Array(21).fill(5)],
  ])('unpacks %s', (_, packed, bytes) => {
    for (const one of [portableLz4, lz4]) expect([...one.uncompressSync(packed)]).toEqual(bytes);
  });

  test.each([
    ['an empty block', block(0)],
    ['more than was said', block(2, 0x30, 1, 2, 3)],
    ['less than was said', block(4, 0x30, 1, 2, 3)],
    ['literals behind the end', block(3, 0x30, 1, 2)],
    ['a match before the beginning', block(7, 0x12, 9, 2, 0, 0)],
    ['a match at itself', block(7, 0x12, 9, 0, 0, 0)],
    ['a match longer than what was said', block(6, 0x12, 9, 1, 0, 0)],
    ['half an offset', block(7, 0x12, 9, 1)],
    ['an end with a match', block(7, 0x12, 9, 1, 0)],
    ['a length without its end', block(200, 0xf0, 255, 255)],
  ])('refuses %s', (_, packed) => {
    expect(() => portableLz4.uncompressSync(packed)).toThrow(/no LZ4 block/);
  });

  test(`makes of damaged blocks what was said or an error (seed ${SEED})`, () => {
    const random = randomFor(62);
    for (let round = 0; round < rounds(400); round++) {
      const bytes = content(random).subarray(0, 5_000);
      const packed = portableLz4.compressSync(bytes);
      for (let hits = random.between(1, 4); hits > 0; hits--) {
        if (packed.byteLength > 4) packed[random.between(4, packed.byteLength - 1)] = random.u32();
      }
      const damaged = packed.subarray(0, random.pick([packed.byteLength, random.between(4, packed.byteLength)]));
      try {
        expect(portableLz4.uncompressSync(damaged).byteLength).toBe(bytes.byteLength);
      } catch (error) {
        expect((error as Error).message, `round ${round}`).toMatch(/^no LZ4 block of \d+ bytes$/);
      }
    }
  });
});
