import { setImmediate as endOfTurn } from 'node:timers/promises';
import { InvalidArgumentError, SequenceGoneError } from '../../errors.js';
import type { DiskFile } from '../disk/disk.js';
import type { Segment } from '../format/segment.js';
import type { RecordTable } from '../scan/record-table.js';
import type { JournalState } from '../state/state.js';
import { gather, type Stretch } from './gather.js';
import { inTurns } from './in-turns.js';
import { damage, unlessFreed } from './locate.js';
import { OpenFiles } from './open-files.js';
import { readPayloads, type SequenceRange } from './payload-reader.js';
import { SegmentTables } from './segment-tables.js';

/** A stretch of a record's payload. */
export interface PayloadRange {
  sequence: number;
  /** Where it starts in the payload. */
  offset: number;
  /** Bytes. */
  length: number;
}

/** So many segments are read from at a time, and so many stretches of one are looked through. */
const SEGMENTS_AT_ONCE = 4;
const STRETCHES_AT_ONCE = 4;

interface RangeStretch extends Stretch {
  sequence: number;
}

/** Reads payloads back in place, many at a time: what a peer's references into history are restored from. */
export class RangeReader {
  private readonly tables = new SegmentTables();
  private readonly files: OpenFiles;
  private readonly calls = new Set<Promise<unknown>>();
  /** What tells whether segments were freed since tables and files were last looked through. */
  private oldest: Segment | undefined;
  private generation = 0;

  constructor(private readonly state: JournalState) {
    this.files = new OpenFiles(state);
  }

  /** The bytes of each range, in order; views of larger blocks. */
  async read(ranges: readonly PayloadRange[]): Promise<Buffer[]> {
    const answer = await this.called(this.readNow(ranges));
    // What comes from memory, or from a thread that is fast, would let somebody who reads on and on keep the event loop to
    // himself.
    await endOfTurn();
    return answer;
  }

  /** As `readPayloads`. */
  payloads(ranges: readonly SequenceRange[], into: Buffer, signal: AbortSignal | undefined): Promise<number> {
    const { state, files } = this;
    return this.called(this.forgetFreed().then(() => readPayloads(state, files, ranges, into, signal)));
  }

  /** Once those that are under way are done; no more may come. */
  async close(): Promise<void> {
    await Promise.allSettled(this.calls);
    await this.files.close();
  }

  private async called<T>(call: Promise<T>): Promise<T> {
    this.calls.add(call);
    try {
      return await call;
    } finally {
      this.calls.delete(call);
    }
  }

  private async readNow(ranges: readonly PayloadRange[]): Promise<Buffer[]> {
    const { generation } = this.state;
    const answer = new Array<Buffer>(ranges.length);
    await this.forgetFreed();
    try {
      await inTurns(this.bySegment(ranges), SEGMENTS_AT_ONCE, async ([segment, indexes]) => {
        try {
          await this.readFrom(segment, ranges, indexes, answer);
        } catch (error) {
          throw unlessFreed(this.state, segment, ranges[indexes[0] as number]?.sequence ?? segment.first, error);
        }
      });
    } catch (error) {
      // The journal was cut meanwhile: what stayed is read from where it lies now.
      if (this.state.generation !== generation) return this.readNow(ranges);
      throw error;
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
    const first = ranges[indexes[0] as number]?.sequence ?? segment.first;
    const table = this.tables.of(segment);
    const tables = indexes.map((index) => table.near(ranges[index]?.sequence ?? 0));
    const missing = missingFrom(tables, indexes, ranges);
    if (missing.size > 0) {
      await this.files.use(segment, first, (file) =>
        inTurns(missing, STRETCHES_AT_ONCE, ([stretch, last]) => stretch.reach(last, file)),
      );
      this.tables.grown(segment);
    }
    const wanted: RangeStretch[] = [];
    for (const [at, index] of indexes.entries()) {
      const range = ranges[index] as PayloadRange;
      const start = startOf(range, index, tables[at] as RecordTable);
      const inMemory = this.inMemory(segment, start, range.length);
      const take = (bytes: Buffer) => {
        answer[index] = bytes;
      };
      if (inMemory === undefined) wanted.push({ start, length: range.length, sequence: range.sequence, take });
      else take(inMemory);
    }
    if (wanted.length > 0) await this.files.use(segment, first, (file) => readAll(file, segment, wanted));
    // The file may serve another segment by now: then what was read means nothing.
    const { segments, first: oldest, last } = this.state;
    if (!segments.has(segment)) throw new SequenceGoneError(segment.first, oldest, last);
  }

  private inMemory(segment: Segment, start: number, length: number): Buffer | undefined {
    const address = segment.address + start;
    const block = this.state.tail.blockAt(address);
    block?.loan.share();
    return block?.bytes.subarray(address - block.address, address - block.address + length);
  }

  private async forgetFreed(): Promise<void> {
    const { segments, generation } = this.state;
    if (segments.oldest === this.oldest && generation === this.generation) return;
    this.oldest = segments.oldest;
    this.generation = generation;
    this.tables.dropFreed(segments);
    await this.files.closeFreed();
  }
}

/** The tables that do not reach far enough yet, each with the newest record that is wanted of it. */
function missingFrom(
  tables: readonly RecordTable[],
  indexes: readonly number[],
  ranges: readonly PayloadRange[],
): Map<RecordTable, number> {
  const missing = new Map<RecordTable, number>();
  for (const [at, table] of tables.entries()) {
    const sequence = ranges[indexes[at] as number]?.sequence ?? 0;
    if (sequence > table.last) missing.set(table, Math.max(missing.get(table) ?? 0, sequence));
  }
  return missing;
}

async function readAll(file: DiskFile, segment: Segment, wanted: readonly RangeStretch[]): Promise<void> {
  const missing = await gather(file, wanted);
  if (missing !== undefined) throw damage(segment, missing.start, missing.sequence, 'the file ends before it');
}

/** Where a range starts in its segment. */
function startOf({ sequence, offset, length }: PayloadRange, index: number, table: RecordTable): number {
  const { start, length: payloadLength } = table.payloadOf(sequence);
  if (offset + length > payloadLength) {
    const what = `bytes ${offset} to ${offset + length} of record ${sequence}`;
    throw new InvalidArgumentError(`ranges[${index}]`, what, `a range within its ${payloadLength} bytes`);
  }
  return start + offset;
}
