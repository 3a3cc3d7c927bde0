import { kernels } from './engine.js';

/**
 * XXH64, the checksum of everything that is stored or sent. It finds accidents, not forgeries: what a stranger could
 * choose is identified by the keyed digest instead.
 */
export function checksum64(bytes: Uint8Array, seed = 0n): bigint {
  return kernels.checksum64(bytes, seed);
}

/** The same checksum of bytes that lie in several parts. */
export function checksumOfParts(parts: readonly Uint8Array[], seed = 0n): bigint {
  return parts.length === 1 ? checksum64(parts[0] as Uint8Array, seed) : kernels.checksumParts(parts, seed);
}
