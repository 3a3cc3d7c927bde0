import { kernels } from './engine.js';
import { startPortableChecksum64 } from './portable.js';

/**
 * XXH64, the checksum of everything that is stored or sent. It finds accidents, not forgeries: what a stranger could
 * choose is identified by the keyed digest instead.
 */
export function checksum64(bytes: Uint8Array, seed = 0n): bigint {
  return kernels.checksum64(bytes, seed);
}

/** The same checksum over bytes that come in pieces. */
export interface Checksum64 {
  update(bytes: Uint8Array): unknown;
  digest(): bigint;
}

export function startChecksum64(seed = 0n): Checksum64 {
  return startPortableChecksum64(seed);
}
