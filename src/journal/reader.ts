import { isErrno } from '../engine/files.js';
import { AbortedError, JournalDamagedError, SequenceGoneError, StorageError } from '../errors.js';
import type { DiskFile } from './disk.js';
import { RECORD_HEADER_BYTES } from './format.js';
import { locate } from './locate.js';
import { type Block, decodeHeader, decodeRecord, type JournalRecord } from './record.js';
import { EMPTY_BLOCK, readBlock } from './scan.js';
import type { Segment } from './segment.js';
import type { JournalState } from './state.js';

/**
 * Reading: blocks from the file, records as views of them. A block belongs to its records for as long as they live,
 * so each is allocated anew; every header and payload is checked on the way.
 */

const BLOCK_BYTES = 1024 * 1024;
/** Records of this size and up are read several to a block that fits a whole number of them. */
const LARGE_RECORD_BYTES = 256 * 1024;
const LARGE_BLOCK_BYTES = 4 * 1024 * 1024;

export interface ReadOptions {
  /** Wait at the tail for more instead of ending there. */
  follow?: boolean;
  signal?: AbortSignal;
}

export interface BatchOptions extends ReadOptions {
  /** Payload, key and header bytes after which a batch ends. Default 1 MiB; a batch holds at least one record. */
  batchBytesMax?: number;
  /** Default 4096. */
  batchRecordsMax?: number;
}

export interface BatchLimits {
  bytesMax: number;
  recordsMax: number;
}

export class Reader {
  private readonly generation: number;
  private segment: Segment | undefined;
  private file: DiskFile | undefined;
  private offset = 0;
  private block = EMPTY_BLOCK;
  private blockBytes = BLOCK_BYTES;
  /** Whether the block holds no further whole record. */
  private drained = true;
  /** The next block, read while the caller works on the records of this one. */
  private ahead: { offset: number; block: Promise<Block> } | undefined;

  constructor(
    private readonly state: JournalState,
    private next: number,
    private readonly limits: BatchLimits,
    private readonly options: ReadOptions,
  ) {
    this.generation = state.generation;
  }

  /** The next records, at least one; undefined at the end. */
  async batch(): Promise<JournalRecord[] | undefined> {
    if (!(await this.atRecord())) return undefined;
    const segment = this.segment;
    const file = this.file;
    if (segment === undefined || file === undefined) throw new Error('a reader at a record has a segment open');
    const end = segment.bytes;
    let records = this.take(segment, end);
    while (records.length === 0) {
      const had = this.block;
      const { ahead } = this;
      this.ahead = undefined;
      this.block = await (ahead?.offset === this.offset ? ahead.block : this.readHere(file, end));
      records = this.take(segment, end);
      const stuck = had.fileOffset === this.offset && this.block.bytes.byteLength <= had.bytes.byteLength;
      if (records.length === 0 && stuck) throw this.damage(segment, 'the file ends before it');
    }
    if (this.drained && this.offset < end) {
      const block = this.readHere(file, end);
      block.catch(() => {});
      this.ahead = { offset: this.offset, block };
    }
    return records;
  }

  async close(): Promise<void> {
    const { ahead, file } = this;
    this.file = undefined;
    this.ahead = undefined;
    this.block = EMPTY_BLOCK;
    await ahead?.block.catch(() => {});
    await file?.close();
  }

  private readHere(file: DiskFile, end: number): Promise<Block> {
    return readBlock(file, this.offset, Math.min(this.blockBytes, end - this.offset));
  }

  /** Waits for and goes to the next record; false when there is none to come. */
  private async atRecord(): Promise<boolean> {
    const { state } = this;
    const { follow, signal } = this.options;
    for (;;) {
      if (signal?.aborted) throw new AbortedError('read', undefined, signal.reason);
      if (state.closed) return false;
      if (state.generation !== this.generation || this.next < state.first) {
        throw new SequenceGoneError(this.next, state.first, state.last);
      }
      if (this.next <= state.last) break;
      if (!follow) return false;
      if (state.failure !== undefined) throw state.failure;
      await state.changed.wait(signal);
    }
    if (this.segment === undefined || this.next > this.segment.last) await this.enterSegment();
    return true;
  }

  private async enterSegment(): Promise<void> {
    await this.close();
    const { state } = this;
    const segment = state.segments.holding(this.next);
    if (segment === undefined) throw new SequenceGoneError(this.next, state.first, state.last);
    try {
      this.file = await state.disk.open(segment.path, 'r');
    } catch (error) {
      const gone = error instanceof StorageError && isErrno(error.cause, 'ENOENT');
      if (gone && !state.segments.has(segment)) throw new SequenceGoneError(this.next, state.first, state.last);
      throw gone ? new JournalDamagedError(segment.path, 0, this.next, segment.last, 'the file is gone') : error;
    }
    this.segment = segment;
    this.offset = (await locate(this.file, segment, this.next)).offset;
  }

  /** Decodes what the block holds from here on, up to the limits; empty when it holds no whole record. */
  private take(segment: Segment, end: number): JournalRecord[] {
    const records: JournalRecord[] = [];
    const { block } = this;
    let bytes = 0;
    this.drained = false;
    while (this.offset < end && bytes < this.limits.bytesMax && records.length < this.limits.recordsMax) {
      const at = this.offset - block.fileOffset;
      const record = at < 0 ? undefined : this.decode(segment, block, at, end);
      if (record === undefined) {
        this.drained = true;
        break;
      }
      records.push(record.record);
      bytes += record.bytes;
      this.offset += record.bytes;
      this.next++;
    }
    if (this.offset === block.fileEnd) this.drained = true;
    return records;
  }

  /** The record at `at` of the block, undefined when the block ends before it does. */
  private decode(
    segment: Segment,
    block: Block,
    at: number,
    end: number,
  ): { record: JournalRecord; bytes: number } | undefined {
    if (at + RECORD_HEADER_BYTES > block.bytes.byteLength) return undefined;
    const header = decodeHeader(block, at, segment.seed);
    if (typeof header === 'string') throw this.damage(segment, header);
    if (header.sequence !== this.next) throw this.damage(segment, `record ${header.sequence} stands in its place`);
    if (this.offset + header.bytes > end) throw this.damage(segment, 'the file ends within it');
    this.blockBytes = blockBytesFor(header.bytes);
    if (at + header.bytes > block.bytes.byteLength) return undefined;
    const record = decodeRecord(block, at, header);
    if (record === undefined) throw this.damage(segment, 'payload checksum differs');
    return { record, bytes: header.bytes };
  }

  private damage(segment: Segment, found: string): JournalDamagedError {
    return new JournalDamagedError(segment.path, this.offset, this.next, this.next, found);
  }
}

function blockBytesFor(recordBytes: number): number {
  if (recordBytes < LARGE_RECORD_BYTES) return BLOCK_BYTES;
  return recordBytes * Math.max(1, Math.floor(LARGE_BLOCK_BYTES / recordBytes));
}

export async function* readBatches(
  state: JournalState,
  from: number,
  limits: BatchLimits,
  options: ReadOptions,
): AsyncGenerator<JournalRecord[], void, undefined> {
  const reader = new Reader(state, from, limits, options);
  try {
    for (let batch = await reader.batch(); batch !== undefined; batch = await reader.batch()) yield batch;
  } finally {
    await reader.close();
  }
}
