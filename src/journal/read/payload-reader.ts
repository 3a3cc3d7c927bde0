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
import { damage, unlessFreed } from './locate.js';
import type { OpenFiles } from './open-files.js';

/**
 * Reads the payloads of stretches of records into memory of the caller, end to end. Groups are walked through whole, each
 * of them once, however many of the stretches lie in it; nothing is made for a record but its copy.
 */

/** Records in a row, the first and the last one included. */
export interface SequenceRange {
  from: number;
  to: number;
}

/** Before a walk has begun. */
const NOWHERE = { offset: Number.POSITIVE_INFINITY, last: 0, chain: 0n, epoch: 0 };

/** Returns how many bytes there are. The ranges rise and do not touch each other's records. */
export async function readPayloads(
  state: JournalState,
  files: OpenFiles,
  ranges: readonly SequenceRange[],
  into: Buffer,
  signal: AbortSignal | undefined,
): Promise<number> {
  const { generation } = state;
  const reader = new PayloadReader(state, ranges, into, signal);
  try {
    for (let next = reader.next; next !== undefined; next = reader.next) {
      const segment = state.segments.holding(next);
      if (segment === undefined) throw new SequenceGoneError(next, state.first, state.last);
      await files.use(segment, next, (file) => reader.segment(segment, file));
    }
    return reader.filled;
  } catch (error) {
    // The journal was cut meanwhile: what stayed is read from where it lies now.
    if (state.generation !== generation) return readPayloads(state, files, ranges, into, signal);
    throw error;
  }
}

class PayloadReader {
  filled = 0;
  /** The record whose payload comes next; undefined when there is none. */
  next: number | undefined;
  private range = 0;
  /** The record that the walk comes to. */
  private coming = 0;

  constructor(
    private readonly state: JournalState,
    private readonly ranges: readonly SequenceRange[],
    private readonly into: Buffer,
    private readonly signal: AbortSignal | undefined,
  ) {
    this.next = ranges[0]?.from;
  }

  /** Takes what a segment has of them, from the record `next` on. */
  async segment(segment: Segment, file: DiskFile): Promise<void> {
    const { state, signal } = this;
    const visitor = { record: (block: Block, at: number) => this.take(block, at) };
    const walk = new GroupWalk(file, segment.seed, NOWHERE, visitor);
    for (let next = this.next; next !== undefined && next <= segment.last; next = this.next) {
      if (state.closed) throw new ClosedError(`journal ${state.dir}`);
      if (signal?.aborted) throw new AbortedError('read', undefined, signal.reason);
      try {
        await this.group(segment, file, walk, next);
      } catch (error) {
        throw unlessFreed(state, segment, next, error);
      }
    }
  }

  /** Goes through a group: that of the record `next`, or one before it. */
  private async group(segment: Segment, file: DiskFile, walk: GroupWalk, next: number): Promise<void> {
    const place = segment.near(next);
    const { offset, last } = walk.position;
    if (last >= next || offset < place.offset || offset >= segment.bytes) {
      const start = await startAt(file, segment, place);
      if (start === undefined) throw damage(segment, place.offset, place.sequence, 'no group header starts here');
      walk.position = start;
    }
    this.coming = walk.position.last + 1;
    const ended = await walk.next(segment.bytes);
    // Behind what is bad a later range may still be read, from where the index says.
    if (ended === undefined || (this.next !== next && ended.reason === 'bad')) return;
    throw damageOf(segment, walk, ended);
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
