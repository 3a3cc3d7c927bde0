import { describe, expect, test } from 'vitest';
import { randomFor, rounds, SEED } from '../support/seed.js';
import { engines } from './engines.js';

/** Mostly zeros, as a difference is. */
function sparse(length: number, salt: number): Buffer {
  const random = randomFor(salt);
  const bytes = Buffer.alloc(length);
  for (let at = random.below(90); at < length; at += random.below(random.pick([3, 90, 400])))
    bytes[at] ||= random.u32() | 1;
  return bytes;
}

/** Maximal runs of zeros by the definition. */
function runsByDefinition(bytes: Uint8Array, start: number, end: number, minBytes: number): number[] {
  const runs: number[] = [];
  for (let at = start; at < end; at++) {
    if (bytes[at] !== 0) continue;
    const from = at;
    while (at < end && bytes[at] === 0) at++;
    if (at - from >= minBytes) runs.push(from, at);
  }
  return runs;
}

describe.each(engines)('differences, %s', (_, { xorBytes, firstNonZero, zeroRuns }) => {
  test(`xor, wherever the bytes lie, also in place (seed ${SEED})`, () => {
    const random = randomFor(40);
    for (let round = 0; round < rounds(200); round++) {
      const length = random.below(random.pick([5, 40, 3000]));
      const room = random.bytes(3 * length + 100);
      const at = [0, 1, 2].map((place) => place * (length + 16) + random.below(16));
      const [a, b, into] = at.map((from) => room.subarray(from, from + length)) as [Buffer, Buffer, Buffer];
      const expected = Buffer.from(a.map((byte, index) => byte ^ (b[index] as number)));
      const before = Buffer.from(room);
      xorBytes(a, b, into);
      expected.copy(before, at[2]);
      expect(room.equals(before), `round ${round}`).toBe(true);
      const [first, second] = [Buffer.from(a), Buffer.from(b)];
      xorBytes(first, b, first);
      xorBytes(a, second, second);
      expect(first.equals(expected) && second.equals(expected), `in place, round ${round}`).toBe(true);
      xorBytes(a, a, a);
      expect(a.every((byte) => byte === 0)).toBe(true);
    }
  });

  test(`the first byte that is not zero (seed ${SEED})`, () => {
    const random = randomFor(41);
    for (let round = 0; round < rounds(300); round++) {
      const room = Buffer.alloc(400, 1);
      const bytes = room.subarray(random.below(9), random.between(200, 400));
      const start = random.below(bytes.byteLength);
      const end = random.between(start, bytes.byteLength);
      const at = random.between(start, end);
      bytes.fill(0, start, at);
      expect(firstNonZero(bytes, start, end), `round ${round}`).toBe(at);
    }
  });

  test(`runs of zeros are those of the definition, also call by call (seed ${SEED})`, () => {
    const random = randomFor(42);
    for (let round = 0; round < rounds(150); round++) {
      const bytes = sparse(random.below(random.pick([20, 300, 5000])), 43 + round);
      const start = random.below(bytes.byteLength + 1);
      const end = random.between(start, bytes.byteLength);
      const minBytes = random.pick([1, 2, 8, 30, 64, 65, 300, 2 ** 32 - 1]);
      const expected = runsByDefinition(bytes, start, end, minBytes);
      const runs = new Uint32Array(random.pick([2, 3, 8, 10_000]));
      const found: number[] = [];
      for (let at = start; ; ) {
        const count = zeroRuns(bytes, at, end, minBytes, runs);
        found.push(...runs.subarray(0, 2 * count));
        if (count < Math.floor(runs.length / 2)) break;
        at = runs[2 * count - 1] as number;
      }
      expect(found, `round ${round}`).toEqual(expected);
    }
  });
});
