import { join } from 'node:path';
import type { Disk, DiskFile } from './disk.js';
import { encodeSegmentHeader, SEGMENT_HEADER_BYTES, type SegmentHeader, segmentName } from './format.js';

/** One segment as the open journal knows it, with a sparse index from sequence number to place in the file. */

/** How far apart the entries of the index lie: what a reader has to scan at most to find its first record. */
export const INDEX_STRIDE_BYTES = 256 * 1024;

export interface Place {
  sequence: number;
  offset: number;
}

export class Segment {
  /** The newest durable record; first - 1 while there is none. */
  last: number;
  /** How much of the file is durable records and header. */
  bytes = SEGMENT_HEADER_BYTES;
  /** Where the segment starts if all segments of this run lay in a row; differences of addresses are distances. */
  address = 0;
  private readonly sequences: number[];
  private readonly offsets: number[];
  private readonly timestamps: (number | undefined)[];

  constructor(
    readonly path: string,
    readonly header: SegmentHeader,
    /** What the header checksums of the records start from. */
    readonly seed: bigint,
    firstTimestamp?: number,
  ) {
    this.last = header.first - 1;
    this.sequences = [header.first];
    this.offsets = [SEGMENT_HEADER_BYTES];
    this.timestamps = [firstTimestamp];
  }

  get first(): number {
    return this.header.first;
  }

  get empty(): boolean {
    return this.last < this.first;
  }

  /** Whether a record at this place is the first. */
  headerOnlyAt(offset: number): boolean {
    return offset === SEGMENT_HEADER_BYTES;
  }

  get endAddress(): number {
    return this.address + this.bytes;
  }

  /** Takes a record's place into the index if it lies a stride beyond the last one taken. */
  note(sequence: number, offset: number, timestamp: number): void {
    if (sequence === this.first) this.timestamps[0] = timestamp;
    const newest = this.offsets.length - 1;
    if (offset < (this.offsets[newest] ?? 0) + INDEX_STRIDE_BYTES) return;
    this.sequences.push(sequence);
    this.offsets.push(offset);
    this.timestamps.push(timestamp);
  }

  /** The nearest known place at or before a record. */
  near(sequence: number): Place & { timestamp: number | undefined } {
    let low = 0;
    let high = this.sequences.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((this.sequences[middle] ?? Number.POSITIVE_INFINITY) <= sequence) low = middle;
      else high = middle - 1;
    }
    return {
      sequence: this.sequences[low] ?? this.first,
      offset: this.offsets[low] ?? SEGMENT_HEADER_BYTES,
      timestamp: this.timestamps[low],
    };
  }
}

/** The segments of a journal, oldest first; never empty. The last one is written to. */
export class SegmentList {
  private segments: Segment[];

  constructor(segments: [Segment, ...Segment[]]) {
    this.segments = segments;
    let address = 0;
    for (const segment of segments) {
      segment.address = address;
      address = segment.endAddress;
    }
  }

  get oldest(): Segment {
    return this.at(0);
  }

  get active(): Segment {
    return this.at(this.segments.length - 1);
  }

  get bytes(): number {
    return this.active.endAddress - this.oldest.address;
  }

  has(segment: Segment): boolean {
    return this.segments.includes(segment);
  }

  /** The segment that holds a record, if it lies in the range of one. */
  holding(sequence: number): Segment | undefined {
    let low = 0;
    let high = this.segments.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (this.at(middle).first <= sequence) low = middle;
      else high = middle - 1;
    }
    const segment = this.at(low);
    return segment.first <= sequence && sequence <= segment.last ? segment : undefined;
  }

  push(segment: Segment): void {
    segment.address = this.active.endAddress;
    this.segments.push(segment);
  }

  /** Takes the oldest segment out; the active one stays. */
  shift(): Segment | undefined {
    return this.segments.length > 1 ? this.segments.shift() : undefined;
  }

  /** Starts anew with one empty segment. */
  replace(segment: Segment): void {
    segment.address = this.active.endAddress;
    this.segments = [segment];
  }

  private at(index: number): Segment {
    const segment = this.segments[index];
    if (segment === undefined) throw new Error('a journal has at least one segment');
    return segment;
  }
}

/** A segment without records, as it will be once its file exists. */
export function newSegment(dir: string, header: SegmentHeader): Segment {
  return new Segment(join(dir, segmentName(header.first)), header, encodeSegmentHeader(header).seed);
}

/** Makes a segment file that holds its header, durably, name included. */
export async function createSegment(
  disk: Disk,
  dir: string,
  header: SegmentHeader,
): Promise<{ segment: Segment; file: DiskFile }> {
  const segment = newSegment(dir, header);
  const file = await disk.open(segment.path, 'wx+');
  try {
    await file.write([encodeSegmentHeader(header).bytes], 0);
    await file.sync();
    await disk.syncDirectory(dir);
  } catch (error) {
    await file.close();
    throw error;
  }
  return { segment, file };
}
