import { checksum64 } from '../../engine/checksum.js';
import { segmentName, setU64, viewOf } from './format.js';

/**
 * A side file: what somebody keeps beside a full segment, and may lose at any time. A header of 56 bytes that says to
 * which segment it belongs, then the content. The layout is in docs/journal-format.md.
 */

export const SIDE_VERSION = 1;
/** "LHSI" as the bytes lie in the file. */
export const SIDE_MAGIC = 0x4953484c;
export const SIDE_HEADER_BYTES = 56;
export const SIDE = {
  magic: 0,
  version: 4,
  flags: 6,
  seed: 8,
  first: 16,
  last: 24,
  chain: 32,
  length: 40,
  checksum: 48,
} as const;

/** A larger content is neither written nor read. */
export const SIDE_CONTENT_BYTES_MAX = 64 * 1024 * 1024;

/** What tells a full segment from any other, under the same name or not. */
export interface SegmentIdentity {
  /** What the checksums in it start from. */
  seed: bigint;
  first: number;
  last: number;
  /** The chain of record `last`. */
  chain: bigint;
}

const SUFFIX = '.idx';
/** The length of a segment's name. */
const NAME_LENGTH = segmentName(1).length;

/** The side file of the segment at a path. */
export function sidePath(segmentPath: string): string {
  return `${segmentPath}${SUFFIX}`;
}

/** The name of the segment that a side file or an unfinished one belongs to, as its own name says; else undefined. */
export function segmentOfSide(name: string): string | undefined {
  const rest = name.slice(NAME_LENGTH);
  return rest === SUFFIX || rest === `${SUFFIX}.tmp` ? name.slice(0, NAME_LENGTH) : undefined;
}

export function encodeSideHeader(segment: SegmentIdentity, content: Uint8Array): Buffer {
  const bytes = Buffer.alloc(SIDE_HEADER_BYTES);
  const view = viewOf(bytes);
  view.setUint32(SIDE.magic, SIDE_MAGIC, true);
  view.setUint16(SIDE.version, SIDE_VERSION, true);
  view.setBigUint64(SIDE.seed, segment.seed, true);
  setU64(view, SIDE.first, segment.first);
  setU64(view, SIDE.last, segment.last);
  view.setBigUint64(SIDE.chain, segment.chain, true);
  setU64(view, SIDE.length, content.byteLength);
  const checksum = checksum64(bytes.subarray(0, SIDE.checksum), checksum64(content, segment.seed));
  view.setBigUint64(SIDE.checksum, checksum, true);
  return bytes;
}

/** The content of a side file, a view of it; undefined when it is not sound or not that segment's. */
export function decodeSide(file: Buffer, segment: SegmentIdentity): Buffer | undefined {
  const content = file.subarray(SIDE_HEADER_BYTES);
  // There is one sound header for a segment and a content: whatever else stands there is none.
  const sound = encodeSideHeader(segment, content).equals(file.subarray(0, SIDE_HEADER_BYTES));
  return sound ? content : undefined;
}
