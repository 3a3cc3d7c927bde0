import { randomBytes } from 'node:crypto';
import { createSegment, type SegmentFile } from '../disk/segment-file.js';
import { footerBytesMax } from '../format/footer.js';
import type { Entry } from '../format/record.js';
import type { Group } from '../state/group.js';
import type { JournalState } from '../state/state.js';
import { Filler } from './filler.js';
import type { Operation } from './operation.js';

/**
 * Group commit: whatever queued while the last write and sync ran goes to the disk next, as one gathered write and one
 * sync. There is no timer; a lone record waits for nothing but the disk. While the disk works on one group, the next
 * one is encoded as its records come.
 */

/** What is waiting to be written goes to an idle disk at once when there is so much of it. */
const BEGIN_BYTES = 64 * 1024;

export interface WriterOptions {
  /** What the file of a segment takes, footer included; whole pages. */
  segmentBytes: number;
  /** False for durability 'none': a group is then done once written, and a segment is synced when it is full. */
  sync: boolean;
}

export class GroupWriter {
  /** Bytes of records that have a number and are not durable. */
  pendingBytes = 0;
  private operations: Operation[] = [];
  /** Until the writer begins, and while it works. */
  private scheduled: Promise<void> | undefined;
  private running: Promise<void> | undefined;
  private readonly filler: Filler;
  /** The newest record known to be synced. */
  private synced: number;

  constructor(
    private readonly state: JournalState,
    private file: SegmentFile,
    private readonly options: WriterOptions,
  ) {
    const recordsEndMax = options.segmentBytes - footerBytesMax(options.segmentBytes);
    this.filler = new Filler(state.tail, recordsEndMax, state.segments.active);
    this.synced = state.last;
  }

  /** Encodes a record, which is copied: the caller's memory is not looked at again. */
  add(entry: Entry): void {
    this.filler.add(entry);
    this.pendingBytes += entry.bytes;
  }

  /** Has what was added written. */
  push(operation: Operation): void {
    this.operations.push(operation);
    // A microtask later, so that calls made in a row share the first group too, unless that is large enough by itself:
    // then the disk begins while the rest comes in.
    this.scheduled ??= Promise.resolve().then(() => {
      this.scheduled = undefined;
      this.begin();
    });
    if (this.running === undefined && this.filler.bytes >= BEGIN_BYTES) this.begin();
  }

  /** Resolves when nothing is queued any more, be it written or failed. */
  async idle(): Promise<void> {
    while (this.scheduled !== undefined || this.running !== undefined) await (this.scheduled ?? this.running);
  }

  /** Goes on in another segment, which the state knows already. */
  async replaceFile(file: SegmentFile): Promise<void> {
    const old = this.file;
    this.file = file;
    this.synced = this.state.last;
    this.filler.restart(file.segment);
    await old.close();
  }

  /** Fails everything queued; the journal is broken or about to be. */
  rejectQueued(error: Error): void {
    const operations = this.operations;
    this.operations = [];
    this.filler.clear();
    this.pendingBytes = 0;
    for (const operation of operations) operation.fail(error);
  }

  /** Closes the file, with a footer that spares the next open any doubt about the last group. */
  async close(): Promise<void> {
    await this.idle();
    try {
      if (this.state.failure === undefined) await this.seal();
    } finally {
      await this.file.close();
    }
  }

  private begin(): void {
    if (this.running !== undefined || this.filler.bytes === 0 || this.state.failure !== undefined) return;
    this.running = this.run().finally(() => {
      this.running = undefined;
      // For what came after the last look.
      this.begin();
    });
  }

  private async run(): Promise<void> {
    try {
      // What a group took before the journal broke is not written any more either.
      while (this.state.failure === undefined) {
        const group = this.filler.take();
        if (group === undefined) return;
        if (group.startsSegment) await this.startSegment();
        await this.commit(group);
      }
    } catch (error) {
      this.state.fail(error);
    }
  }

  private async commit(group: Group): Promise<void> {
    const { state, file } = this;
    const { segment } = file;
    const chain = group.seal(segment, state.lastChain, this.synced);
    state.writing(segment, group);
    const written = file.write(group.parts, group.offset, this.options.sync);
    // While the disk works; nobody looks up a record that is not durable.
    group.index(segment, state.recent);
    const { full } = this.filler;
    if (full !== undefined && !full.startsSegment) full.sealRecords(segment, chain);
    await written;
    // Broken meanwhile by something else, and everyone told so: nothing more is acknowledged.
    if (state.failure !== undefined) return;
    if (this.options.sync) this.synced = group.last;
    this.pendingBytes -= group.recordBytes;
    this.succeedThrough(group.last);
    state.advance(segment, group, chain);
  }

  private succeedThrough(sequence: number): void {
    let done = 0;
    for (const operation of this.operations) {
      if (operation.last > sequence) break;
      operation.succeed();
      done++;
    }
    if (done === this.operations.length) this.operations = [];
    else if (done > 0) this.operations = this.operations.slice(done);
  }

  /** The full segment is sealed and synced before the next exists: a segment's existence proves all that comes before. */
  private async startSegment(): Promise<void> {
    const { state } = this;
    const full = state.segments.active;
    await this.seal();
    const fields = {
      volume: full.header.volume,
      first: state.last + 1,
      chain: state.lastChain,
      epoch: state.lastEpoch,
      previousRecords: full.last - full.first + 1,
      salt: randomSalt(),
    };
    const next = await createSegment(state.disk, state.dir, state.spares, fields, this.options.segmentBytes);
    state.segments.push(next.segment);
    const old = this.file;
    this.file = next;
    await old.close();
  }

  private async seal(): Promise<void> {
    const { state, file, options } = this;
    // The footer says that what it covers is durable.
    if (!options.sync) await file.datasync();
    await file.seal(state.lastChain, state.lastEpoch, state.recent.timestampOf(state.last) ?? 0);
    this.synced = state.last;
  }
}

export function randomSalt(): number {
  return randomBytes(4).readUInt32LE(0);
}
