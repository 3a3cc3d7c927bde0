import { describe, expect, test } from 'vitest';
import { randomFor, SEED } from '../support/seed.js';
import { engines } from './engines.js';

const SANITY_SEED = 2654435761n;

/** The bytes that the reference implementation of XXH64 checks itself with. */
function sanityBytes(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = SANITY_SEED;
  for (let at = 0; at < length; at++) {
    bytes[at] = Number(state >> 56n);
    state = (state * 11400714785074694797n) & 0xffff_ffff_ffff_ffffn;
  }
  return bytes;
}

describe.each(engines)('XXH64, %s', (_, { checksum64, checksumParts }) => {
  test.each<[length: number, seed: bigint, expected: bigint]>([
    [0, 0n, 0xef46db3751d8e999n],
    [0, SANITY_SEED, 0xac75fda2929b17efn],
    [1, 0n, 0xe934a84adb052768n],
    [1, SANITY_SEED, 0x5014607643a9b4c3n],
    [4, 0n, 0x9136a0dca57457een],
    [14, 0n, 0x8282dcc4994e35c8n],
    [14, SANITY_SEED, 0xc3bd6bf63deb6df0n],
    [222, 0n, 0xb641ae8cb691c174n],
    [222, SANITY_SEED, 0x20cb8ab7ae10c14an],
  ])('of %d bytes with seed %d', (length, seed, expected) => {
    expect(checksum64(sanityBytes(length), seed)).toBe(expected);
  });

  test('only the lower 64 bits of a seed count', () => {
    expect(checksum64(sanityBytes(14), SANITY_SEED + (1n << 64n))).toBe(0xc3bd6bf63deb6df0n);
    expect(checksum64(sanityBytes(14), -1n)).toBe(checksum64(sanityBytes(14), (1n << 64n) - 1n));
  });

  test('of no parts, and of empty ones', () => {
    expect([checksumParts([], 0n), checksumParts([new Uint8Array(0), new Uint8Array(0)], 0n)]).toEqual([
      0xef46db3751d8e999n,
      0xef46db3751d8e999n,
    ]);
  });

  test(`bytes that lie anywhere, whole and in pieces (seed ${SEED})`, () => {
    const random = randomFor(1);
    const bytes = random.bytes(100_000);
    for (let round = 0; round < 200; round++) {
      const from = random.below(bytes.byteLength);
      const part = bytes.subarray(from, from + random.below(random.pick([100, 5000, 100_000])));
      const seed = random.u64();
      const pieces = [...random.slices(part, 5000)];
      expect(checksumParts(pieces, seed), `round ${round}`).toBe(checksum64(part, seed));
    }
  });
});
