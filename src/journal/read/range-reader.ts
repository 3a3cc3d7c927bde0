import { InvalidArgumentError, SequenceGoneError } from '../../errors.js';
import type { DiskFile } from '../disk/disk.js';
import type { Segment } from '../format/segment.js';
import { RecordTable } from '../scan/record-table.js';
import type { JournalState } from '../state/state.js';
import { openSegment, unlessFreed } from './locate.js';

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
/** Ranges this close together are read at once. */
const GAP_BYTES_MAX = 8 * 1024;
const READ_BYTES_MAX = 1024 * 1024;
const READS_AT_ONCE = 8;

interface Wanted {
  /** Where it lies in the file. */
  start: number;
  length: number;
  /** Its place in the answer. */
  index: number;
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
      return await call;
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
      const wanted: Wanted[] = [];
      for (const index of indexes) {
        const range = ranges[index] as PayloadRange;
        const start = placeOf(range, index, entry.table);
        const block = tail.lend(segment.address + start);
        const at = block === undefined ? 0 : segment.address + start - block.address;
        if (block === undefined) wanted.push({ start, length: range.length, index });
        else answer[index] = block.bytes.subarray(at, at + range.length);
      }
      await readAll(entry.file, wanted, answer);
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

/** Reads what is wanted in the order of the file, neighbours together, several reads at a time. */
async function readAll(file: DiskFile, wanted: Wanted[], answer: Buffer[]): Promise<void> {
  wanted.sort((a, b) => a.start - b.start);
  const reads: Wanted[][] = [];
  let end = Number.NEGATIVE_INFINITY;
  let start = 0;
  for (const each of wanted) {
    const run = reads[reads.length - 1];
    if (run !== undefined && each.start <= end + GAP_BYTES_MAX && each.start + each.length - start <= READ_BYTES_MAX) {
      run.push(each);
    } else {
      reads.push([each]);
      start = each.start;
    }
    end = Math.max(end, each.start + each.length);
  }
  let next = 0;
  const work = async () => {
    for (let run = reads[next++]; run !== undefined; run = reads[next++]) await readRun(file, run, answer);
  };
  await Promise.all(Array.from({ length: Math.min(READS_AT_ONCE, reads.length) }, work));
}

async function readRun(file: DiskFile, run: readonly Wanted[], answer: Buffer[]): Promise<void> {
  const start = run[0]?.start ?? 0;
  const end = run.reduce((most, each) => Math.max(most, each.start + each.length), start);
  const buffer = Buffer.allocUnsafeSlow(end - start);
  await file.read(buffer, start);
  for (const { start: from, length, index } of run)
    answer[index] = buffer.subarray(from - start, from - start + length);
}
