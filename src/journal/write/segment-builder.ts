import { kernels } from '../../engine/engine.js';
import { RECORD } from '../../engine/record-layout.js';
import type { Disk, DiskFile } from '../disk/disk.js';
import { SegmentFile } from '../disk/segment-file.js';
import {
  encodeGroupHeader,
  encodeSegmentHeader,
  GROUP_HEADER_BYTES,
  getU64,
  PAGE_BYTES,
  type SegmentHeader,
} from '../format/format.js';
import { type Entry, encodeRecord, memoryOf, recordBytesAt, sequenceAt, timestampAt } from '../format/record.js';
import { newSegment, type Segment } from '../format/segment.js';
import type { RecentRecords } from '../state/recent.js';

/**
 * Writes a segment that replaces another one: records that have their numbers already, in groups of its own, under a
 * salt of its own, ended by a footer. The file lies aside until it is whole and synced, so each group may say of its
 * own records that they are durable: nobody reads it before that is true.
 */

/** A group is written once it takes this much. */
const GROUP_BYTES = 1024 * 1024;

export interface SegmentEnd {
  last: number;
  /** The chain and epoch of record `last`. */
  chain: bigint;
  epoch: number;
}

export class SegmentBuilder {
  readonly segment: Segment;
  private readonly writer: SegmentFile;
  private buffer = Buffer.allocUnsafeSlow(GROUP_BYTES);
  private memory = memoryOf(this.buffer);
  /** Where the group starts in the buffer, as in its page; up to where it reaches, and how many records it holds. */
  private start = 0;
  private used = GROUP_HEADER_BYTES;
  private records = 0;
  /** Behind the last group that was written. */
  private end: SegmentEnd;
  /** Of the newest record added. */
  epoch: number;
  private lastTimestamp = 0;
  /** The last group that was written; its bytes stay in the buffer until the next record comes. */
  private newestGroup = { offset: 0, start: 0, end: 0 };

  private constructor(
    header: SegmentHeader,
    dir: string,
    private readonly file: DiskFile,
    fileBytesMax: number,
  ) {
    this.segment = newSegment(dir, header);
    this.segment.fileBytes = PAGE_BYTES;
    this.writer = new SegmentFile(this.segment, file, fileBytesMax);
    this.end = { last: header.first - 1, chain: header.chain, epoch: header.epoch };
    this.epoch = header.epoch;
  }

  /** `fileBytesMax` is what the file grows to ahead of its records; 0 for one that gets no more later. */
  static async create(
    disk: Disk,
    dir: string,
    o: { path: string; header: SegmentHeader; fileBytesMax: number },
  ): Promise<SegmentBuilder> {
    // What an interrupted try left there must not shine through.
    await disk.remove(o.path);
    const file = await disk.open(o.path, 'w+');
    try {
      const page = Buffer.alloc(PAGE_BYTES);
      encodeSegmentHeader(o.header).bytes.copy(page);
      await file.write([page], 0);
      return new SegmentBuilder(o.header, dir, file, o.fileBytesMax);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** The newest record added. */
  get last(): number {
    return this.end.last + this.records;
  }

  /** Takes a record as it lies in a segment; call `relieve` now and then. */
  addBytes(record: Uint8Array): void {
    const at = this.room(record.byteLength);
    this.buffer.set(record, at);
    this.added(at);
  }

  addEntry(entry: Entry): void {
    const at = this.room(entry.bytes);
    encodeRecord(this.memory, at, entry);
    this.added(at);
  }

  /** Writes what has come if it is enough for a group. */
  async relieve(): Promise<void> {
    if (this.used - this.start >= GROUP_BYTES / 2) await this.commit();
  }

  /** Writes what has come; returns the newest record and its chain. */
  async commit(): Promise<SegmentEnd> {
    if (this.records === 0) return this.end;
    const { segment, buffer, start, used, records, last } = this;
    const { last: before, chain } = this.end;
    const offset = segment.bytes;
    const state = new BigUint64Array([segment.seed, chain]);
    kernels.sealRecords(buffer, start + GROUP_HEADER_BYTES, used, state);
    const header = { bytes: used - start, first: before + 1, records, durableThrough: last, chain };
    encodeGroupHeader(buffer, start, header, segment.seed);
    await this.writer.write([{ bytes: buffer, start, end: used }], offset, false);
    segment.note(before + 1, offset, timestampAt(this.memory.view, start + GROUP_HEADER_BYTES));
    segment.bytes = offset + header.bytes;
    segment.last = last;
    this.end = { last, chain: state[1] as bigint, epoch: this.epoch };
    this.newestGroup = { offset, start, end: used };
    this.records = 0;
    this.start = segment.bytes % PAGE_BYTES;
    this.used = this.start + GROUP_HEADER_BYTES;
    return this.end;
  }

  /** Ends the segment with a footer and makes the file durable where it lies. */
  async finish(): Promise<SegmentEnd> {
    const end = await this.commit();
    await this.writer.seal(end.chain, end.epoch, this.lastTimestamp);
    await this.file.sync();
    return end;
  }

  /** The finished file, open for writing, which now lies at the path of its segment. */
  renamed(): SegmentFile {
    this.file.path = this.segment.path;
    return this.writer;
  }

  close(): Promise<void> {
    return this.file.close();
  }

  /** Enters the records of the last group into the ring; the file is finished, and the segment has its address. */
  noteRecent(recent: RecentRecords): void {
    const { segment, newestGroup } = this;
    const { view } = this.memory;
    const { offset, start, end } = newestGroup;
    const group = segment.address + offset;
    for (let at = start + GROUP_HEADER_BYTES; at < end; ) {
      const next = at + recordBytesAt(view, at);
      recent.add(view, at, group + next - start, group);
      at = next;
    }
  }

  /** Makes room for a record, which need not be written at once. */
  private room(bytes: number): number {
    const at = this.used;
    const needed = at + bytes;
    if (needed > this.buffer.byteLength) {
      const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.buffer.byteLength * 2));
      this.buffer.copy(grown, 0, 0, at);
      this.buffer = grown;
      this.memory = memoryOf(grown);
    }
    this.used = needed;
    return at;
  }

  private added(at: number): void {
    if (sequenceAt(this.memory.view, at) !== this.last + 1) throw new Error('records of a segment follow each other');
    this.epoch = getU64(this.memory.view, at + RECORD.epoch);
    this.lastTimestamp = timestampAt(this.memory.view, at);
    this.records++;
  }
}
