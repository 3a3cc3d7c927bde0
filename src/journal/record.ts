import { checksum64 } from '../engine/checksum.js';
import {
  CANONICAL_END,
  CANONICAL_START,
  getU64,
  NO_KEY,
  RECORD,
  RECORD_ALIGNMENT,
  RECORD_HEADER_BYTES,
  RECORD_MAGIC,
  setU64,
  viewOf,
} from './format.js';

/** Encoding, decoding and checking of one record; the layout is in format.ts. */

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

/** A record on its way to disk. */
export interface Entry {
  sequence: number;
  epoch: number;
  kind: number;
  timestamp: number;
  key: Uint8Array | undefined;
  offset: number | undefined;
  payload: Uint8Array;
  checksum: bigint;
  /** What the record takes on disk. */
  bytes: number;
}

export interface RecordHeader {
  sequence: number;
  epoch: number;
  kind: number;
  timestamp: number;
  offset: number | undefined;
  hasKey: boolean;
  keyLength: number;
  payloadLength: number;
  payloadChecksum: bigint;
  durableThrough: number;
  chain: bigint;
  bytes: number;
}

const EMPTY_KEY_SEED = checksum64(new Uint8Array(0));
const ALL_ONES = 0xffffffff;

export function recordBytes(keyLength: number, payloadLength: number): number {
  const bytes = RECORD_HEADER_BYTES + keyLength + payloadLength;
  return Math.ceil(bytes / RECORD_ALIGNMENT) * RECORD_ALIGNMENT;
}

/** XXH64 over key, then payload: the hash of the key is the seed for the payload. */
export function payloadChecksum(key: Uint8Array | undefined, payload: Uint8Array): bigint {
  return checksum64(payload, key === undefined ? EMPTY_KEY_SEED : checksum64(key));
}

/** Encodes headers into one scratch buffer that is reused, with the hashed ranges as views made once. */
export class HeaderEncoder {
  readonly bytes = new Uint8Array(RECORD_HEADER_BYTES);
  private readonly view = viewOf(this.bytes);
  private readonly canonical = this.bytes.subarray(CANONICAL_START, CANONICAL_END);
  private readonly checked = this.bytes.subarray(0, RECORD.headerChecksum);

  /** Leaves the header in `bytes` and returns the record's chain. */
  encode(entry: Entry, previousChain: bigint, durableThrough: number, seed: bigint): bigint {
    const view = this.view;
    view.setUint32(RECORD.magic, RECORD_MAGIC, true);
    setU64(view, RECORD.sequence, entry.sequence);
    setU64(view, RECORD.epoch, entry.epoch);
    setU64(view, RECORD.timestamp, entry.timestamp);
    if (entry.offset === undefined) {
      view.setUint32(RECORD.offset, ALL_ONES, true);
      view.setUint32(RECORD.offset + 4, ALL_ONES, true);
    } else {
      setU64(view, RECORD.offset, entry.offset);
    }
    view.setBigUint64(RECORD.payloadChecksum, entry.checksum, true);
    view.setUint32(RECORD.payloadLength, entry.payload.byteLength, true);
    view.setUint16(RECORD.keyLength, entry.key === undefined ? NO_KEY : entry.key.byteLength, true);
    view.setUint8(RECORD.kind, entry.kind);
    setU64(view, RECORD.durableThrough, durableThrough);
    const chain = checksum64(this.canonical, previousChain);
    view.setBigUint64(RECORD.chain, chain, true);
    view.setBigUint64(RECORD.headerChecksum, checksum64(this.checked, seed), true);
    return chain;
  }
}

/** A stretch of a segment in memory. */
export class Block {
  readonly view: DataView;
  constructor(
    readonly bytes: Buffer,
    /** Where the block starts in the segment. */
    readonly fileOffset: number,
  ) {
    this.view = viewOf(bytes);
  }

  get fileEnd(): number {
    return this.fileOffset + this.bytes.byteLength;
  }
}

/**
 * Decodes the header at `at` of the block, or says what is wrong with it. The caller sees to it that the whole header
 * lies in the block.
 */
export function decodeHeader(block: Block, at: number, seed: bigint): RecordHeader | string {
  const view = block.view;
  if (view.getUint32(at + RECORD.magic, true) !== RECORD_MAGIC) return 'no record starts here';
  const checked = new Uint8Array(block.bytes.buffer, block.bytes.byteOffset + at, RECORD.headerChecksum);
  if (view.getBigUint64(at + RECORD.headerChecksum, true) !== checksum64(checked, seed))
    return 'header checksum differs';
  const keyLength = view.getUint16(at + RECORD.keyLength, true);
  const hasKey = keyLength !== NO_KEY;
  const payloadLength = view.getUint32(at + RECORD.payloadLength, true);
  const noOffset = view.getUint32(at + RECORD.offset + 4, true) === ALL_ONES;
  return {
    sequence: getU64(view, at + RECORD.sequence),
    epoch: getU64(view, at + RECORD.epoch),
    kind: view.getUint8(at + RECORD.kind),
    timestamp: getU64(view, at + RECORD.timestamp),
    offset: noOffset ? undefined : getU64(view, at + RECORD.offset),
    hasKey,
    keyLength: hasKey ? keyLength : 0,
    payloadLength,
    payloadChecksum: view.getBigUint64(at + RECORD.payloadChecksum, true),
    durableThrough: getU64(view, at + RECORD.durableThrough),
    chain: view.getBigUint64(at + RECORD.chain, true),
    bytes: recordBytes(hasKey ? keyLength : 0, payloadLength),
  };
}

/** The record whose header lies at `at`, its key and payload being views of the block; undefined when they are damaged. */
export function decodeRecord(block: Block, at: number, header: RecordHeader): JournalRecord | undefined {
  const keyEnd = at + RECORD_HEADER_BYTES + header.keyLength;
  const key = header.hasKey ? block.bytes.subarray(at + RECORD_HEADER_BYTES, keyEnd) : undefined;
  const payload = block.bytes.subarray(keyEnd, keyEnd + header.payloadLength);
  if (payloadChecksum(key, payload) !== header.payloadChecksum) return undefined;
  const record: JournalRecord = {
    sequence: header.sequence,
    epoch: header.epoch,
    kind: header.kind,
    timestamp: header.timestamp,
    payload,
    checksum: header.payloadChecksum,
    chain: header.chain,
  };
  if (key !== undefined) record.key = key;
  if (header.offset !== undefined) record.offset = header.offset;
  return record;
}

/** The chain that a record must have after the given one: computed anew, to check what a header claims. */
export function chainAfter(previousChain: bigint, block: Block, at: number): bigint {
  const start = block.bytes.byteOffset + at;
  return checksum64(
    new Uint8Array(block.bytes.buffer, start + CANONICAL_START, CANONICAL_END - CANONICAL_START),
    previousChain,
  );
}
