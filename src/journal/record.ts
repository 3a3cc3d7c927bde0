import { checksum64 } from '../engine/checksum.js';
import { CANONICAL_BYTES, NO_KEY, RECORD, RECORD_HEADER_BYTES, recordBytes } from '../engine/record-layout.js';
import { getU64, setU64, viewOf } from './format.js';

/** Encoding and decoding of one record; the kernels in engine/ fill in and check the checksums. */

export interface JournalRecord {
  sequence: number;
  epoch: number;
  kind: number;
  /** Microseconds since 1970. */
  timestamp: number;
  key?: Buffer;
  offset?: number;
  payload: Buffer;
  /** XXH64 over key and payload, as stored. */
  checksum: bigint;
  /** The chain up to and including this record. */
  chain: bigint;
}

/** A record on its way into the journal. */
export interface Entry {
  sequence: number;
  epoch: number;
  kind: number;
  timestamp: number;
  key: Uint8Array | undefined;
  offset: number | undefined;
  payload: Uint8Array;
  /** What the record takes on disk. */
  bytes: number;
}

const EMPTY_KEY_SEED = checksum64(new Uint8Array(0));
const ALL_ONES = 0xffffffff;

/** XXH64 over key, then payload: the hash of the key is the seed for the payload. */
export function payloadChecksum(key: Uint8Array | undefined, payload: Uint8Array): bigint {
  return checksum64(payload, key === undefined ? EMPTY_KEY_SEED : checksum64(key));
}

/** What the chain runs over, at `at` of the bytes, but for the checksum of the payload. */
function encodeCanonical(view: DataView, at: number, entry: Entry): void {
  const { key, payload } = entry;
  setU64(view, at + RECORD.sequence, entry.sequence);
  setU64(view, at + RECORD.epoch, entry.epoch);
  setU64(view, at + RECORD.timestamp, entry.timestamp);
  if (entry.offset === undefined) {
    view.setUint32(at + RECORD.offset, ALL_ONES, true);
    view.setUint32(at + RECORD.offset + 4, ALL_ONES, true);
  } else {
    setU64(view, at + RECORD.offset, entry.offset);
  }
  view.setUint32(at + RECORD.payloadLength, payload.length, true);
  view.setUint16(at + RECORD.keyLength, key === undefined ? NO_KEY : key.byteLength, true);
  view.setUint16(at + RECORD.kind, entry.kind, true);
}

/** The chain of a record that is not encoded yet. */
export class ChainLink {
  private readonly bytes = new Uint8Array(CANONICAL_BYTES);
  private readonly view = viewOf(this.bytes);

  after(previous: bigint, entry: Entry, checksum: bigint): bigint {
    encodeCanonical(this.view, 0, entry);
    this.view.setBigUint64(RECORD.payloadChecksum, checksum, true);
    return checksum64(this.bytes, previous);
  }
}

/** Writes the record at `at` of the memory; the kernel that seals it fills in its checksums. */
export function encodeRecord({ bytes, view }: { bytes: Uint8Array; view: DataView }, at: number, entry: Entry): void {
  const { key, payload } = entry;
  encodeCanonical(view, at, entry);
  // The last eight bytes hold the padding, and the end of key or payload, which comes over it.
  view.setUint32(at + entry.bytes - 8, 0, true);
  view.setUint32(at + entry.bytes - 4, 0, true);
  let position = at + RECORD_HEADER_BYTES;
  if (key !== undefined) {
    bytes.set(key, position);
    position += key.byteLength;
  }
  bytes.set(payload, position);
}

export function sequenceAt(view: DataView, at: number): number {
  return getU64(view, at + RECORD.sequence);
}

export function timestampAt(view: DataView, at: number): number {
  return getU64(view, at + RECORD.timestamp);
}

export function chainOfRecordAt(view: DataView, at: number): bigint {
  return view.getBigUint64(at + RECORD.chain, true);
}

export function keyLengthAt(view: DataView, at: number): number {
  const length = view.getUint16(at + RECORD.keyLength, true);
  return length === NO_KEY ? 0 : length;
}

/** What the record at `at` takes, as its header says; the caller sees to it that the header lies in the bytes. */
export function recordBytesAt(view: DataView, at: number): number {
  return recordBytes(keyLengthAt(view, at), view.getUint32(at + RECORD.payloadLength, true));
}

/** The record at `at`, which has been checked or was never on a disk; key and payload are views of the bytes. */
export function decodeRecord(bytes: Buffer, view: DataView, at: number): JournalRecord {
  const keyStart = at + RECORD_HEADER_BYTES;
  const keyEnd = keyStart + keyLengthAt(view, at);
  const record: JournalRecord = {
    sequence: getU64(view, at + RECORD.sequence),
    epoch: getU64(view, at + RECORD.epoch),
    kind: view.getUint8(at + RECORD.kind),
    timestamp: getU64(view, at + RECORD.timestamp),
    payload: bytes.subarray(keyEnd, keyEnd + view.getUint32(at + RECORD.payloadLength, true)),
    checksum: view.getBigUint64(at + RECORD.payloadChecksum, true),
    chain: view.getBigUint64(at + RECORD.chain, true),
  };
  if (view.getUint16(at + RECORD.keyLength, true) !== NO_KEY) record.key = bytes.subarray(keyStart, keyEnd);
  if (view.getUint32(at + RECORD.offset + 4, true) !== ALL_ONES) record.offset = getU64(view, at + RECORD.offset);
  return record;
}
