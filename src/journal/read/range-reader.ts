import { setImmediate as endOfTurn } from 'node:timers/promises';
import { InvalidArgumentError, SequenceGoneError } from '../../errors.js';
import type { DiskFile } from '../disk/disk.js';
import type { Segment } from '../format/segment.js';
import { RecordTable } from '../scan/record-table.js';
import type { JournalState } from '../state/state.js';
import { gather, type Stretch } from './gather.js';
import { damage, openSegment, unlessFreed } from './locate.js';

/** A stretch of a record's payload. */
export interface PayloadRange {
  sequence: number;
  /** Where it starts in the payload. */
  offset: number;
  /** Bytes. */
  length: number;
}

/** Tables and files of segments that were read from stay at hand up to these bounds, the latest first. */
const TABLE_BYTES_MAX = 32 * 1024 * 1024;
const FILES_MAX = 16;
interface RangeStretch extends Stretch {
  sequence: number;
}

interface OpenTable {
  table: RecordTable;
  file: DiskFile;
  /** Calls that are using the file. */
  users: number;
  extending: Promise<void> | undefined;
}

/** Reads payloads back in place, many at a time: what a peer's references into history are restored from. */
export class RangeReader {
  /** In the order of their last use, the oldest first. */
  private readonly open = new Map<Segment, OpenTable>();
  private readonly calls = new Set<Promise<Buffer[]>>();

  constructor(private readonly state: JournalState) {}

  /** The bytes of each range, in order; views of larger blocks. */
  async read(ranges: readonly PayloadRange[]): Promise<Buffer[]> {
    const call = this.readNow(ranges);
    this.calls.add(call);
    try {
      const answer = await call;
      // What comes from memory, or from a thread that is fast, would let somebody who reads on and on keep the event
      // loop to himself.
      await endOfTurn();
      return answer;
    } finally {
      this.calls.delete(call);
    }
  }

  /** Once those that are under way are done; no more may come. */
  async close(): Promise<void> {
    await Promise.allSettled(this.calls);
    const all = [...this.open.values()];
    this.open.clear();
    for (const { file } of all) await file.close();
  }

  private async readNow(ranges: readonly PayloadRange[]): Promise<Buffer[]> {
    const { generation } = this.state;
    const answer = new Array<Buffer>(ranges.length);
    for (const [segment, indexes] of this.bySegment(ranges)) {
      try {
        await this.readFrom(segment, ranges, indexes, answer);
      } catch (error) {
        // The journal was cut meanwhile: what stayed is read from where it lies now.
        if (this.state.generation !== generation) return this.readNow(ranges);
        throw unlessFreed(this.state, segment, ranges[indexes[0] as number]?.sequence ?? segment.first, error);
      }
    }
    return answer;
  }

  private bySegment(ranges: readonly PayloadRange[]): Map<Segment, number[]> {
    const { segments, first, last } = this.state;
    const groups = new Map<Segment, number[]>();
    let segment: Segment | undefined;
    let indexes: number[] = [];
    for (const [index, { sequence }] of ranges.entries()) {
      if (segment === undefined || sequence < segment.first || sequence > segment.last) {
        segment = segments.holding(sequence);
        if (segment === undefined) throw new SequenceGoneError(sequence, first, last);
        indexes = groups.get(segment) ?? [];
        groups.set(segment, indexes);
      }
      indexes.push(index);
    }
    return groups;
  }

  private async readFrom(
    segment: Segment,
    ranges: readonly PayloadRange[],
    indexes: readonly number[],
    answer: Buffer[],
  ): Promise<void> {
    const { tail } = this.state;
    const entry = await this.use(segment, ranges[indexes[0] as number]?.sequence ?? 0);
    try {
      if (indexes.some((index) => (ranges[index]?.sequence ?? 0) > entry.table.last)) await this.extend(entry);
      const wanted: RangeStretch[] = [];
      for (const index of indexes) {
        const range = ranges[index] as PayloadRange;
        const take = (bytes: Buffer) => {
          answer[index] = bytes;
        };
        const start = placeOf(range, index, entry.table);
        const block = tail.lend(segment.address + start);
        const at = block === undefined ? 0 : segment.address + start - block.address;
        if (block === undefined) wanted.push({ start, length: range.length, sequence: range.sequence, take });
        else take(block.bytes.subarray(at, at + range.length));
      }
      const missing = await gather(entry.file, wanted);
      if (missing !== undefined) throw damage(segment, missing.start, missing.sequence, 'the file ends before it');
      // The file may serve another segment by now: then what was read means nothing.
      if (!this.state.segments.has(segment)) {
        throw new SequenceGoneError(segment.first, this.state.first, this.state.last);
      }
    } finally {
      entry.users--;
      await this.trim();
    }
  }

  /** The table of a segment, which stays open until `users` is counted down. */
  private async use(segment: Segment, sequence: number): Promise<OpenTable> {
    const file = this.open.get(segment)?.file ?? (await openSegment(this.state, segment));
    if (file === undefined) throw new SequenceGoneError(sequence, this.state.first, this.state.last);
    // Another call may have opened it meanwhile.
    const entry = this.open.get(segment) ?? { table: new RecordTable(segment), file, users: 0, extending: undefined };
    entry.users++;
    this.open.delete(segment);
    this.open.set(segment, entry);
    if (entry.file !== file) await file.close();
    return entry;
  }

  /** One walk at a time: calls that come meanwhile share it, and walk on if it was not far enough. */
  private async extend(entry: OpenTable): Promise<void> {
    await entry.extending;
    entry.extending ??= entry.table.extend(entry.file).finally(() => {
      entry.extending = undefined;
    });
    await entry.extending;
  }

  private async trim(): Promise<void> {
    let bytes = 0;
    for (const { table } of this.open.values()) bytes += table.bytes;
    for (const [segment, entry] of this.open) {
      const freed = !this.state.segments.has(segment);
      if (!freed && bytes <= TABLE_BYTES_MAX && this.open.size <= FILES_MAX) continue;
      if (entry.users > 0 || (!freed && this.open.size === 1)) continue;
      this.open.delete(segment);
      bytes -= entry.table.bytes;
      await entry.file.close();
    }
  }
}

function placeOf({ sequence, offset, length }: PayloadRange, index: number, table: RecordTable): number {
  const payloadLength = table.lengthOf(sequence);
  if (offset + length > payloadLength) {
    const what = `bytes ${offset} to ${offset + length} of record ${sequence}`;
    throw new InvalidArgumentError(`ranges[${index}]`, what, `a range within its ${payloadLength} bytes`);
  }
  return table.startOf(sequence) + offset;
}
