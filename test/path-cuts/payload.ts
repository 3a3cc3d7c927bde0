import { Random } from '../../fuzz/random.js';

const BYTES_MAX = 64 * 1024;

/** Random bytes, different for each record of each seed, and of any length up to 64 KiB. */
export function payloadOf(seed: number, sequence: number): Buffer {
  const random = new Random((seed + sequence * 0x9e37_79b1) >>> 0);
  return random.bytes(random.below(random.pick([64, 4096, BYTES_MAX])));
}
