import { checksum64 } from '../../engine/checksum.js';
import { getU64, PAGE_BYTES, roundUp, setU64, viewOf } from './format.js';
import { INDEX_STRIDE_BYTES, type Place } from './segment.js';

/**
 * The footer of a segment: what an open needs to know of it without reading its records. It ends with the file:
 *
 *   index    24 bytes for each place: sequence, offset, timestamp
 *   trailer  64 bytes
 *
 * The checksum of the trailer starts from the checksum of the index, and that from the seed of the segment, so that the
 * footer of an earlier use of the file is none.
 */

/** "LHFT" as the bytes lie in the file. */
export const FOOTER_MAGIC = 0x5446484c;
export const FOOTER_BYTES = 64;
export const FOOTER = {
  magic: 0,
  places: 4,
  first: 8,
  last: 16,
  chain: 24,
  epoch: 32,
  end: 40,
  lastTimestamp: 48,
  checksum: 56,
} as const;
export const PLACE_BYTES = 24;
export const PLACE = { sequence: 0, offset: 8, timestamp: 16 } as const;

export interface Footer {
  first: number;
  last: number;
  /** The chain and epoch of record `last`. */
  chain: bigint;
  epoch: number;
  /** Where the records end. */
  end: number;
  lastTimestamp: number;
  index: readonly Place[];
}

/** The most that the footer of a segment of a given size takes, in whole pages. */
export function footerBytesMax(segmentBytes: number): number {
  return roundUp(FOOTER_BYTES + PLACE_BYTES * (Math.ceil(segmentBytes / INDEX_STRIDE_BYTES) + 1), PAGE_BYTES);
}

export function encodeFooter(footer: Footer, seed: bigint): Buffer {
  const indexBytes = footer.index.length * PLACE_BYTES;
  const bytes = Buffer.alloc(indexBytes + FOOTER_BYTES);
  const places = viewOf(bytes.subarray(0, indexBytes));
  for (const [number, place] of footer.index.entries()) {
    const at = number * PLACE_BYTES;
    setU64(places, at + PLACE.sequence, place.sequence);
    setU64(places, at + PLACE.offset, place.offset);
    setU64(places, at + PLACE.timestamp, place.timestamp ?? 0);
  }
  const view = viewOf(bytes.subarray(indexBytes));
  view.setUint32(FOOTER.magic, FOOTER_MAGIC, true);
  view.setUint32(FOOTER.places, footer.index.length, true);
  setU64(view, FOOTER.first, footer.first);
  setU64(view, FOOTER.last, footer.last);
  view.setBigUint64(FOOTER.chain, footer.chain, true);
  setU64(view, FOOTER.epoch, footer.epoch);
  setU64(view, FOOTER.end, footer.end);
  setU64(view, FOOTER.lastTimestamp, footer.lastTimestamp);
  view.setBigUint64(FOOTER.checksum, footerChecksum(bytes, indexBytes, seed), true);
  return bytes;
}

/** How many bytes the footer takes whose trailer ends these bytes; undefined when none does. */
export function footerBytesOf(bytes: Uint8Array): number | undefined {
  if (bytes.byteLength < FOOTER_BYTES) return undefined;
  const view = viewOf(bytes.subarray(bytes.byteLength - FOOTER_BYTES));
  if (view.getUint32(FOOTER.magic, true) !== FOOTER_MAGIC) return undefined;
  return view.getUint32(FOOTER.places, true) * PLACE_BYTES + FOOTER_BYTES;
}

/** The footer that the bytes are, from its first to its last; undefined when they are none of this segment. */
export function decodeFooter(bytes: Buffer, seed: bigint): Footer | undefined {
  if (footerBytesOf(bytes) !== bytes.byteLength) return undefined;
  const indexBytes = bytes.byteLength - FOOTER_BYTES;
  const view = viewOf(bytes.subarray(indexBytes));
  if (view.getBigUint64(FOOTER.checksum, true) !== footerChecksum(bytes, indexBytes, seed)) return undefined;
  const places = viewOf(bytes.subarray(0, indexBytes));
  const index: Place[] = [];
  for (let at = 0; at < indexBytes; at += PLACE_BYTES) {
    index.push({
      sequence: getU64(places, at + PLACE.sequence),
      offset: getU64(places, at + PLACE.offset),
      timestamp: getU64(places, at + PLACE.timestamp),
    });
  }
  return {
    first: getU64(view, FOOTER.first),
    last: getU64(view, FOOTER.last),
    chain: view.getBigUint64(FOOTER.chain, true),
    epoch: getU64(view, FOOTER.epoch),
    end: getU64(view, FOOTER.end),
    lastTimestamp: getU64(view, FOOTER.lastTimestamp),
    index,
  };
}

function footerChecksum(bytes: Uint8Array, indexBytes: number, seed: bigint): bigint {
  const index = checksum64(bytes.subarray(0, indexBytes), seed);
  return checksum64(bytes.subarray(indexBytes, indexBytes + FOOTER.checksum), index);
}
