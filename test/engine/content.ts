import type { Random } from '../../fuzz/random.js';
import { GEAR, GEAR_STATE_FIELDS } from '../../src/engine/content-layout.js';
import { type ChunkOptions, gearOf } from '../../src/engine/gear.js';
import type { Kernels } from '../../src/engine/kernels.js';

/** Bytes and chunks for the tests of the kernels that look at content. */

export const KEY = Uint8Array.from({ length: 32 }, (_, at) => at);

/** The bytes 0, 1, … 250, 0, …, which the official test vectors of BLAKE3 are made of. */
export const vectorBytes = (length: number): Uint8Array => Uint8Array.from({ length }, (_, at) => at % 251);

export const smallGear = (options: Partial<ChunkOptions> = {}): Uint32Array =>
  gearOf({ key: KEY, averageBytes: 300, minBytes: 64, maxBytes: 700, ...options });

/** A gear that the kernels take and `gearOf` would not make: extreme lengths, limits and tables. */
export function wildGear(random: Random): Uint32Array {
  const gear = smallGear();
  gear[GEAR.minBytes] = random.between(32, random.pick([32, 40, 500, 100_000]));
  gear[GEAR.maxBytes] = (gear[GEAR.minBytes] as number) + random.below(random.pick([1, 100, 5000, 1_000_000]));
  gear[GEAR.limit] = random.pick([0, 1, 1 << 20, 2 ** 26, 2 ** 31, 2 ** 32 - 1, random.u32()]);
  if (random.chance(0.1)) gear.fill(random.u32(), GEAR.table);
  return gear;
}

/** Noise, a pattern, zeros, or pieces of all of them. */
export function mixedBytes(random: Random, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at < length; ) {
    const to = Math.min(length, at + random.between(1, random.pick([50, 3000, 300_000])));
    const kind = random.below(3);
    const [value, period] = [random.below(256), random.between(1, 300)];
    for (let index = at; index < to; index++)
      bytes[index] = kind === 0 ? random.u32() : kind === 1 ? index % period : value;
    at = to;
  }
  return bytes;
}

/** Chunks by the definition, one hash at a time. */
export function cutsByDefinition(bytes: Uint8Array, gear: Uint32Array): number[] {
  const [minBytes = 0, maxBytes = 0, limit = 0] = gear;
  const cuts: number[] = [];
  let open = 0;
  let hash = 0;
  for (const [at, byte] of bytes.entries()) {
    hash = (2 * hash + (gear[GEAR.table + byte] as number)) % 2 ** 32;
    const length = at + 1 - open;
    if (length !== maxBytes && (length < minBytes || hash >= limit)) continue;
    cuts.push(at + 1);
    open = at + 1;
  }
  return cuts;
}

/** All cuts of a stream that comes in pieces, in calls that take `cutsMax` at a time, and the state at its end. */
export function cutsOf(
  { cutChunks }: Pick<Kernels, 'cutChunks'>,
  pieces: readonly Uint8Array[],
  gear: Uint32Array,
  cutsMax = 1000,
): { cuts: number[]; state: number[] } {
  const [state, found] = [new Uint32Array(GEAR_STATE_FIELDS), new Uint32Array(cutsMax)];
  const cuts: number[] = [];
  let position = 0;
  for (const piece of pieces) {
    for (let at = 0; at < piece.byteLength; ) {
      const count = cutChunks(piece, at, piece.byteLength, gear, state, found);
      for (const cut of found.subarray(0, count)) cuts.push(position + cut);
      at = count === cutsMax ? (found[count - 1] as number) : piece.byteLength;
    }
    position += piece.byteLength;
  }
  return { cuts, state: [...state] };
}
