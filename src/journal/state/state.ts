import { ClosedError, DiskFullError, JournalBrokenError, type LonghaulError } from '../../errors.js';
import type { Disk } from '../disk/disk.js';
import type { Spares } from '../disk/spares.js';
import type { Segment, SegmentList } from '../format/segment.js';
import type { Group } from './group.js';
import { Notifier } from './notifier.js';
import type { RecentRecords } from './recent.js';
import { Tail } from './tail.js';

/** What the parts of one open journal share: what is durable, where it lies, and whether the journal still lives. */

export interface DurableState {
  dir: string;
  disk: Disk;
  segments: SegmentList;
  recent: RecentRecords;
  spares: Spares;
  last: number;
  lastChain: bigint;
  lastEpoch: number;
}

export class JournalState {
  readonly dir: string;
  readonly disk: Disk;
  readonly segments: SegmentList;
  readonly recent: RecentRecords;
  readonly spares: Spares;
  readonly tail: Tail;
  /** The newest durable record, its chain and epoch. */
  last: number;
  lastChain: bigint;
  lastEpoch: number;
  /** Like `last`, with the group that is being written. */
  written: number;
  /** Set while files change their names: nobody may open one by its name until it resolves. */
  renaming: Promise<void> | undefined;
  /** For each reset and each cut the newest record that stayed. */
  private readonly kept: number[] = [];
  /** How many readers want to know of what is written and not yet synced. */
  unsyncedReaders = 0;
  closed = false;
  failure: LonghaulError | undefined;
  /** Told once, when the journal breaks. */
  onFailure: (failure: LonghaulError) => void = () => {};
  readonly changed = new Notifier();
  private readonly listeners = new Set<(last: number) => void>();

  constructor(durable: DurableState, tailBytes: number) {
    this.dir = durable.dir;
    this.disk = durable.disk;
    this.segments = durable.segments;
    this.recent = durable.recent;
    this.spares = durable.spares;
    this.tail = new Tail(tailBytes);
    this.last = durable.last;
    this.written = durable.last;
    durable.segments.active.writtenBytes = durable.segments.active.bytes;
    this.lastChain = durable.lastChain;
    this.lastEpoch = durable.lastEpoch;
  }

  get volume(): string {
    return this.segments.active.header.volume;
  }

  get first(): number {
    return this.segments.oldest.first;
  }

  /** Counts resets and cuts, so that readers notice one. */
  get generation(): number {
    return this.kept.length;
  }

  /** The newest record that has stayed in its place since that generation; -1 when none has. */
  keptSince(generation: number): number {
    return Math.min(...this.kept.slice(generation));
  }

  onDurable(listener: (last: number) => void): () => void {
    // Wrapped, so that one function can listen twice and each registration ends on its own.
    const own = (last: number) => listener(last);
    this.listeners.add(own);
    return () => this.listeners.delete(own);
  }

  /** A group is being written. */
  writing(segment: Segment, group: Group): void {
    segment.writtenBytes = group.end;
    this.written = group.last;
    if (this.unsyncedReaders > 0) this.changed.notify();
  }

  /** A group has become durable. */
  advance(segment: Segment, group: Group, chain: bigint): void {
    segment.bytes = group.end;
    segment.last = group.last;
    this.last = group.last;
    this.lastChain = chain;
    this.lastEpoch = group.epoch;
    this.tail.trim(segment.endAddress);
    this.changed.notify();
    for (const listener of this.listeners) call(listener, group.last);
  }

  /** Everything before `segment` is gone. */
  restart(segment: Segment): void {
    this.segments.replace(segment);
    this.recent.restart(segment.first);
    this.last = segment.last;
    this.written = segment.last;
    this.lastChain = segment.header.chain;
    this.lastEpoch = segment.header.epoch;
    this.kept.push(-1);
    this.changed.notify();
  }

  /** Everything behind the last record of `segment`, which takes the place of the one with its first record, is gone. */
  cut(segment: Segment, chain: bigint, epoch: number): void {
    this.segments.cut(segment);
    this.recent.restart(segment.last + 1);
    this.last = segment.last;
    this.written = segment.last;
    this.lastChain = chain;
    this.lastEpoch = epoch;
    this.kept.push(segment.last);
    this.changed.notify();
  }

  /** The journal is broken for good. Only the first failure counts; it is what everyone who waits is told. */
  fail(error: unknown): void {
    if (this.failure !== undefined) return;
    this.failure = error instanceof DiskFullError ? error : new JournalBrokenError(this.dir, error);
    this.onFailure(this.failure);
    this.changed.notify();
  }

  /** Why nothing new is taken, if so. */
  get refusal(): LonghaulError | undefined {
    if (this.closed) return new ClosedError(`journal ${this.dir}`);
    if (this.failure === undefined) return undefined;
    return new JournalBrokenError(this.dir, this.failure instanceof DiskFullError ? this.failure : this.failure.cause);
  }
}

/** A listener that throws is its owner's problem, reported as uncaught; the journal has done its work by then. */
function call(listener: (last: number) => void, last: number): void {
  try {
    listener(last);
  } catch (error) {
    process.nextTick(() => {
      throw error;
    });
  }
}
