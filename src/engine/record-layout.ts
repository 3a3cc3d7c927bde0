/**
 * A record of a journal in memory and on disk, which the kernels walk; all numbers are little endian, and each record
 * starts at a multiple of 8. docs/journal-format.md says what the fields mean.
 *
 *   64-byte header, key, payload, zeros up to the next multiple of 8
 */

export const RECORD_HEADER_BYTES = 64;
export const RECORD_ALIGNMENT = 8;

export const RECORD = {
  sequence: 0,
  epoch: 8,
  timestamp: 16,
  offset: 24,
  payloadChecksum: 32,
  payloadLength: 40,
  keyLength: 44,
  kind: 46,
  reserved: 47,
  chain: 48,
  headerChecksum: 56,
} as const;

/** The canonical record, which the chain runs over: bytes 0 to here. */
export const CANONICAL_BYTES = RECORD.chain;

/** The key length of a record without a key. */
export const NO_KEY = 0xffff;

export function recordBytes(keyLength: number, payloadLength: number): number {
  const bytes = RECORD_HEADER_BYTES + keyLength + payloadLength;
  return Math.ceil(bytes / RECORD_ALIGNMENT) * RECORD_ALIGNMENT;
}
