import assert from 'node:assert/strict';
import type { ContentKernels } from '../src/engine/content-kernels.js';
import { FEATURES, GEAR, MATCH_FIELDS } from '../src/engine/content-layout.js';
import { gearOf } from '../src/engine/gear.js';
import type { Random } from './random.js';
import type { FuzzTarget } from './target.js';
import { twins } from './twins.js';

const CUTS = 200;

/** Chunks, digests and checksums are the same from both engines, whole and in pieces. */
export const contentChunks: FuzzTarget = {
  name: 'content-chunks',
  run(random) {
    const bytes = content(random, random.below(random.pick([100, 3000, 250_000])));
    const gear = randomGear(random);
    const key = random.bytes(32);
    const seed = random.u64();
    const head = random.chance(0.5) ? 0 : random.below(bytes.byteLength + 1);
    const [expected, answer] = twins.map((kernels) => chunkAndDigest(kernels, bytes, gear, key, seed, head));
    assert.deepEqual(answer, expected);
    const pieces = random.slices(bytes, random.pick([1 + Math.ceil(bytes.byteLength / 100), 20_000, 250_000]));
    const [whole, ...others] = [[bytes], pieces].flatMap((list) => twins.map((kernels) => cutAll(kernels, list, gear)));
    for (const other of others) assert.deepEqual(other, whole);
  },
};

/** Differences and runs of zeros are the same from both engines, and a difference applied gives the bytes back. */
export const contentDelta: FuzzTarget = {
  name: 'content-delta',
  run(random) {
    const length = random.below(random.pick([10, 300, 5000]));
    const room = random.bytes(3 * length + 48);
    const at = [0, 1, 2].map((part) => part * (length + 16) + random.below(16));
    const [a, b, into] = at.map((from) => room.subarray(from, from + length)) as [Buffer, Buffer, Buffer];
    const sparse = content(random, random.below(3000));
    const start = random.below(sparse.byteLength + 1);
    const end = random.between(start, sparse.byteLength);
    const minBytes = random.between(1, random.pick([2, 20, 500]));
    const [expected, answer] = twins.map((kernels) => {
      kernels.xorBytes(a, b, into);
      const difference = Buffer.from(into);
      kernels.xorBytes(into, b, into);
      assert.deepEqual(into, a);
      const runs = new Uint32Array(2 * 5);
      const count = kernels.zeroRuns(sparse, start, end, minBytes, runs);
      return [difference, kernels.firstNonZero(sparse, start, end), count, runs];
    });
    assert.deepEqual(answer, expected);
  },
};

/** Matches are the same from both engines, and base and literals make the target again. */
export const contentMatch: FuzzTarget = {
  name: 'content-match',
  run(random) {
    const base = content(random, random.below(random.pick([20, 3000, 40_000])));
    const target = rewritten(random, base);
    const start = random.chance(0.5) ? 0 : random.below(target.byteLength + 1);
    const matchesMax = random.pick([1, 4, 20_000]);
    const [expected, answer] = twins.map((kernels) => {
      const matches = new Uint32Array(MATCH_FIELDS * matchesMax);
      return matches.slice(0, MATCH_FIELDS * kernels.matchBytes(base, target, start, matches));
    });
    assert.deepEqual(answer, expected);
    const restored = Buffer.from(target);
    let end = start;
    for (let index = 0; index < (answer as Uint32Array).length; index += MATCH_FIELDS) {
      const [at, baseAt, length] = (answer as Uint32Array).subarray(index, index + MATCH_FIELDS) as unknown as number[];
      assert.ok((at as number) >= end && (length as number) > 0, 'in order, without overlap');
      end = (at as number) + (length as number);
      assert.ok(end <= target.byteLength && (baseAt as number) + (length as number) <= base.byteLength, 'within both');
      base.copy(restored.fill(0, at, end), at, baseAt, (baseAt as number) + (length as number));
    }
    assert.deepEqual(restored, target);
  },
};

/** Parts of the base in their place, or moved, with new content in between and bytes that have changed. */
function rewritten(random: Random, base: Buffer): Buffer {
  const parts: Buffer[] = [];
  let at = 0;
  for (let count = random.below(8); count > 0; count--) {
    if (random.chance(0.4)) at = random.below(base.byteLength + 1);
    const part = base.subarray(at, at + random.below(random.pick([20, 300, 20_000])));
    at += part.byteLength;
    const fresh = content(random, random.below(random.pick([1, 10, 400])));
    if (random.chance(0.5)) at += fresh.byteLength;
    parts.push(part, fresh);
  }
  const whole = Buffer.concat(parts);
  for (let count = random.below(20); count > 0 && whole.byteLength > 0; count--) {
    whole[random.below(whole.byteLength)] = random.u32();
  }
  return whole;
}

function chunkAndDigest(
  kernels: ContentKernels,
  bytes: Buffer,
  gear: Uint32Array,
  key: Buffer,
  seed: bigint,
  head: number,
): unknown[] {
  const [cuts, tags] = [new Uint32Array(CUTS), new BigUint64Array(CUTS + 1)];
  const count = kernels.digestChunks(bytes, 0, bytes.byteLength, gear, key, cuts, tags, head);
  const features = new Uint32Array(FEATURES);
  const samples = kernels.sketch(bytes, head, bytes.byteLength, gear, features);
  const ranges = Uint32Array.from({ length: 2 * count }, (_, at) => (at === 0 ? 0 : (cuts[(at - 1) >> 1] as number)));
  const [digests, sums] = [new Uint8Array(16 * count), new BigUint64Array(count)];
  kernels.digestRanges(bytes, ranges, key, digests);
  kernels.checksumRanges(bytes, ranges, seed, sums);
  for (let index = 0; index < count; index++) {
    assert.equal(
      Buffer.from(digests.buffer).readBigUInt64LE(16 * index),
      tags[index],
      'a tag is the start of the digest',
    );
  }
  return [count, cuts, tags, digests, sums, samples, features];
}

function cutAll(kernels: ContentKernels, pieces: readonly Buffer[], gear: Uint32Array): number[] {
  const [state, cuts] = [new Uint32Array(2), new Uint32Array(CUTS)];
  const all: number[] = [];
  let position = 0;
  for (const piece of pieces) {
    for (let at = 0; at < piece.byteLength; ) {
      const count = kernels.cutChunks(piece, at, piece.byteLength, gear, state, cuts);
      for (const cut of cuts.subarray(0, count)) all.push(position + cut);
      at = count === CUTS ? (cuts[CUTS - 1] as number) : piece.byteLength;
    }
    position += piece.byteLength;
  }
  return [...all, ...state];
}

function randomGear(random: Random): Uint32Array {
  const averageBytes = random.between(256, random.pick([300, 5000, 100_000]));
  const gear = gearOf({ key: random.bytes(32), averageBytes });
  // The kernels take more than the options allow.
  if (random.chance(0.3)) gear[GEAR.minBytes] = random.between(32, averageBytes);
  if (random.chance(0.3)) gear[GEAR.limit] = random.u32();
  return gear;
}

/** Noise and zeros in turn. */
function content(random: Random, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at < length; at += random.below(random.pick([10, 500, 20_000]))) {
    const noise = random.bytes(Math.min(length - at, random.below(random.pick([2, 500, 20_000]))));
    noise.copy(bytes, at);
    at += noise.byteLength + 1;
  }
  return bytes;
}
