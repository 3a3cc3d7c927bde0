import { checksum64 } from '../engine/checksum.js';

/**
 * The bytes of a journal on disk, as specified in docs/journal-format.md; all numbers are little endian.
 *
 *   segment  64-byte header, then records, each starting at a multiple of 8
 *   record   80-byte header, key, payload, zeros up to a multiple of 8
 *
 * This file owns the layouts and the segment header; record.ts encodes and decodes records.
 */

export const FORMAT_VERSION = 1;

/** "LHSG" and "LHRC" as the bytes lie in the file. */
export const SEGMENT_MAGIC = 0x4753484c;
export const RECORD_MAGIC = 0x4352484c;

export const SEGMENT_HEADER_BYTES = 64;
export const SEGMENT = {
  magic: 0,
  version: 4,
  volume: 8,
  first: 24,
  chain: 32,
  epoch: 40,
  previousRecords: 48,
  salt: 52,
  checksum: 56,
} as const;

export const RECORD_HEADER_BYTES = 80;
export const RECORD = {
  magic: 0,
  flags: 4,
  sequence: 8,
  epoch: 16,
  timestamp: 24,
  offset: 32,
  payloadChecksum: 40,
  payloadLength: 48,
  keyLength: 52,
  kind: 54,
  reserved: 55,
  durableThrough: 56,
  chain: 64,
  headerChecksum: 72,
} as const;

/** The canonical record, which the chain runs over: the part of the header that no layout or commit group changes. */
export const CANONICAL_START = RECORD.sequence;
export const CANONICAL_END = RECORD.durableThrough;

export const NO_KEY = 0xffff;
export const RECORD_ALIGNMENT = 8;

/** The chain before the first record that was ever written. */
export const INITIAL_CHAIN = 0n;

const TWO_32 = 2 ** 32;

export interface SegmentHeader {
  /** 32 hex digits. */
  volume: string;
  first: number;
  /** The chain of record first - 1. */
  chain: bigint;
  /** The epoch of record first - 1; no record of the segment has a lower one. */
  epoch: number;
  /** How many records the segment before this one holds; 0 when there was none. */
  previousRecords: number;
  /** Random, so that no two segments share a header and a record is valid only in the segment it was written to. */
  salt: number;
}

export function setU64(view: DataView, at: number, value: number): void {
  view.setUint32(at, value >>> 0, true);
  view.setUint32(at + 4, Math.floor(value / TWO_32), true);
}

/** Reads a u64 that a sound writer keeps within the safe integers; NaN for anything else. */
export function getU64(view: DataView, at: number): number {
  const value = view.getUint32(at, true) + view.getUint32(at + 4, true) * TWO_32;
  return Number.isSafeInteger(value) ? value : Number.NaN;
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Encodes a segment header and returns the seed that the header checksums of its records start from. */
export function encodeSegmentHeader(header: SegmentHeader): { bytes: Buffer; seed: bigint } {
  const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
  const view = viewOf(bytes);
  view.setUint32(SEGMENT.magic, SEGMENT_MAGIC, true);
  view.setUint32(SEGMENT.version, FORMAT_VERSION, true);
  bytes.write(header.volume, SEGMENT.volume, 'hex');
  setU64(view, SEGMENT.first, header.first);
  view.setBigUint64(SEGMENT.chain, header.chain, true);
  setU64(view, SEGMENT.epoch, header.epoch);
  view.setUint32(SEGMENT.previousRecords, header.previousRecords, true);
  view.setUint32(SEGMENT.salt, header.salt, true);
  const seed = checksum64(bytes.subarray(0, SEGMENT.checksum));
  view.setBigUint64(SEGMENT.checksum, seed, true);
  return { bytes, seed };
}

export type DecodedSegmentHeader =
  | { state: 'valid'; header: SegmentHeader; seed: bigint }
  | { state: 'future'; version: number }
  | { state: 'bad' };

/**
 * Magic, version and checksum stay where they are in every version, so that a later one is told from a damaged one.
 */
export function decodeSegmentHeader(bytes: Buffer): DecodedSegmentHeader {
  if (bytes.byteLength < SEGMENT_HEADER_BYTES) return { state: 'bad' };
  const view = viewOf(bytes);
  const seed = view.getBigUint64(SEGMENT.checksum, true);
  if (view.getUint32(SEGMENT.magic, true) !== SEGMENT_MAGIC) return { state: 'bad' };
  if (checksum64(bytes.subarray(0, SEGMENT.checksum)) !== seed) return { state: 'bad' };
  const version = view.getUint32(SEGMENT.version, true);
  if (version !== FORMAT_VERSION) return { state: 'future', version };
  const header = {
    volume: bytes.toString('hex', SEGMENT.volume, SEGMENT.first),
    first: getU64(view, SEGMENT.first),
    chain: view.getBigUint64(SEGMENT.chain, true),
    epoch: getU64(view, SEGMENT.epoch),
    previousRecords: view.getUint32(SEGMENT.previousRecords, true),
    salt: view.getUint32(SEGMENT.salt, true),
  };
  return { state: 'valid', header, seed };
}

const SEGMENT_NAME = /^([0-9a-f]{16})\.log$/;

export function segmentName(first: number): string {
  return `${first.toString(16).padStart(16, '0')}.log`;
}

/** The first sequence number that a file name gives, undefined for other files. */
export function firstOfName(name: string): number | undefined {
  const digits = SEGMENT_NAME.exec(name)?.[1];
  if (digits === undefined) return undefined;
  const first = Number.parseInt(digits, 16);
  return Number.isSafeInteger(first) && first > 0 ? first : undefined;
}
