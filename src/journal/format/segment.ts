import { join } from 'node:path';
import { DATA_START, encodeSegmentHeader, PAGE_BYTES, roundUp, type SegmentHeader, segmentName } from './format.js';

/** One segment as the open journal knows it, with a sparse index from sequence number to place in the file. */

/** How far apart the places of the index lie: what a reader has to scan at most to find the group of a record. */
export const INDEX_STRIDE_BYTES = 256 * 1024;

export interface Place {
  /** The first record of the group. */
  sequence: number;
  offset: number;
  /** Of its first record; undefined when it was never looked at. */
  timestamp: number | undefined;
}

export class Segment {
  /** The newest durable record; first - 1 while there is none. */
  last: number;
  /** Up to where the file holds durable records. */
  bytes = DATA_START;
  /** Like `bytes`, with the group that is being written. */
  writtenBytes = DATA_START;
  /** What the file takes, room for more included. */
  fileBytes = DATA_START;
  /**
   * Where the segment starts, in whole pages, if all segments of this run lie in a row; differences of addresses are
   * distances.
   */
  address = 0;
  private places: Place[];

  constructor(
    readonly path: string,
    readonly header: SegmentHeader,
    /** What the checksums of the headers in it start from. */
    readonly seed: bigint,
    firstTimestamp?: number,
  ) {
    this.last = header.first - 1;
    this.places = [{ sequence: header.first, offset: DATA_START, timestamp: firstTimestamp }];
  }

  get first(): number {
    return this.header.first;
  }

  get empty(): boolean {
    return this.last < this.first;
  }

  get endAddress(): number {
    return this.address + this.bytes;
  }

  /** The sparse index, oldest first; each place is that of a group. */
  get index(): readonly Place[] {
    return this.places;
  }

  /** Takes over an index that was read from the disk. */
  adopt(index: readonly Place[]): void {
    if (index.length > 0) this.places = [...index];
  }

  /** Takes a group's place into the index if it lies a stride beyond the last one taken. */
  note(sequence: number, offset: number, timestamp: number): void {
    if (sequence === this.first) this.places[0] = { sequence, offset, timestamp };
    const newest = this.places[this.places.length - 1];
    if (newest !== undefined && offset < newest.offset + INDEX_STRIDE_BYTES) return;
    this.places.push({ sequence, offset, timestamp });
  }

  /** The nearest known place of a group at or before that of a record. */
  near(sequence: number): Place {
    return this.places[this.placeOf(sequence)] ?? { sequence: this.first, offset: DATA_START, timestamp: undefined };
  }

  /** Where the durable groups end that lie between the nearest place at or before that of a record and the next one. */
  endNear(sequence: number): number {
    return Math.min(this.places[this.placeOf(sequence) + 1]?.offset ?? this.bytes, this.bytes);
  }

  private placeOf(sequence: number): number {
    let low = 0;
    let high = this.places.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((this.places[middle]?.sequence ?? Number.POSITIVE_INFINITY) <= sequence) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

/** The address of a segment that follows what ends at another address. */
export function nextAddress(endAddress: number): number {
  return roundUp(endAddress, PAGE_BYTES);
}

/** The segments of a journal, oldest first; never empty. The last one is written to. */
export class SegmentList {
  private segments: Segment[];

  constructor(segments: [Segment, ...Segment[]]) {
    this.segments = segments;
    let address = 0;
    for (const segment of segments) {
      segment.address = address;
      address = nextAddress(segment.endAddress);
    }
  }

  get oldest(): Segment {
    return this.at(0);
  }

  get active(): Segment {
    return this.at(this.segments.length - 1);
  }

  /** What the files of all segments take. */
  get fileBytes(): number {
    return this.segments.reduce((sum, segment) => sum + segment.fileBytes, 0);
  }

  /** Those before the last one, oldest first. */
  sealed(): Segment[] {
    return this.segments.slice(0, -1);
  }

  has(segment: Segment): boolean {
    return this.startingBy(segment.first) === segment;
  }

  /** The one that follows. */
  after(segment: Segment): Segment | undefined {
    return this.segments[this.segments.indexOf(segment) + 1];
  }

  /** The segment that holds a record, if it lies in the range of one. */
  holding(sequence: number): Segment | undefined {
    const segment = this.startingBy(sequence);
    return segment.first <= sequence && sequence <= segment.last ? segment : undefined;
  }

  /** The first record of the oldest group known from which on all up to the end of `through` take at most `bytes`. */
  reachingBack(through: number, bytes: number): number {
    let lowest = through + 1;
    let end: number | undefined;
    for (let place = this.segments.length - 1; place >= 0; place--) {
      const segment = this.segments[place] as Segment;
      if (segment.first > through) continue;
      // The end of the record, or what lies at most a stride behind it.
      end ??= segment.address + (segment.index.find(({ sequence }) => sequence > through)?.offset ?? segment.bytes);
      const farthest = end - bytes - segment.address;
      const found = segment.index.find(({ sequence, offset }) => offset >= farthest && sequence <= through);
      if (found === undefined) return lowest;
      lowest = found.sequence;
      if (found !== segment.index[0]) return lowest;
    }
    return lowest;
  }

  push(segment: Segment): void {
    segment.address = nextAddress(this.active.endAddress);
    this.segments.push(segment);
  }

  /** Takes the oldest segment out; the active one stays. */
  shift(): Segment | undefined {
    return this.segments.length > 1 ? this.segments.shift() : undefined;
  }

  /** Starts anew with one empty segment. */
  replace(segment: Segment): void {
    segment.address = nextAddress(this.active.endAddress);
    this.segments = [segment];
  }

  /** Puts a segment in the place of the one with the same first record; it is the last one then. */
  cut(segment: Segment): void {
    // New addresses for all, so that what memory still holds of the old ones is never taken for theirs.
    let address = nextAddress(this.active.endAddress);
    this.segments = [...this.segments.filter(({ first }) => first < segment.first), segment];
    for (const each of this.segments) {
      each.address = address;
      address = nextAddress(each.endAddress);
    }
  }

  /** The newest one that starts at a record or before it, or else the oldest. */
  private startingBy(sequence: number): Segment {
    let low = 0;
    let high = this.segments.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (this.at(middle).first <= sequence) low = middle;
      else high = middle - 1;
    }
    return this.at(low);
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
