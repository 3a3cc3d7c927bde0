import { kernels } from '../../engine/engine.js';
import { CHECK_STATE_FIELDS, RECORD_HEADER_BYTES, STATE, STOP } from '../../engine/record-layout.js';
import { AbortedError, JournalDamagedError, SequenceGoneError } from '../../errors.js';
import type { DiskFile } from '../disk/disk.js';
import { DATA_START, decodeGroupHeader, GROUP_HEADER_BYTES } from '../format/format.js';
import { decodeRecord, type JournalRecord, recordBytesAt } from '../format/record.js';
import type { Segment } from '../format/segment.js';
import { Block, EMPTY_BLOCK, readBlock } from '../scan/block.js';
import { describeStop } from '../scan/group-walk.js';
import { Loan } from '../state/loan.js';
import type { JournalState } from '../state/state.js';
import { locateGroup, openSegment, unlessFreed } from './locate.js';

/**
 * Reading: stretches of a segment, from memory where that still has them and from the file where not; records are
 * views of them. What comes from a file is checked on the way. A block belongs to its records for as long as they live,
 * so each is allocated anew, unless the caller says when it is done with them.
 */

const BLOCK_BYTES = 1024 * 1024;
/** Records of this size and up are read several to a block that fits a whole number of them. */
const LARGE_RECORD_BYTES = 256 * 1024;
const LARGE_BLOCK_BYTES = 4 * 1024 * 1024;
const CHECKED_MAX = 4096;
/** Blocks of files that wait for their next use, where they are given back. */
const IDLE_MAX = 4;

export interface ReadOptions {
  /** Wait at the tail for more instead of ending there. */
  follow?: boolean;
  /** Also give records that are being written and may yet be lost. Default false. */
  unsynced?: boolean;
  signal?: AbortSignal;
}

export interface BatchOptions extends ReadOptions {
  /** Payload, key and header bytes after which a batch ends. Default 1 MiB; a batch holds at least one record. */
  batchBytesMax?: number;
  /** Default 4096. */
  batchRecordsMax?: number;
}

/** Records that are only lent: once they are given back, their payloads and keys mean nothing any more. */
export interface LentBatch {
  records: JournalRecord[];
  /** Called once at most; without it the memory is left to the collector. */
  giveBack: () => void;
}

export interface BatchLimits {
  bytesMax: number;
  recordsMax: number;
}

/** Memory that a reader has views of, until it says that it is done. */
interface Held {
  loan: Loan;
  done: () => void;
}

/** A block on its way from the file, and what it will lie in if that is given back. */
interface Coming {
  loan: Loan | undefined;
  block: Promise<Block>;
}

export class Reader {
  private generation: number;
  private segment: Segment | undefined;
  private file: DiskFile | undefined;
  private block = EMPTY_BLOCK;
  /** What the block lies in, and what ends that this reader has views of it; undefined for what is given away for good. */
  private held: Held | undefined;
  /** Memory for blocks of files. */
  private readonly idle: Buffer[] = [];
  /** Whether the block comes from a file, and is to be checked. */
  private unchecked = false;
  /** What comes next in the segment: a group header, or a record of the group that ends at `groupEnd`. */
  private offset = 0;
  private groupEnd = 0;
  private blockBytes = BLOCK_BYTES;
  /** For the kernel that checks: seed, chain, next record, why it stopped, epoch. */
  private readonly check = new BigUint64Array(CHECK_STATE_FIELDS);
  private readonly checked = new Float64Array(CHECKED_MAX);
  private checkedCount = 0;
  private checkedNext = 0;
  /** The record taken last, of any group. */
  private taken: JournalRecord | undefined;
  /** The next block, read while the caller works on the records of this one. */
  private ahead: (Coming & { offset: number }) | undefined;

  constructor(
    private readonly state: JournalState,
    private next: number,
    private readonly limits: BatchLimits,
    private readonly options: ReadOptions,
    /** Whether records are given back. */
    private readonly lends = false,
  ) {
    this.generation = state.generation;
  }

  /** For records that came last: has them given back. */
  share(): () => void {
    return this.held?.loan.share() ?? (() => {});
  }

  /** The next records, at least one; undefined at the end. */
  async batch(): Promise<JournalRecord[] | undefined> {
    const from = this.next;
    try {
      return await this.nextRecords();
    } catch (error) {
      if (this.state.generation === this.generation) throw error;
      // The files were cut under it: what was taken from them is taken again, if it is still there.
      this.next = from;
      return this.batch();
    }
  }

  private async nextRecords(): Promise<JournalRecord[] | undefined> {
    if (!(await this.atRecord())) return undefined;
    const { segment } = this;
    if (segment === undefined) throw new Error('a reader at a record has a segment');
    const end = this.options.unsynced === true ? Math.max(segment.bytes, segment.writtenBytes) : segment.bytes;
    try {
      let records = this.take(segment, end);
      while (records.length === 0) {
        await this.load(segment, end);
        if (this.state.generation !== this.generation) return this.nextRecords();
        records = this.take(segment, end);
      }
      this.readAhead(segment, end);
      return records;
    } catch (error) {
      throw error instanceof JournalDamagedError ? unlessFreed(this.state, segment, this.next, error) : error;
    }
  }

  async close(): Promise<void> {
    const { ahead, file } = this;
    this.file = undefined;
    this.ahead = undefined;
    this.leave();
    this.checkedCount = 0;
    await ahead?.block.catch(() => {});
    await file?.close();
  }

  /** Waits for and goes to the next record; false when there is none to come. */
  private async atRecord(): Promise<boolean> {
    const { state } = this;
    const { follow, signal, unsynced } = this.options;
    for (;;) {
      if (signal?.aborted) throw new AbortedError('read', undefined, signal.reason);
      if (state.closed) return false;
      if (state.generation !== this.generation) await this.afterCut();
      if (this.next < state.first) throw new SequenceGoneError(this.next, state.first, state.last);
      if (this.next <= (unsynced === true ? state.written : state.last)) break;
      if (!follow) return false;
      if (state.failure !== undefined) throw state.failure;
      await state.changed.wait(signal);
    }
    if (this.segment === undefined || this.next > this.lastOf(this.segment)) await this.enterSegment();
    return true;
  }

  /** The journal was reset or cut: reading goes on only if all that was read stayed. */
  private async afterCut(): Promise<void> {
    const { state, next } = this;
    const kept = state.keptSince(this.generation);
    this.generation = state.generation;
    if (next > kept + 1) throw new SequenceGoneError(next, state.first, state.last);
    this.segment = undefined;
    await this.close();
  }

  private lastOf(segment: Segment): number {
    return this.options.unsynced === true && segment === this.state.segments.active ? this.state.written : segment.last;
  }

  private async enterSegment(): Promise<void> {
    await this.close();
    const { state, next } = this;
    const segment = state.segments.holding(next) ?? this.activeWith(next);
    if (segment === undefined) throw new SequenceGoneError(next, state.first, state.last);
    this.segment = segment;
    if (next === segment.first) this.offset = DATA_START;
    else this.offset = await this.locate(segment);
    this.groupEnd = this.offset;
  }

  /** The active segment, if the record is one that is being written. */
  private activeWith(sequence: number): Segment | undefined {
    const { active } = this.state.segments;
    return sequence >= active.first && sequence <= this.lastOf(active) ? active : undefined;
  }

  private async locate(segment: Segment): Promise<number> {
    const { state, next } = this;
    const inMemory = state.recent.groupOf(next);
    if (inMemory !== undefined && state.tail.holds(inMemory)) return inMemory - segment.address;
    return (await locateGroup(await this.open(segment), segment, next)).offset;
  }

  private async open(segment: Segment): Promise<DiskFile> {
    this.file ??= await openSegment(this.state, segment);
    if (this.file === undefined) throw new SequenceGoneError(this.next, this.state.first, this.state.last);
    return this.file;
  }

  /** Gets the bytes at `offset`, more of them than before if the block starts there already. */
  private async load(segment: Segment, end: number): Promise<void> {
    const inMemory = this.state.tail.blockAt(segment.address + this.offset);
    if (inMemory !== undefined) {
      const done = inMemory.loan.share();
      const block = new Block(inMemory.filledBytes, inMemory.address - segment.address);
      this.enter(block, this.lends ? { loan: inMemory.loan, done } : undefined);
      this.unchecked = false;
      return;
    }
    const { block: had } = this;
    const { block: coming, loan } = this.takeAhead() ?? this.read(await this.open(segment), this.offset, end);
    const block = await coming;
    const stuck = had.fileOffset === this.offset && block.bytes.byteLength <= had.bytes.byteLength;
    if (stuck || block.bytes.byteLength === 0) throw this.damage(segment, 'the file ends before it');
    this.enter(block, loan && { loan, done: () => loan.giveBack() });
    this.unchecked = true;
    this.checkBehindTaken();
  }

  private takeAhead(): Coming | undefined {
    const { ahead } = this;
    this.ahead = undefined;
    return ahead?.offset === this.offset ? ahead : undefined;
  }

  private read(file: DiskFile, offset: number, end: number): Coming {
    const bytes = Math.min(this.blockBytes, end - offset);
    const loan =
      this.lends && bytes <= BLOCK_BYTES ? new Loan(this.memory(), (memory) => this.keep(memory)) : undefined;
    return { loan, block: readBlock(file, offset, bytes, loan?.memory) };
  }

  private memory(): Buffer {
    return this.idle.pop() ?? Buffer.allocUnsafeSlow(BLOCK_BYTES);
  }

  private keep(memory: Buffer): void {
    if (this.idle.length < IDLE_MAX) this.idle.push(memory);
  }

  private enter(block: Block, held: Held | undefined): void {
    this.leave();
    this.block = block;
    this.held = held;
  }

  private leave(): void {
    this.held?.done();
    this.held = undefined;
    this.block = EMPTY_BLOCK;
  }

  /** Records that came from memory were not checked: what comes next from the file has to follow the last of them. */
  private checkBehindTaken(): void {
    const { check, taken } = this;
    if (taken === undefined) return;
    check[1] = taken.chain;
    check[2] = BigInt(taken.sequence + 1);
    check[4] = BigInt(taken.epoch);
  }

  private readAhead(segment: Segment, end: number): void {
    const { file, offset, ahead } = this;
    if (
      this.checkedNext < this.checkedCount ||
      this.holdsNext() ||
      file === undefined ||
      ahead !== undefined ||
      offset >= end
    )
      return;
    if (this.state.tail.holds(segment.address + offset)) return;
    const coming = this.read(file, offset, end);
    coming.block.catch(() => {});
    this.ahead = { offset, ...coming };
  }

  /** Whether the block holds all of what comes next. */
  private holdsNext(): boolean {
    const { block, offset } = this;
    if (offset === this.groupEnd) return block.holds(offset, GROUP_HEADER_BYTES);
    return (
      block.holds(offset, RECORD_HEADER_BYTES) &&
      block.holds(offset, recordBytesAt(block.view, offset - block.fileOffset))
    );
  }

  /** Takes what the block holds from here on, up to the limits; empty when it holds no whole record. */
  private take(segment: Segment, end: number): JournalRecord[] {
    const records: JournalRecord[] = [];
    const { bytesMax, recordsMax } = this.limits;
    let bytes = 0;
    while (bytes < bytesMax && records.length < recordsMax) {
      const at = this.nextInBlock(segment, end);
      if (at === undefined) break;
      const { block } = this;
      const taken = recordBytesAt(block.view, at);
      const record = decodeRecord(block.bytes, block.view, at);
      this.taken = record;
      // A group is entered at its start, whichever of its records was asked for.
      if (record.sequence >= this.next) {
        records.push(record);
        bytes += taken;
        this.next = record.sequence + 1;
      }
      this.offset = block.fileOffset + at + taken;
    }
    return records;
  }

  /** Where the next record starts in the block; undefined when the block does not hold all of it. */
  private nextInBlock(segment: Segment, end: number): number | undefined {
    if (this.checkedNext < this.checkedCount) return this.checked[this.checkedNext++];
    if (this.offset >= end) return undefined;
    if (this.offset === this.groupEnd && !this.enterGroup(segment)) return undefined;
    const { block, groupEnd } = this;
    const at = this.offset - block.fileOffset;
    if (!block.holds(this.offset, RECORD_HEADER_BYTES)) return undefined;
    if (!this.unchecked) return block.holds(this.offset, recordBytesAt(block.view, at)) ? at : undefined;
    const stop = Math.min(groupEnd - block.fileOffset, block.bytes.byteLength);
    const count = kernels.checkRecords(block.bytes, at, stop, this.check, this.checked);
    if (count === 0) {
      const reason = Number(this.check[STATE.stop]);
      if (reason !== STOP.cutOff || block.fileEnd >= groupEnd)
        throw this.damage(segment, describeStop(reason), Number(this.check[STATE.sequence]));
      this.blockBytes = blockBytesFor(recordBytesAt(block.view, at), groupEnd - this.offset);
      return undefined;
    }
    this.checkedCount = count;
    this.checkedNext = 1;
    return this.checked[0];
  }

  /** Goes over the header of the group that starts here; false when the block does not hold it. */
  private enterGroup(segment: Segment): boolean {
    const { block, check } = this;
    if (!block.holds(this.offset, GROUP_HEADER_BYTES)) return false;
    const header = decodeGroupHeader(block.bytes, this.offset - block.fileOffset, segment.seed);
    if (header === undefined) throw this.damage(segment, 'no group header starts here');
    if (header.first > this.next) throw this.damage(segment, `record ${header.first} stands in its place`);
    check[STATE.segmentSeed] = segment.seed;
    check[STATE.chain] = header.chain;
    check[STATE.sequence] = BigInt(header.first);
    check[STATE.epoch] = 0n;
    this.groupEnd = this.offset + header.bytes;
    this.offset += GROUP_HEADER_BYTES;
    return true;
  }

  private damage(segment: Segment, found: string, sequence = this.next): JournalDamagedError {
    return new JournalDamagedError(segment.path, this.offset, sequence, sequence, found);
  }
}

/** Large records are read several at a time, but no more than the group still has. */
function blockBytesFor(recordBytes: number, groupBytes: number): number {
  if (recordBytes < LARGE_RECORD_BYTES) return BLOCK_BYTES;
  const several = recordBytes * Math.max(1, Math.floor(LARGE_BLOCK_BYTES / recordBytes));
  return Math.max(recordBytes, Math.min(several, groupBytes));
}

export async function* readBatches(
  state: JournalState,
  from: number,
  limits: BatchLimits,
  options: ReadOptions,
): AsyncGenerator<JournalRecord[], void, undefined> {
  for await (const { records } of read(state, options, new Reader(state, from, limits, options))) yield records;
}

export function readLent(
  state: JournalState,
  from: number,
  limits: BatchLimits,
  options: ReadOptions,
): AsyncGenerator<LentBatch, void, undefined> {
  return read(state, options, new Reader(state, from, limits, options, true));
}

async function* read(
  state: JournalState,
  options: ReadOptions,
  reader: Reader,
): AsyncGenerator<LentBatch, void, undefined> {
  const unsynced = options.unsynced === true ? 1 : 0;
  state.unsyncedReaders += unsynced;
  try {
    for (let records = await reader.batch(); records !== undefined; records = await reader.batch())
      yield { records, giveBack: reader.share() };
  } finally {
    state.unsyncedReaders -= unsynced;
    await reader.close();
  }
}
