import { RECORD, RECORD_HEADER_BYTES } from '../../engine/record-layout.js';
import {
  AbortedError,
  ClosedError,
  InvalidArgumentError,
  type LonghaulError,
  SequenceGoneError,
} from '../../errors.js';
import type { DiskFile } from '../disk/disk.js';
import { keyLengthAt } from '../format/record.js';
import type { Segment } from '../format/segment.js';
import type { Block } from '../scan/block.js';
import { GroupWalk, type WalkEnd } from '../scan/group-walk.js';
import { startAt } from '../scan/scan.js';
import type { JournalState } from '../state/state.js';
import { damage, openSegment, unlessFreed } from './locate.js';

/**
 * Reads the payloads of stretches of records into memory of the caller, end to end. Groups are walked through whole, each
 * of them once, however many of the stretches lie in it; nothing is made for a record but its copy.
 */

/** Records in a row, the first and the last one included. */
export interface SequenceRange {
  from: number;
  to: number;
}

/** Returns how many bytes there are. The ranges rise and do not touch each other's records. */
export async function readPayloads(
  state: JournalState,
  ranges: readonly SequenceRange[],
  into: Buffer,
  signal: AbortSignal | undefined,
): Promise<number> {
  const { generation } = state;
  const reader = new PayloadReader(state, ranges, into);
  try {
    while (reader.next !== undefined) {
      if (state.closed) throw new ClosedError(`journal ${state.dir}`);
      if (signal?.aborted) throw new AbortedError('read', undefined, signal.reason);
      await reader.group(reader.next);
    }
    return reader.filled;
  } catch (error) {
    // The journal was cut meanwhile: what stayed is read from where it lies now.
    if (state.generation !== generation) return await readPayloads(state, ranges, into, signal);
    throw error;
  } finally {
    await reader.close();
  }
}

class PayloadReader {
  filled = 0;
  /** The record whose payload comes next; undefined when there is none. */
  next: number | undefined;
  private range = 0;
  /** The record that the walk comes to. */
  private coming = 0;
  private at: { segment: Segment; file: DiskFile; walk: GroupWalk } | undefined;

  constructor(
    private readonly state: JournalState,
    private readonly ranges: readonly SequenceRange[],
    private readonly into: Buffer,
  ) {
    this.next = ranges[0]?.from;
  }

  /** Goes through a group: that of the record `next`, or one before it. */
  async group(next: number): Promise<void> {
    const { state } = this;
    const segment = state.segments.holding(next);
    if (segment === undefined) throw new SequenceGoneError(next, state.first, state.last);
    try {
      const walk = await this.before(segment, next);
      this.coming = walk.position.last + 1;
      const ended = await walk.next(segment.bytes);
      // Behind what is bad a later range may still be read, from where the index says.
      if (ended === undefined || (this.next !== next && ended.reason === 'bad')) return;
      throw damageOf(segment, walk, ended);
    } catch (error) {
      throw unlessFreed(state, segment, next, error);
    }
  }

  async close(): Promise<void> {
    const { at } = this;
    this.at = undefined;
    await at?.file.close();
  }

  /** A walk that is at the group of a record, or not far before it. */
  private async before(segment: Segment, sequence: number): Promise<GroupWalk> {
    const { state } = this;
    if (this.at?.segment !== segment) {
      await this.close();
      const file = await openSegment(state, segment);
      if (file === undefined) throw new SequenceGoneError(sequence, state.first, state.last);
      const visitor = { record: (block: Block, at: number) => this.take(block, at) };
      const nowhere = { offset: Number.POSITIVE_INFINITY, last: 0, chain: 0n, epoch: 0 };
      this.at = { segment, file, walk: new GroupWalk(file, segment.seed, nowhere, visitor) };
    }
    const { file, walk } = this.at;
    const place = segment.near(sequence);
    const { offset, last } = walk.position;
    if (last < sequence && offset >= place.offset && offset < segment.bytes) return walk;
    const start = await startAt(file, segment, place);
    if (start === undefined) throw damage(segment, place.offset, place.sequence, 'no group header starts here');
    walk.position = start;
    return walk;
  }

  private take(block: Block, at: number): void {
    const sequence = this.coming++;
    if (sequence !== this.next) return;
    const length = block.view.getUint32(at + RECORD.payloadLength, true);
    if (length > this.into.byteLength - this.filled) throw this.noRoom();
    const start = at + RECORD_HEADER_BYTES + keyLengthAt(block.view, at);
    block.bytes.copy(this.into, this.filled, start, start + length);
    this.filled += length;
    const isLast = sequence === this.ranges[this.range]?.to;
    this.next = isLast ? this.ranges[++this.range]?.from : sequence + 1;
  }

  private noRoom(): LonghaulError {
    return new InvalidArgumentError('into', this.into.byteLength, 'as many bytes as the payloads take');
  }
}

function damageOf(segment: Segment, { position }: GroupWalk, ended: WalkEnd): LonghaulError {
  if (ended.reason === 'bad') return damage(segment, ended.bad.offset, ended.bad.sequence, ended.bad.found);
  const found = ended.reason === 'end' ? 'the file ends before it' : 'no group header starts here';
  return damage(segment, position.offset, position.last + 1, found);
}
