import { kernels } from '../../engine/engine.js';
import { STATE } from '../../engine/record-layout.js';
import type { Part } from '../disk/last-page.js';
import { encodeGroupHeader, GROUP_HEADER_BYTES } from '../format/format.js';
import { recordBytesAt, timestampAt } from '../format/record.js';
import type { Segment } from '../format/segment.js';
import type { RecentRecords } from './recent.js';
import type { TailBlock } from './tail.js';

/** Part of a group that lies in one block of memory. */
interface Range {
  block: TailBlock;
  start: number;
  end: number;
}

/**
 * The records of one commit. They are encoded as they come, wherever the commit before them stands; what depends on it,
 * the chain and the seed of the segment, is filled in when the group's turn comes.
 */
export class Group {
  records = 0;
  bytes = 0;
  /** The newest record and its epoch. */
  last = 0;
  epoch = 0;
  private readonly ranges: Range[] = [];
  /** Of the newest record, once the records are sealed. */
  private chain: bigint | undefined;

  constructor(
    /** Whether the group is the first of a segment that is still to be made. */
    readonly startsSegment: boolean,
    /** Its place in the segment. */
    readonly offset: number,
  ) {}

  get end(): number {
    return this.offset + this.bytes;
  }

  /** Without the header of the group. */
  get recordBytes(): number {
    return this.bytes - GROUP_HEADER_BYTES;
  }

  get first(): number {
    return this.last - this.records + 1;
  }

  /** Takes the next bytes of a block: a record, the header of the group before the first. */
  extend(block: TailBlock, bytes: number): void {
    const at = block.take(bytes);
    const range = this.ranges[this.ranges.length - 1];
    if (range?.block === block) range.end = block.filled;
    else this.ranges.push({ block, start: at, end: block.filled });
    this.bytes += bytes;
  }

  /** Fills in the checksums of the records, once, in one pass; returns the chain of the newest one. */
  sealRecords(segment: Segment, chain: bigint): bigint {
    if (this.chain !== undefined) return this.chain;
    const state = new BigUint64Array([segment.seed, chain]);
    for (const [index, { block, start, end }] of this.ranges.entries()) {
      kernels.sealRecords(block.bytes, index === 0 ? start + GROUP_HEADER_BYTES : start, end, state);
    }
    this.chain = state[STATE.chain] as bigint;
    return this.chain;
  }

  /** Fills in what is missing, the header last; returns the chain of the newest record. */
  seal(segment: Segment, chain: bigint, durableThrough: number): bigint {
    const { first, bytes, records } = this;
    const newest = this.sealRecords(segment, chain);
    const head = this.ranges[0];
    if (head === undefined) throw new Error('a group holds at least one record');
    encodeGroupHeader(head.block.bytes, head.start, { bytes, first, records, durableThrough, chain }, segment.seed);
    return newest;
  }

  /** What goes to the disk. */
  get parts(): Part[] {
    return this.ranges.map(({ block, start, end }) => ({ bytes: block.bytes, start, end }));
  }

  /** Enters the sealed records into the indexes. */
  index(segment: Segment, recent: RecentRecords): void {
    for (const [index, { block, start, end }] of this.ranges.entries()) {
      const first = index === 0 ? start + GROUP_HEADER_BYTES : start;
      if (index === 0) segment.note(this.first, this.offset, timestampAt(block.view, first));
      for (let at = first; at < end; ) {
        const next = at + recordBytesAt(block.view, at);
        recent.add(block.view, at, block.address + next, segment.address + this.offset);
        at = next;
      }
    }
  }
}
