import { randomBytes } from 'node:crypto';
import type { DiskFile } from './disk.js';
import { Group } from './group.js';
import type { Operation } from './operation.js';
import type { Entry } from './record.js';
import { createSegment } from './segment.js';
import type { JournalState } from './state.js';

/**
 * Group commit: whatever queued while the last write and sync ran goes to the disk next, as one gathered write and one
 * fdatasync. There is no timer; a lone record waits for nothing but the disk. While the disk works on one group, the
 * next one is encoded as its records come.
 */

export interface WriterOptions {
  segmentBytes: number;
  /** False for durability 'none': a group is then done once written, and a segment is synced when it is full. */
  sync: boolean;
}

export class GroupWriter {
  /** Bytes of records that have a number and are not durable. */
  pendingBytes = 0;
  /** Records that fit no group yet. */
  private queue: Entry[] = [];
  private operations: Operation[] = [];
  private running: Promise<void> | undefined;
  /** Whether `filling` has its place and may take records. */
  private begun = false;
  private filling: Group;
  private writing: Group;
  /** The newest record known to be synced. */
  private synced: number;

  constructor(
    private readonly state: JournalState,
    private file: DiskFile,
    private readonly options: WriterOptions,
  ) {
    this.synced = state.last;
    this.filling = new Group(state.recent);
    this.writing = new Group(state.recent);
  }

  push(entries: readonly Entry[], operation: Operation): void {
    for (const entry of entries) {
      this.queue.push(entry);
      this.pendingBytes += entry.bytes;
    }
    this.operations.push(operation);
    if (this.begun) this.fill();
    // A microtask later, so that calls made in a row share the first group too.
    this.running ??= Promise.resolve().then(() => this.run());
  }

  /** Resolves when nothing is queued any more, be it written or failed. */
  async idle(): Promise<void> {
    while (this.running !== undefined) await this.running;
  }

  /** Goes on in another segment, which the state knows already. */
  async replaceFile(file: DiskFile): Promise<void> {
    const old = this.file;
    this.file = file;
    this.synced = this.state.last;
    await old.close();
  }

  /** Fails everything queued; the journal is broken or about to be. */
  rejectQueued(error: Error): void {
    const operations = this.operations;
    this.operations = [];
    this.queue = [];
    this.pendingBytes = 0;
    for (const operation of operations) operation.fail(error);
  }

  async close(): Promise<void> {
    await this.idle();
    try {
      if (!this.options.sync && this.state.failure === undefined) await this.file.datasync();
    } finally {
      await this.file.close();
    }
  }

  private async run(): Promise<void> {
    try {
      this.begin();
      // What a group took before the journal broke is not written any more either.
      while (this.state.failure === undefined) {
        this.fill();
        if (!this.filling.empty) await this.commit();
        else if (this.queue.length > 0) await this.startSegment();
        else return;
      }
    } catch (error) {
      this.state.fail(error);
    } finally {
      this.begun = false;
      this.running = undefined;
    }
  }

  /** Begins a group behind what is durable. */
  private begin(): void {
    const { segments, lastChain } = this.state;
    const segment = segments.active;
    this.filling.begin({
      segment,
      offset: segment.bytes,
      chain: lastChain,
      durableThrough: this.synced,
      segmentBytesMax: this.options.segmentBytes,
    });
    this.begun = true;
  }

  /** Encodes what queues into the next group, as far as it fits. */
  private fill(): void {
    let taken = 0;
    for (const entry of this.queue) {
      if (!this.filling.fits(entry)) break;
      this.filling.add(entry);
      taken++;
    }
    if (taken === this.queue.length) this.queue.length = 0;
    else if (taken > 0) this.queue = this.queue.slice(taken);
  }

  private async commit(): Promise<void> {
    const { state } = this;
    const group = this.filling;
    const { segment, offset } = group.place;
    const buffers = group.finish();
    // The next group is written only if this one is synced, so its headers may say so from the start.
    const durableThrough = this.options.sync ? group.last : this.synced;
    this.filling = this.writing;
    this.writing = group;
    this.filling.begin({ ...group.place, offset: offset + group.bytes, chain: group.chain, durableThrough });
    await this.file.write(buffers, offset);
    if (this.options.sync) await this.file.datasync();
    // Broken meanwhile by something else, and everyone told so: nothing more is acknowledged.
    if (state.failure !== undefined) return;
    this.synced = durableThrough;
    this.pendingBytes -= group.bytes;
    this.succeedThrough(group.last);
    state.advance(segment, group.bytes, group.last, group.chain, group.epoch);
  }

  private succeedThrough(sequence: number): void {
    let done = 0;
    for (const operation of this.operations) {
      if (operation.last > sequence) break;
      operation.succeed();
      done++;
    }
    this.operations = done === this.operations.length ? [] : this.operations.slice(done);
  }

  /** The full segment is synced before the next exists: a segment's existence proves all that comes before it. */
  private async startSegment(): Promise<void> {
    const { state } = this;
    const full = state.segments.active;
    if (!this.options.sync) await this.file.datasync();
    const { segment, file } = await createSegment(state.disk, state.dir, {
      volume: full.header.volume,
      first: state.last + 1,
      chain: state.lastChain,
      epoch: state.lastEpoch,
      previousRecords: full.last - full.first + 1,
      salt: randomSalt(),
    });
    state.segments.push(segment);
    await this.replaceFile(file);
    this.begin();
  }
}

export function randomSalt(): number {
  return randomBytes(4).readUInt32LE(0);
}
