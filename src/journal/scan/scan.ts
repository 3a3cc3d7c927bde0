import { RECORD_ALIGNMENT } from '../../engine/record-layout.js';
import type { DiskFile } from '../disk/disk.js';
import {
  DATA_START,
  decodeGroupHeader,
  GROUP_HEADER_BYTES,
  GROUP_MAGIC,
  PAGE_BYTES,
  roundUp,
} from '../format/format.js';
import type { Place, Segment } from '../format/segment.js';
import { type Readable, readBlock } from './block.js';
import { type BadGroup, GroupWalk, type WalkPosition, type WalkVisitor } from './group-walk.js';

/** Reads a segment from its start and says how far it is sound, and what the rest proves. */

const SCAN_BLOCK_BYTES = 1024 * 1024;

export interface Scan {
  /** The newest record of a sound group; first - 1 when there is none. */
  last: number;
  chain: bigint;
  epoch: number;
  /** Where the sound groups end. */
  end: number;
  /** The highest `durableThrough` of any sound header, also behind something bad. */
  proven: number;
  /** What is wrong at `end`; undefined when the log simply ends there. */
  bad: BadGroup | undefined;
  /** Whether sound groups of this segment lie behind `end`, and which record the first of them begins with. */
  validAfter: boolean;
  nextSound: number;
  /** Up to where the bytes behind `end` mean something. */
  tailEnd: number;
  /** Up to where the bytes behind `end` are not all zeros: in a file that was used before, more than means something. */
  usedEnd: number;
}

/** `contentEnd` is where the footer starts if there is one, else the size of the file. */
export async function scanSegment(
  file: DiskFile,
  segment: Segment,
  contentEnd: number,
  visitor: WalkVisitor,
): Promise<Scan> {
  const { header, seed } = segment;
  let proven = header.first - 1;
  const walk = new GroupWalk(file, seed, startOf(segment), {
    ...visitor,
    group(group, offset, firstTimestamp) {
      proven = Math.max(proven, group.durableThrough);
      segment.note(group.first, offset, firstTimestamp);
      visitor.group?.(group, offset, firstTimestamp);
    },
  });
  const ended = await walk.to(contentEnd);
  const { offset: end, last, chain, epoch } = walk.position;
  const rest = ended.reason === 'end' ? NOTHING : await lookBehind(file, end, contentEnd, seed, header.recycled);
  const torn = ended.reason === 'bad' ? ended.bad : rest.leftover ? tornHeader(end, last + 1) : undefined;
  return {
    last,
    chain,
    epoch,
    end,
    proven: Math.max(proven, rest.proven),
    bad: torn,
    validAfter: rest.firstSequence !== Number.POSITIVE_INFINITY,
    nextSound: rest.firstSequence,
    tailEnd: Math.max(end, rest.end),
    usedEnd: Math.max(end, rest.usedEnd),
  };
}

export function startOf(segment: Segment): WalkPosition {
  const { first, chain, epoch } = segment.header;
  return { offset: DATA_START, last: first - 1, chain, epoch };
}

/** Before the group at a place of the index; undefined when none starts there. It says itself what chain comes before it. */
export async function startAt(
  file: Readable,
  segment: Segment,
  { sequence, offset }: Pick<Place, 'sequence' | 'offset'>,
): Promise<WalkPosition | undefined> {
  if (offset === DATA_START) return startOf(segment);
  const { bytes } = await readBlock(file, offset, GROUP_HEADER_BYTES);
  const header = decodeGroupHeader(bytes, 0, segment.seed);
  return header === undefined ? undefined : { offset, last: sequence - 1, chain: header.chain, epoch: 0 };
}

function tornHeader(offset: number, sequence: number): BadGroup {
  return { part: 'recordHeader', found: 'no group header starts here', offset, sequence };
}

interface Rest {
  /** The highest `durableThrough` of the group headers found, and the lowest first record. */
  proven: number;
  firstSequence: number;
  /** Whether there is anything that a group of this segment can have left. */
  leftover: boolean;
  end: number;
  usedEnd: number;
}

const NOTHING: Rest = { proven: 0, firstSequence: Number.POSITIVE_INFINITY, leftover: false, end: 0, usedEnd: 0 };

/**
 * Looks at what lies behind the sound groups. In a file that was used before, bytes alone mean nothing, except in the
 * page where the log ends, whose rest is always written as zeros.
 */
async function lookBehind(file: DiskFile, from: number, to: number, seed: bigint, recycled: boolean): Promise<Rest> {
  const rest: Rest = { ...NOTHING };
  const pageEnd = Math.min(roundUp(from, PAGE_BYTES), to);
  for (let offset = from; offset < to; ) {
    const block = await readBlock(file, offset, Math.min(SCAN_BLOCK_BYTES, to - offset));
    if (block.bytes.byteLength === 0) break;
    const used = usedBytes(block.bytes);
    if (used > 0) rest.usedEnd = Math.max(rest.usedEnd, offset + used);
    const meant = recycled ? usedBytes(block.bytes.subarray(0, Math.max(0, pageEnd - offset))) : used;
    if (meant > 0) {
      rest.leftover = true;
      rest.end = Math.max(rest.end, offset + meant);
    }
    noteGroups(block.bytes, offset, seed, from, rest);
    if (block.fileEnd >= to) break;
    // The next block begins where a header no longer fitted into this one.
    offset = Math.max(block.fileEnd - GROUP_HEADER_BYTES + RECORD_ALIGNMENT, offset + RECORD_ALIGNMENT);
  }
  rest.end = Math.min(rest.end, to);
  return rest;
}

const MAGIC = Buffer.alloc(4);
MAGIC.writeUInt32LE(GROUP_MAGIC);

function noteGroups(bytes: Buffer, offset: number, seed: bigint, from: number, rest: Rest): void {
  for (let at = bytes.indexOf(MAGIC); at >= 0; at = bytes.indexOf(MAGIC, at + 1)) {
    if (at % RECORD_ALIGNMENT !== 0) continue;
    const header = decodeGroupHeader(bytes, at, seed);
    if (header === undefined) continue;
    rest.leftover = true;
    rest.proven = Math.max(rest.proven, header.durableThrough);
    rest.end = Math.max(rest.end, offset + at + header.bytes);
    if (offset + at > from) rest.firstSequence = Math.min(rest.firstSequence, header.first);
  }
}

/** How many bytes there are up to the last one that is not zero. */
function usedBytes(bytes: Buffer): number {
  let length = bytes.byteLength;
  while (length >= PAGE_BYTES && bytes.subarray(length - PAGE_BYTES, length).equals(ZEROS)) length -= PAGE_BYTES;
  while (length > 0 && bytes[length - 1] === 0) length--;
  return length;
}

const ZEROS = Buffer.alloc(PAGE_BYTES);
