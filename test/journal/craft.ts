import { kernels } from '../../src/engine/engine.js';
import { recordBytes } from '../../src/engine/record-layout.js';
import { encodeFooter } from '../../src/journal/format/footer.js';
import {
  DATA_START,
  encodeGroupHeader,
  encodeSegmentHeader,
  GROUP_HEADER_BYTES,
  PAGE_BYTES,
  roundUp,
  type SegmentHeader,
} from '../../src/journal/format/format.js';
import { encodeRecord, memoryOf, timestampAt } from '../../src/journal/format/record.js';
import { VOLUME } from './harness.js';

/** Segments made byte by byte, for what no journal writes by itself: chosen salts, and leftovers of earlier lives. */

export interface CraftedRecord {
  payload: Uint8Array;
  key?: Uint8Array;
  offset?: number;
  kind?: number;
  epoch?: number;
}

export interface CraftedSegment {
  header: SegmentHeader;
  /** The header page and the groups, up to the last record. */
  bytes: Buffer;
  seed: bigint;
  last: number;
  chain: bigint;
  /** Where each group starts. */
  offsets: number[];
}

const START = 1_700_000_000_000_000;

/** A segment of the given groups, each of which says that everything before it is durable. */
export function craftSegment(
  groups: readonly (readonly CraftedRecord[])[],
  o: Partial<SegmentHeader> = {},
): CraftedSegment {
  const header = { volume: VOLUME, first: 1, chain: 0n, epoch: 0, previousRecords: 0, salt: 1, recycled: false, ...o };
  const { bytes: head, seed } = encodeSegmentHeader(header);
  const page = Buffer.alloc(DATA_START);
  head.copy(page);
  const parts: Buffer[] = [page];
  const offsets: number[] = [];
  let { chain } = header;
  let last = header.first - 1;
  let offset = DATA_START;
  for (const records of groups) {
    const crafted = craftGroup(records, last + 1, chain, seed);
    parts.push(crafted.bytes);
    offsets.push(offset);
    offset += crafted.bytes.byteLength;
    chain = crafted.chain;
    last += records.length;
  }
  return { header, bytes: Buffer.concat(parts), seed, last, chain, offsets };
}

export function craftGroup(
  records: readonly CraftedRecord[],
  first: number,
  chain: bigint,
  seed: bigint,
): { bytes: Buffer; chain: bigint } {
  const sizes = records.map(({ key, payload }) => recordBytes(key?.byteLength ?? 0, payload.byteLength));
  const bytes = Buffer.alloc(GROUP_HEADER_BYTES + sizes.reduce((sum, size) => sum + size, 0));
  const memory = memoryOf(bytes);
  let at = GROUP_HEADER_BYTES;
  for (const [index, { payload, key, offset, kind = 0, epoch = 1 }] of records.entries()) {
    const size = sizes[index] ?? 0;
    const sequence = first + index;
    const timestamp = START + sequence;
    encodeRecord(memory, at, { sequence, epoch, kind, timestamp, key, offset, payload, bytes: size });
    at += size;
  }
  const state = new BigUint64Array([seed, chain]);
  kernels.sealRecords(bytes, GROUP_HEADER_BYTES, bytes.byteLength, state);
  const header = { bytes: bytes.byteLength, first, records: records.length, durableThrough: first - 1, chain };
  encodeGroupHeader(bytes, 0, header, seed);
  return { bytes, chain: state[1] as bigint };
}

/** The segment up to the end of its last page, as a write leaves it. */
export function padded(segment: CraftedSegment): Buffer {
  return Buffer.concat([segment.bytes, Buffer.alloc(roundUp(segment.bytes.length, PAGE_BYTES) - segment.bytes.length)]);
}

/** The segment with a footer in a page of its own. */
export function sealed(segment: CraftedSegment, epoch = 1): Buffer {
  const { header, last, chain, seed, bytes } = segment;
  const timestamp = timestampAt(new DataView(bytes.buffer, bytes.byteOffset), DATA_START + GROUP_HEADER_BYTES);
  const index = [{ sequence: header.first, offset: DATA_START, timestamp }];
  const end = bytes.length;
  const footer = encodeFooter(
    { first: header.first, last, chain, epoch, end, lastTimestamp: START + last, index },
    seed,
  );
  return Buffer.concat([padded(segment), Buffer.alloc(PAGE_BYTES - footer.length), footer]);
}
