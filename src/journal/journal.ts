import { join, resolve } from 'node:path';
import { ClosedError, InvalidArgumentError } from '../errors.js';
import {
  type AppendOptions,
  batchLimits,
  type CheckedOptions,
  type CursorOptions,
  chainArgument,
  checkCursorOptions,
  checkOptions,
  checkPayloads,
  checkProofs,
  integer,
  type JournalOptions,
  memoryArgument,
  newEntry,
  newVolume,
  type ReplicatedRecord,
  rangeArguments,
  replicatedEntry,
  stretchArguments,
  volumeArgument,
} from './arguments.js';
import { Disk } from './disk/disk.js';
import type { JournalRecord } from './format/record.js';
import { newSegment } from './format/segment.js';
import { DirectoryLock } from './lock/lock.js';
import { chainAt } from './read/locate.js';
import type { SequenceRange } from './read/payload-reader.js';
import { type PayloadRange, RangeReader } from './read/range-reader.js';
import {
  type BatchLimits,
  type BatchOptions,
  type LentBatch,
  type ReadOptions,
  readBatches,
  readLent,
} from './read/reader.js';
import { ReadOnlyJournal, type ReadOnlyOptions } from './read-only.js';
import { decideReset, finishReset, resumeReset } from './recovery/reset.js';
import { type RecoveryReport, type Restored, restore } from './recovery/restore.js';
import { resumeTruncate, truncate } from './recovery/truncate.js';
import { type RepairOptions, type RepairReport, repair } from './repair/repair.js';
import type { ScrubReport } from './repair/scrub.js';
import { Scrubber, type ScrubOptions } from './repair/scrubber.js';
import type { JournalCursor } from './retention/cursor.js';
import {
  CURSOR_DIRECTORY,
  CursorSet,
  clampStored,
  loadCursors,
  type StoredCursor,
  settleStored,
} from './retention/cursors.js';
import { DiskReserve } from './retention/disk-reserve.js';
import { Fullness } from './retention/fullness.js';
import { Retention } from './retention/retention.js';
import { removeSides } from './side/remove.js';
import { SideFiles } from './side/side-files.js';
import { JournalState } from './state/state.js';
import { describeJournal, type JournalStatus } from './status.js';
import { Intake } from './write/intake.js';
import { GroupWriter, randomSalt } from './write/writer.js';

export type { AppendOptions, CursorOptions, JournalOptions, ReplicatedRecord } from './arguments.js';
export type { JournalFileSystem } from './disk/disk.js';
export { INITIAL_CHAIN } from './format/format.js';
export type { JournalRecord } from './format/record.js';
export { DirectoryLock } from './lock/lock.js';
export type { SequenceRange } from './read/payload-reader.js';
export type { PayloadRange } from './read/range-reader.js';
export type { BatchOptions, LentBatch, ReadOptions } from './read/reader.js';
export type { ReadOnlyJournal, ReadOnlyOptions, ReadOnlyStatus, StoredPosition } from './read-only.js';
export type { RecoveryReport } from './recovery/restore.js';
export type { RepairOptions, RepairReport } from './repair/repair.js';
export type { JournalDamage, ScrubProgress, ScrubReport } from './repair/scrub.js';
export type { ScrubOptions, ScrubStatus } from './repair/scrubber.js';
export type { RepairSource } from './repair/source.js';
export type { JournalCursor, OnFull } from './retention/cursor.js';
export type { CursorStatus, JournalStatus } from './status.js';

const NO_BYTES = new Uint8Array(0);

/**
 * An append-only log of numbered records on disk. One journal serves as send queue, receive log or undo log; several
 * readers and cursors share it. This class puts the parts together: intake gives numbers, the writer commits groups,
 * readers read, retention frees.
 */
export class Journal {
  private readonly state: JournalState;
  private readonly writer: GroupWriter;
  private readonly intake: Intake;
  private readonly cursorSet: CursorSet;
  private readonly retention: Retention;
  private readonly reserve: DiskReserve;
  private readonly ranges: RangeReader;
  private readonly sides: SideFiles;
  private readonly scrubber: Scrubber;
  private readonly segmentBytes: number;
  private resetting: Promise<void> = Promise.resolve();
  private closing: Promise<void> | undefined;

  /** What recovery found and did when the journal was opened. */
  readonly recovery: RecoveryReport;

  static async open(o: JournalOptions): Promise<Journal> {
    const options = checkOptions(o);
    const dir = resolve(options.dir);
    const disk = new Disk(options.fs);
    await disk.makeDirectory(join(dir, CURSOR_DIRECTORY));
    const lock = await DirectoryLock.take(dir);
    try {
      const stored = await loadCursors(disk, dir);
      await settleStored(disk, dir, stored);
      await resumeReset(disk, dir, stored, options.segmentBytes);
      await resumeTruncate(disk, dir, stored, options.segmentBytes);
      const restored = await restore(disk, dir, {
        volume: options.volume,
        newVolume: options.volume ?? newVolume(),
        segmentBytes: options.segmentBytes,
        // Without syncs a cursor may have passed records that a power cut took.
        cursorProof: options.durability === 'none' ? 0 : Math.max(0, ...stored.map((cursor) => cursor.slot.sequence)),
      });
      await clampStored(disk, stored, restored.durable.last).catch(async (error: unknown) => {
        await restored.file.close();
        throw error;
      });
      await removeStrays(restored);
      const journal = new Journal(options, restored, stored, lock);
      await journal.reserve.remeasure();
      return journal;
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  /**
   * Opens a journal for reading, without its lock and without writing anything: beside whoever writes to it, or on a
   * medium that takes no writes. JournalMissingError when there is none, JournalBusyError when it changes at each try.
   */
  static openReadOnly(o: ReadOnlyOptions): Promise<ReadOnlyJournal> {
    return ReadOnlyJournal.open(o);
  }

  /**
   * Repairs a journal that nobody has open from the records of a peer, `from` to `to` as JournalDamagedError tells them.
   * The chain proves them: RepairRefusedError when it does not lead to something sound, and then nothing is changed.
   */
  static repair(o: RepairOptions): Promise<RepairReport> {
    return repair(o);
  }

  private constructor(
    options: CheckedOptions,
    restored: Restored,
    stored: readonly StoredCursor[],
    private readonly lock: DirectoryLock,
  ) {
    const state = new JournalState(restored.durable, options.tailBytes);
    const writer = new GroupWriter(state, restored.file, {
      segmentBytes: options.segmentBytes,
      sync: options.durability === 'group',
    });
    const cursorSet = new CursorSet(
      state.dir,
      {
        onFull: options.onFull,
        disk: state.disk,
        get first() {
          return state.first;
        },
        get last() {
          return state.last;
        },
        get refusal() {
          return state.refusal;
        },
        chainAt: (sequence) => chainAt(state, sequence),
        moved: () => {
          this.retention.cursorsMoved();
          this.intake.pump();
        },
        fail: (error) => state.fail(error),
      },
      stored,
    );
    this.recovery = restored.report;
    this.segmentBytes = options.segmentBytes;
    this.state = state;
    this.ranges = new RangeReader(state);
    this.scrubber = new Scrubber(state, options.scrubBytesPerSecond);
    this.writer = writer;
    this.cursorSet = cursorSet;
    // A side file leaves room for one more segment, so that it is never the reason why the journal has none.
    this.sides = new SideFiles(state, options.diskReserveBytes + options.segmentBytes, restored.names);
    this.retention = new Retention(state, cursorSet, this.sides, options, () => this.reserve.measure());
    this.reserve = new DiskReserve(state, writer, options, () => this.intake.pump());
    const fullness = new Fullness(state, writer, this.retention, cursorSet, this.reserve, options, () =>
      this.intake.pump(),
    );
    this.intake = new Intake(state, writer, {
      epoch: options.epoch,
      now: options.now,
      verdict: () => fullness.verdict(),
    });
    state.onFailure = (failure) => {
      writer.rejectQueued(failure);
      this.intake.rejectWaiting(failure);
    };
    state.onDurable(() => {
      this.retention.collect();
      this.reserve.written();
      this.intake.pump();
    });
  }

  /** The oldest record held; last + 1 when the journal is empty. */
  get first(): number {
    return this.state.first;
  }

  /** The newest durable record; 0 when there never was one. */
  get last(): number {
    return this.state.last;
  }

  /** The newest number given, durable or not. */
  get assigned(): number {
    return this.intake.assigned;
  }

  /** The epoch of the newest record; 0 for none. */
  get lastEpoch(): number {
    return this.state.lastEpoch;
  }

  get lastChain(): bigint {
    return this.state.lastChain;
  }

  get dir(): string {
    return this.state.dir;
  }

  get volume(): string {
    return this.state.volume;
  }

  /**
   * Appends a record and resolves with its number once it is durable. Waits while the queue or the memory is full; the
   * signal ends the wait, before the number is given or after (then the record stays). The buffers may be reused once
   * the call has settled without an abort.
   */
  append(payload: Uint8Array, o: AppendOptions = {}): Promise<number> {
    // Not an async function: that would be one promise more for each record.
    try {
      const entered = this.intake.append(newEntry(payload, o), undefined, o.signal);
      return entered instanceof Promise ? entered.then((operation) => operation.durable) : entered.durable;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Like append, but resolves as soon as the record has its number. `durable` may be ignored. */
  async assign(payload: Uint8Array, o: AppendOptions = {}): Promise<{ sequence: number; durable: Promise<number> }> {
    const operation = await this.intake.append(newEntry(payload, o), undefined, o.signal);
    operation.durable.catch(() => {});
    return { sequence: operation.last, durable: operation.durable };
  }

  /** Appends several records that get numbers in a row; resolves with the last number once all are durable. */
  async appendMany(payloads: readonly Uint8Array[], o: AppendOptions = {}): Promise<number> {
    const checked = checkPayloads(payloads);
    return (await this.intake.append(newEntry(NO_BYTES, o), checked, o.signal)).durable;
  }

  /** Resolves once every record that has a number is durable. */
  async flush(): Promise<void> {
    const upTo = this.assigned;
    // What a cut or a reset dropped is waited for no more.
    while (this.last < Math.min(upTo, this.assigned)) {
      const { failure, closed, changed } = this.state;
      if (failure !== undefined) throw failure;
      if (closed) throw new ClosedError(`journal ${this.state.dir}`);
      await changed.wait();
    }
  }

  /**
   * Takes records of another journal as they are, each one following the last; resolves with the last number. Refuses
   * all of them when a number is missing (SequenceGapError), an epoch falls, a checksum differs from the content, or a
   * chain is given that does not continue this journal (ChainMismatchError).
   */
  async appendReplicated(records: readonly ReplicatedRecord[]): Promise<number> {
    if (!Array.isArray(records) || records.length === 0) {
      throw new InvalidArgumentError('records', records, 'an array of at least one record');
    }
    const entries = records.map(replicatedEntry);
    checkProofs(records);
    // Records that were appended here get their chain when they are written.
    while (this.intake.chain === undefined && entries.some(({ chain }) => chain !== undefined)) await this.flush();
    return (await this.intake.appendReplicated(entries)).durable;
  }

  /** The records from `from` on, inclusive. */
  read(from: number, o: ReadOptions = {}): AsyncIterable<JournalRecord> {
    return flatten(this.readBatches(from, o));
  }

  /**
   * The records from `from` on in arrays: what is there, up to the limits. Payloads and keys are views of blocks of
   * 1 MiB and more; copy what is kept for long.
   */
  readBatches(from: number, o: BatchOptions = {}): AsyncIterable<JournalRecord[]> {
    return readBatches(this.state, from, this.readingLimits(from, o), o);
  }

  /** Like `readBatches`, for whoever says when it is done with the records of each batch: their memory is used again then. */
  readLent(from: number, o: BatchOptions = {}): AsyncIterable<LentBatch> {
    return readLent(this.state, from, this.readingLimits(from, o), o);
  }

  private readingLimits(from: number, o: BatchOptions): BatchLimits {
    integer('from', from, 1);
    const limits = batchLimits(o);
    if (this.state.closed) throw new ClosedError(`journal ${this.state.dir}`);
    return limits;
  }

  /**
   * The bytes of parts of payloads, in the order asked for: many at a time, in place, as long as the records are held.
   * They are views of larger blocks. Everything was checked once when its segment was first read from, and comes as it
   * is after that: whoever needs more proof has the record's checksum. Throws SequenceGoneError for a record that is not
   * held or not durable, InvalidArgumentError for a range that its payload does not have.
   */
  async readRanges(ranges: readonly PayloadRange[]): Promise<Buffer[]> {
    if (this.state.closed) throw new ClosedError(`journal ${this.state.dir}`);
    return this.ranges.read(rangeArguments(ranges));
  }

  /**
   * Reads the payloads of whole stretches of records into `into`, end to end, and returns how many bytes they take. The
   * stretches come in rising order and do not overlap. Everything is checked as it is read. Throws SequenceGoneError for a
   * record that is not held or not durable, JournalDamagedError for one that cannot be read, InvalidArgumentError when
   * there is no room, AbortedError; what `into` holds means nothing then.
   */
  async readPayloads(
    ranges: readonly SequenceRange[],
    into: Uint8Array,
    { signal }: { signal?: AbortSignal | undefined } = {},
  ): Promise<number> {
    if (this.state.closed) throw new ClosedError(`journal ${this.state.dir}`);
    return this.ranges.payloads(stretchArguments(ranges), memoryArgument('into', into), signal);
  }

  /**
   * The cursor of that name. A new one starts at `at` (default 0) and counts from this call on. `onFull` (default: that
   * of the journal) holds until the journal is closed or another call says otherwise.
   */
  cursor(name: string, o: CursorOptions = {}): JournalCursor {
    const refusal = this.state.refusal;
    if (refusal !== undefined) throw refusal;
    const { at = 0, onFull } = checkCursorOptions(o);
    return this.cursorSet.get(name, at, onFull);
  }

  cursors(): JournalCursor[] {
    return this.cursorSet.list();
  }

  /** Removes a cursor; what only it still needed may be freed. */
  async dropCursor(name: string): Promise<void> {
    const refusal = this.state.refusal;
    if (refusal !== undefined) throw refusal;
    await this.cursorSet.drop(name);
  }

  /** The segments that are full, oldest first: their first and last records. What follows is in the one written to. */
  sealedSegments(): { first: number; last: number }[] {
    return this.state.segments.sealed().map(({ first, last }) => ({ first, last }));
  }

  /**
   * What was last kept by `writeSide` for the full segment that starts with record `first`; undefined when there is
   * nothing, or nothing sound that is that very segment's.
   */
  async readSide(first: number): Promise<Buffer | undefined> {
    return this.sides.read(integer('first', first, 1));
  }

  /**
   * Keeps up to 64 MiB beside the full segment that starts with record `first`, as long as that lasts: for what was
   * learned from its records and can be learned again, as any of it may be lost. False when it cannot be kept: the
   * segment is gone or not full, there is too much of it, a reset or a cut is under way, the journal takes nothing more,
   * or the disk would have less than its reserve and a segment left. The bytes are to be left alone meanwhile. They
   * are taken for what belongs to the segment as it is at this call: whoever made them from records that a reset or a cut
   * may have replaced since has to see to that. Side files are no part of `diskBytes`, and no trouble with one breaks the
   * journal.
   */
  async writeSide(first: number, bytes: Uint8Array): Promise<boolean> {
    if (!(bytes instanceof Uint8Array)) throw new InvalidArgumentError('bytes', bytes, 'a Uint8Array');
    return this.sides.write(integer('first', first, 1), bytes);
  }

  /**
   * The lowest record known without reading from which on everything up to record `through` takes at most `bytes` on
   * disk; `through` + 1 if no such record is. Known is the first of a group every 256 KiB.
   */
  reachingBack(through: number, bytes: number): number {
    integer('through', through, 0);
    integer('bytes', bytes, 0);
    return this.state.segments.reachingBack(Math.min(through, this.last), bytes);
  }

  /**
   * Has every record from `sequence` on stay that is there, whatever cursors and history say; `undefined` ends it, and
   * what may go then goes at once. For somebody who may still refer to them and moves this on himself: what stays for it
   * alone is no queue and refuses no append, so its bound is his. It is kept in memory only; a reset ends it, and a cut
   * moves it back to the first record behind if it lay further on. When the disk has less than its reserve, the journal
   * moves it on itself, segment by segment, before an append waits for anything else: `first` and `keptFrom` of the
   * status tell.
   */
  keepFrom(sequence: number | undefined): void {
    this.retention.keepFrom(sequence === undefined ? undefined : integer('sequence', sequence, 1));
  }

  /** The chain up to and including a record; undefined when the journal does not hold it. */
  async chainAt(sequence: number): Promise<bigint | undefined> {
    integer('sequence', sequence, 0);
    return chainAt(this.state, sequence);
  }

  /**
   * Drops every record: the next one is `base`, and `chain` is the chain before it. Cursors stay, at base - 1. Records
   * that have a number are written first; appends that still wait for one get it after the reset.
   */
  async reset(base: number, chain: bigint, o: { volume?: string } = {}): Promise<void> {
    integer('base', base, 1);
    chainArgument(chain);
    const volume = o.volume === undefined ? this.volume : volumeArgument(o.volume);
    const run = this.resetting.then(() => this.resetNow(base, chain, volume));
    this.resetting = run.catch(() => {});
    await run;
  }

  /**
   * Makes `sequence` the last record: a node that rejoins after a failover drops what its peers never had. The numbers
   * behind it are given again, so only records may go that no peer ever acknowledged as logged; that is for the caller
   * to know, who goes on under a higher epoch. What goes is kept aside in `.tail` files. Cursors and readers beyond move
   * back and end with SequenceGoneError. Records that have a number are written first; appends that still wait for one
   * get it after the cut. `sequence` is at least first - 1, and at most last.
   */
  async truncateAfter(sequence: number): Promise<void> {
    integer('sequence', sequence, 0);
    const run = this.resetting.then(() => this.truncateNow(sequence));
    this.resetting = run.catch(() => {});
    await run;
  }

  /**
   * Reads everything that is durable and checks it. Damage is collected instead of thrown, shows in the status as well,
   * and goes out as `longhaul:damage`; the journal works on. Segments that are freed meanwhile are skipped.
   */
  scrub(o: ScrubOptions = {}): Promise<ScrubReport> {
    return this.scrubber.run(o);
  }

  status(): JournalStatus {
    return describeJournal(this.state, this.intake, this.writer, this.retention, this.cursorSet, this.scrubber);
  }

  /** Calls the listener with `last` each time it grows; returns the function that ends this. */
  onDurable(listener: (last: number) => void): () => void {
    return this.state.onDurable(listener);
  }

  /** Writes what has a number, ends readers, and lets go of the directory. Waiting appends get ClosedError. */
  close(): Promise<void> {
    this.closing ??= this.closeNow();
    return this.closing;
  }

  private async resetNow(base: number, chain: bigint, volume: string): Promise<void> {
    const { state, intake, retention, sides } = this;
    const { disk, dir } = state;
    if (state.refusal !== undefined) throw state.refusal;
    intake.hold();
    try {
      await this.writer.idle();
      await retention.hold();
      await sides.hold();
      if (state.failure !== undefined) throw state.failure;
      const epoch = volume === this.volume ? state.lastEpoch : 0;
      const header = { volume, first: base, chain, epoch, previousRecords: 0, salt: randomSalt(), recycled: false };
      await decideReset(disk, dir, header);
      state.restart(newSegment(dir, header));
      retention.keepFrom(undefined);
      const moveCursors = () => this.cursorSet.moveAll(base - 1, chain);
      const { spares } = state;
      const file = await finishReset(disk, dir, header, { moveCursors, spares, segmentBytes: this.segmentBytes });
      state.segments.replace(file.segment);
      await this.writer.replaceFile(file);
    } catch (error) {
      state.fail(error);
      throw state.failure ?? error;
    } finally {
      sides.resume();
      retention.resume();
      intake.resume();
    }
  }

  private async truncateNow(sequence: number): Promise<void> {
    const { state, intake, retention, sides, writer, cursorSet: cursors, segmentBytes } = this;
    if (state.refusal !== undefined) throw state.refusal;
    intake.hold();
    try {
      await writer.idle();
      await retention.hold();
      await sides.hold();
      if (state.failure !== undefined) throw state.failure;
      await truncate({ state, writer, cursors, segmentBytes }, sequence);
      retention.keepNoneBehind(sequence);
    } finally {
      sides.resume();
      retention.resume();
      intake.resume();
      state.changed.notify();
    }
  }

  private async closeNow(): Promise<void> {
    const { state } = this;
    await this.resetting;
    state.closed = true;
    this.intake.rejectWaiting(new ClosedError(`journal ${state.dir}`));
    state.changed.notify();
    const parts = await Promise.allSettled([
      this.writer.close(),
      this.cursorSet.close(),
      this.retention.idle(),
      this.reserve.close(),
      this.ranges.close(),
      this.sides.close(),
      this.scrubber.close(),
    ]);
    await this.lock.release();
    if (state.failure !== undefined) return;
    for (const part of parts) if (part.status === 'rejected') throw part.reason;
  }
}

/** Removes side files that no full segment has; its own are checked when they are read. */
async function removeStrays({ durable, names }: Restored): Promise<void> {
  const { disk, dir, segments } = durable;
  const full = new Set(segments.sealed().map(({ first }) => first));
  await removeSides(disk, dir, names, (first) => !full.has(first));
}

async function* flatten(batches: AsyncIterable<JournalRecord[]>): AsyncGenerator<JournalRecord, void, undefined> {
  for await (const batch of batches) yield* batch;
}
