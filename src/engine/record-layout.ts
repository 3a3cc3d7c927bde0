/**
 * A record as it lies in a journal's segment; all numbers are little endian. A header, the key, the payload, and zeros
 * up to a multiple of 8. `sealRecords` fills in the three checksums, `checkRecords` checks them.
 *
 *   payloadChecksum  XXH64 of the payload, the seed being the XXH64 of the key (of nothing when there is no key)
 *   chain            XXH64 of the canonical record, the seed being the chain of the record before
 *   headerChecksum   XXH64 of the header up to here, the seed being the segment's
 */

export const RECORD_HEADER_BYTES = 64;
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

/** The canonical record is the header up to here: what the record is, wherever it was written. */
export const CANONICAL_BYTES = RECORD.chain;

/** The `keyLength` of a record without a key. */
export const NO_KEY = 0xffff;
export const RECORD_ALIGNMENT = 8;

/** What a record takes: header, key, payload and padding. */
export function recordBytes(keyLength: number, payloadLength: number): number {
  return Math.ceil((RECORD_HEADER_BYTES + keyLength + payloadLength) / RECORD_ALIGNMENT) * RECORD_ALIGNMENT;
}

/** What `sealRecords` and `checkRecords` read and leave in their `state`. */
export const STATE = {
  /** The seed of the header checksums. */
  segmentSeed: 0,
  /** The chain up to the record before; afterwards, up to the last sealed or sound one. */
  chain: 1,
  /** Checking only: the sequence number that comes next. */
  sequence: 2,
  /** Checking only: why it stopped, one of `STOP`. */
  stop: 3,
  /** Checking only: the epoch of the record before; no later one may have a lower one. */
  epoch: 4,
} as const;
export const SEAL_STATE_FIELDS = 2;
export const CHECK_STATE_FIELDS = 5;

/** Why `checkRecords` stopped. A record that has several faults is told by the first in the order of the checks. */
export const STOP = {
  /** The end is reached, or `found` is full. */
  end: 0,
  /** The end cuts a header off, or the content of a record whose header is sound. */
  cutOff: 1,
  headerChecksum: 2,
  sequence: 3,
  chain: 4,
  payloadChecksum: 5,
  epoch: 6,
} as const;
