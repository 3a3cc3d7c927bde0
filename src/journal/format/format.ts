import { checksum64 } from '../../engine/checksum.js';
import { PAGE_BYTES } from '../../engine/pages.js';
import { RECORD_ALIGNMENT } from '../../engine/record-layout.js';

/**
 * The bytes of a journal on disk, as specified in docs/journal-format.md; all numbers are little endian.
 *
 *   segment  64-byte header in a page of its own, then groups one after the other; a sealed one ends with a footer
 *   group    what one commit wrote: 48-byte header, then its records
 *   record   64-byte header, key, payload, zeros up to a multiple of 8
 *
 * This file owns the headers of segments and groups. Records are laid out in engine/record-layout.ts, since the kernels
 * walk them; footer.ts owns the footer.
 */

export const FORMAT_VERSION = 2;

/** "LHSG" and "LHGR" as the bytes lie in the file. */
export const SEGMENT_MAGIC = 0x4753484c;
export const GROUP_MAGIC = 0x5247484c;

/** What a disk writes at once, as far as the format cares: no page that holds durable bytes alone is written again. */
export { PAGE_BYTES };

export const SEGMENT_HEADER_BYTES = 64;
export const SEGMENT = {
  magic: 0,
  version: 4,
  flags: 6,
  volume: 8,
  first: 24,
  chain: 32,
  epoch: 40,
  previousRecords: 48,
  salt: 52,
  checksum: 56,
} as const;

/** Where the first group of a segment starts. */
export const DATA_START = PAGE_BYTES;

/** Flag of a segment whose file was used before: what lies behind its records means nothing. */
const RECYCLED = 1;

export const GROUP_HEADER_BYTES = 48;
export const GROUP = {
  magic: 0,
  bytes: 4,
  first: 8,
  durableThrough: 16,
  chain: 24,
  records: 32,
  reserved: 36,
  checksum: 40,
} as const;

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
  /** Whether the file was used before. */
  recycled: boolean;
}

export interface GroupHeader {
  /** Length of the group, header included. */
  bytes: number;
  first: number;
  records: number;
  /** The newest record known to be synced when the group was written. */
  durableThrough: number;
  /** The chain of record first - 1. */
  chain: bigint;
}

export function setU64(view: DataView, at: number, value: number): void {
  view.setUint32(at, value >>> 0, true);
  view.setUint32(at + 4, value < TWO_32 ? 0 : Math.floor(value / TWO_32), true);
}

/** Reads a u64 that a sound writer keeps within the safe integers; NaN for anything else. */
export function getU64(view: DataView, at: number): number {
  const value = view.getUint32(at, true) + view.getUint32(at + 4, true) * TWO_32;
  return Number.isSafeInteger(value) ? value : Number.NaN;
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

export function roundUp(bytes: number, unit: number): number {
  return Math.ceil(bytes / unit) * unit;
}

/** Encodes a segment header and returns the seed that the checksums of its groups and records start from. */
export function encodeSegmentHeader(header: SegmentHeader): { bytes: Buffer; seed: bigint } {
  const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
  const view = viewOf(bytes);
  view.setUint32(SEGMENT.magic, SEGMENT_MAGIC, true);
  view.setUint16(SEGMENT.version, FORMAT_VERSION, true);
  view.setUint16(SEGMENT.flags, header.recycled ? RECYCLED : 0, true);
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
  | { state: 'other'; version: number }
  | { state: 'bad' };

/**
 * Magic, version and checksum stay where they are in every version, so that another one is told from a damaged one.
 */
export function decodeSegmentHeader(bytes: Buffer): DecodedSegmentHeader {
  if (bytes.byteLength < SEGMENT_HEADER_BYTES) return { state: 'bad' };
  const view = viewOf(bytes);
  const seed = view.getBigUint64(SEGMENT.checksum, true);
  if (view.getUint32(SEGMENT.magic, true) !== SEGMENT_MAGIC) return { state: 'bad' };
  if (checksum64(bytes.subarray(0, SEGMENT.checksum)) !== seed) return { state: 'bad' };
  const version = view.getUint16(SEGMENT.version, true);
  if (version !== FORMAT_VERSION) return { state: 'other', version };
  const header = {
    volume: bytes.toString('hex', SEGMENT.volume, SEGMENT.first),
    first: getU64(view, SEGMENT.first),
    chain: view.getBigUint64(SEGMENT.chain, true),
    epoch: getU64(view, SEGMENT.epoch),
    previousRecords: view.getUint32(SEGMENT.previousRecords, true),
    salt: view.getUint32(SEGMENT.salt, true),
    recycled: (view.getUint16(SEGMENT.flags, true) & RECYCLED) !== 0,
  };
  return { state: 'valid', header, seed };
}

/** Writes a group header at `at`; the seed is that of the segment. */
export function encodeGroupHeader(bytes: Uint8Array, at: number, header: GroupHeader, seed: bigint): void {
  const target = bytes.subarray(at, at + GROUP_HEADER_BYTES);
  const view = viewOf(target);
  view.setUint32(GROUP.magic, GROUP_MAGIC, true);
  view.setUint32(GROUP.bytes, header.bytes, true);
  setU64(view, GROUP.first, header.first);
  setU64(view, GROUP.durableThrough, header.durableThrough);
  view.setBigUint64(GROUP.chain, header.chain, true);
  view.setUint32(GROUP.records, header.records, true);
  view.setUint32(GROUP.reserved, 0, true);
  view.setBigUint64(GROUP.checksum, checksum64(target.subarray(0, GROUP.checksum), seed), true);
}

/** The group header at `at`; undefined when there is none that belongs to the segment of that seed. */
export function decodeGroupHeader(bytes: Uint8Array, at: number, seed: bigint): GroupHeader | undefined {
  if (at < 0 || at + GROUP_HEADER_BYTES > bytes.byteLength) return undefined;
  const source = bytes.subarray(at, at + GROUP_HEADER_BYTES);
  const view = viewOf(source);
  if (view.getUint32(GROUP.magic, true) !== GROUP_MAGIC) return undefined;
  if (view.getBigUint64(GROUP.checksum, true) !== checksum64(source.subarray(0, GROUP.checksum), seed))
    return undefined;
  const header = {
    bytes: view.getUint32(GROUP.bytes, true),
    first: getU64(view, GROUP.first),
    records: view.getUint32(GROUP.records, true),
    durableThrough: getU64(view, GROUP.durableThrough),
    chain: view.getBigUint64(GROUP.chain, true),
  };
  const whole = header.bytes >= GROUP_HEADER_BYTES && header.bytes % RECORD_ALIGNMENT === 0 && header.records > 0;
  return whole && header.first > 0 && header.durableThrough >= 0 ? header : undefined;
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
