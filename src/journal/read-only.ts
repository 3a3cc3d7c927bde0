import { resolve } from 'node:path';
import { ClosedError, InvalidArgumentError, JournalDamagedError, ReadOnlyError, SequenceGoneError } from '../errors.js';
import { choiceOption, directoryOption } from '../options.js';
import { batchLimits, integer, type JournalOptions, volumeArgument } from './arguments.js';
import { Disk } from './disk/disk.js';
import { seedAt } from './disk/seed.js';
import type { JournalRecord } from './format/record.js';
import { chainAt } from './read/locate.js';
import { type BatchOptions, type ReadOptions, readBatches } from './read/reader.js';
import { type Snapshot, type SnapshotOptions, takeSnapshot } from './recovery/snapshot.js';
import type { StoredCursor } from './retention/cursors.js';
import type { JournalState } from './state/state.js';

/** What `Journal.openReadOnly` takes; each option means what it means for `Journal.open`. */
export type ReadOnlyOptions = Pick<JournalOptions, 'dir' | 'volume' | 'durability' | 'fs'>;

/** A position as it was when the journal was looked at. */
export interface StoredPosition {
  readonly name: string;
  readonly position: number;
  readonly chain: bigint | undefined;
  readonly detached: boolean;
  /** Refused with ReadOnlyError. */
  advance(sequence: number): Promise<never>;
}

export interface ReadOnlyStatus {
  first: number;
  last: number;
  /** The newest sound record, which nothing may prove durable. */
  written: number;
  diskBytes: number;
  cursors: { name: string; position: number; detached: boolean }[];
  /** Labels of the rows of the recovery table that an open for writing would carry out. */
  rows: string[];
}

/**
 * A journal opened without its lock and without writing anything, beside whoever writes to it or on a medium that takes
 * no writes. It shows what was there when it was looked at; `refresh` looks again. Only records that something proves
 * durable are shown, unless `unsynced` is asked for: a journal that was closed proves all of its records.
 */
export class ReadOnlyJournal {
  private closed = false;

  static async open(o: ReadOnlyOptions): Promise<ReadOnlyJournal> {
    const dir = resolve(directoryOption('dir', o.dir));
    const durability = choiceOption('durability', o.durability, ['group', 'none'], 'group');
    const volume = o.volume === undefined ? undefined : volumeArgument(o.volume);
    const options = { volume, cursorsProve: durability === 'group' };
    const disk = new Disk(o.fs);
    return new ReadOnlyJournal(disk, dir, options, await takeSnapshot(disk, dir, options));
  }

  private constructor(
    private readonly disk: Disk,
    readonly dir: string,
    private readonly options: SnapshotOptions,
    private snapshot: Snapshot,
  ) {}

  /** The oldest record held; last + 1 when the journal is empty. */
  get first(): number {
    return this.state.first;
  }

  /** The newest record that something proves durable. */
  get last(): number {
    return this.state.last;
  }

  get lastChain(): bigint {
    return this.state.lastChain;
  }

  get volume(): string {
    return this.state.volume;
  }

  /** Looks at the directory again. Reads that have begun go on with what was there before. */
  async refresh(): Promise<void> {
    this.refuseClosed();
    const snapshot = await takeSnapshot(this.disk, this.dir, this.options);
    this.refuseClosed();
    this.snapshot = snapshot;
  }

  /** The records from `from` on, inclusive; `follow` is refused. */
  async *read(from: number, o: ReadOptions = {}): AsyncGenerator<JournalRecord, void, undefined> {
    for await (const batch of this.readBatches(from, o)) yield* batch;
  }

  /** The records from `from` on in arrays, as Journal.readBatches gives them; `follow` is refused. */
  readBatches(from: number, o: BatchOptions = {}): AsyncIterable<JournalRecord[]> {
    integer('from', from, 1);
    const limits = batchLimits(o);
    if (o.follow) throw new InvalidArgumentError('follow', true, 'false: nothing comes behind the end, look again');
    this.refuseClosed();
    const { state } = this;
    return settled(state, readBatches(state, from, limits, o));
  }

  /** The chain up to and including a record; undefined when the journal does not hold it. */
  async chainAt(sequence: number): Promise<bigint | undefined> {
    integer('sequence', sequence, 0);
    this.refuseClosed();
    const { state } = this;
    try {
      return await chainAt(state, sequence);
    } catch (error) {
      const settled = await settle(state, error);
      if (settled instanceof SequenceGoneError) return undefined;
      throw settled;
    }
  }

  cursors(): StoredPosition[] {
    return this.snapshot.cursors.map((cursor) => this.positionOf(cursor));
  }

  /** The cursor of that name; there has to be one. */
  cursor(name: string): StoredPosition {
    const cursor = this.snapshot.cursors.find((each) => each.name === name);
    if (cursor === undefined) throw new InvalidArgumentError('name', name, 'the name of a cursor that there is');
    return this.positionOf(cursor);
  }

  status(): ReadOnlyStatus {
    const { state, snapshot } = this;
    return {
      first: state.first,
      last: state.last,
      written: state.written,
      diskBytes: state.segments.fileBytes,
      cursors: this.cursors().map(({ name, position, detached }) => ({ name, position, detached })),
      rows: [...snapshot.rows],
    };
  }

  /** Ends readers. */
  async close(): Promise<void> {
    this.closed = true;
    this.state.closed = true;
  }

  append(): Promise<never> {
    return this.refuse('append');
  }

  appendMany(): Promise<never> {
    return this.refuse('appendMany');
  }

  assign(): Promise<never> {
    return this.refuse('assign');
  }

  appendReplicated(): Promise<never> {
    return this.refuse('appendReplicated');
  }

  dropCursor(): Promise<never> {
    return this.refuse('dropCursor');
  }

  reset(): Promise<never> {
    return this.refuse('reset');
  }

  truncateAfter(): Promise<never> {
    return this.refuse('truncateAfter');
  }

  private get state(): JournalState {
    return this.snapshot.state;
  }

  private positionOf({ name, slot }: StoredCursor): StoredPosition {
    const { sequence, chain, detached } = slot;
    return { name, position: sequence, chain, detached, advance: () => this.refuse('advance') };
  }

  private async refuse(operation: string): Promise<never> {
    throw new ReadOnlyError(this.dir, operation);
  }

  private refuseClosed(): void {
    if (this.closed) throw new ClosedError(`journal ${this.dir}`);
  }
}

async function* settled(
  state: JournalState,
  batches: AsyncIterable<JournalRecord[]>,
): AsyncGenerator<JournalRecord[], void, undefined> {
  try {
    yield* batches;
  } catch (error) {
    throw await settle(state, error);
  }
}

/** Damage in a segment that is no longer under its name is none: whoever writes has freed or replaced it. */
async function settle(state: JournalState, error: unknown): Promise<unknown> {
  if (!(error instanceof JournalDamagedError)) return error;
  const segment = state.segments.holding(error.fromSequence) ?? state.segments.active;
  const seed = await seedAt(state.disk, segment.path);
  if (seed === segment.seed || seed === 'bad') return error;
  return new SequenceGoneError(error.fromSequence, state.first, state.last);
}
