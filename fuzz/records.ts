import assert from 'node:assert/strict';
import type { Kernels } from '../src/engine/kernels.js';
import { InvalidArgumentError } from '../src/errors.js';
import { encode, randomRecords } from './journal-records.js';
import type { Random } from './random.js';
import type { FuzzTarget } from './target.js';
import { twins } from './twins.js';

const FIRST = 41;
const FOUND_MAX = 20;

/** Records are sealed and checked the same by both engines, also damaged ones and noise. */
export const records: FuzzTarget = {
  name: 'records',
  run(random) {
    const given = random.chance(0.8) ? encode(randomRecords(random, random.below(30), FIRST)).bytes : random.bytes(300);
    const seed = random.u64();
    const [first, second] = twins.map((kernels) => seal(kernels, given, seed)) as [Sealed, Sealed];
    assert.equal(second.outcome, first.outcome);
    assert.ok(second.bytes.equals(first.bytes));
    const bytes = damaged(random, first.bytes);
    const start = random.chance(0.9) ? 0 : random.below(bytes.byteLength + 1);
    const end = random.chance(0.7) ? bytes.byteLength : random.between(start, bytes.byteLength);
    const wide = random.chance(0.5);
    const [expected, answer] = twins.map((kernels) => {
      const state = BigUint64Array.of(seed, 7n, BigInt(FIRST), 99n, 0n);
      const found = wide ? new Float64Array(FOUND_MAX) : new Uint32Array(FOUND_MAX);
      return [kernels.checkRecords(bytes, start, end, state, found), state, found];
    });
    assert.deepEqual(answer, expected);
  },
};

/** XXH64 of anything, wherever it lies, is the same from both engines. */
export const checksums: FuzzTarget = {
  name: 'checksums',
  run(random) {
    const room = random.bytes(random.below(random.pick([40, 300, 5000])));
    const bytes = room.subarray(random.below(Math.min(room.byteLength, 16) + 1));
    const seed = random.pick([0n, random.u64(), -random.u64(), random.u64() << 7n]);
    const [expected, answer] = twins.map((kernels) => kernels.checksum64(bytes, seed));
    assert.equal(answer, expected);
  },
};

interface Sealed {
  bytes: Buffer;
  outcome: string;
}

function seal(kernels: Kernels, given: Uint8Array, seed: bigint): Sealed {
  const bytes = Buffer.from(given);
  const state = BigUint64Array.of(seed, 7n);
  try {
    return { bytes, outcome: `${kernels.sealRecords(bytes, 0, bytes.byteLength, state)} ${state}` };
  } catch (error) {
    if (!(error instanceof InvalidArgumentError)) throw error;
    return { bytes, outcome: `${error.message} ${state}` };
  }
}

function damaged(random: Random, sound: Buffer): Buffer {
  const bytes = Buffer.from(sound);
  for (let flips = random.below(3); flips > 0 && bytes.byteLength > 0; flips--) {
    bytes[random.below(bytes.byteLength)] = random.u32();
  }
  return bytes;
}
