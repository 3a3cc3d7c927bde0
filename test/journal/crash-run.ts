import type { Random } from '../../fuzz/random.js';
import { Journal } from '../../src/journal/journal.js';
import { type DiskOperation, MemoryDisk, type MemoryDiskOptions } from './memory-disk.js';

/**
 * A run of a journal on a recording disk: appends alone and in bursts, cursors that let segments be freed and used
 * again, resets, clean closes and reopens. Beside every operation of the disk it notes what the journal had promised by
 * then, so that any prefix of the operations can be judged.
 */

export interface RunOptions extends MemoryDiskOptions {
  dir: string;
  durability: 'group' | 'none';
  historyBytes: number;
  steps: number;
}

/** What a journal holds from one reset to the next. */
export interface Life {
  base: number;
  chain: bigint;
}

/** What the journal had been asked and had promised when so many operations were done. */
export type Mark = { at: number } & (
  | { kind: 'assigned'; last: number }
  | { kind: 'acknowledged'; last: number }
  | { kind: 'cursorAsked'; name: string; position: number }
  | { kind: 'cursorReached'; name: string; position: number }
  | { kind: 'cursorDropped'; name: string }
  | { kind: 'resetAsked'; life: Life }
  | { kind: 'resetDone' }
);

type Promised = Mark extends infer M ? (M extends Mark ? Omit<M, 'at'> : never) : never;

/** What a record must be. */
export interface Expected {
  payload: Buffer;
  /** Undefined when the record was freed before anybody looked. */
  chain: bigint | undefined;
}

export interface RecordedRun {
  options: RunOptions;
  operations: DiskOperation[];
  marks: Mark[];
  /** By sequence number; no two lives share one. */
  records: Map<number, Expected>;
}

export const SEGMENT_BYTES = 64 * 1024;
export const CLOCK_START = 1_700_000_000_000_000;
const BASES = [90_000, 5000, 700_000, 20_000];
const CURSORS = ['a', 'b'];

export function openRun(o: RunOptions, disk: MemoryDisk, now: () => number): Promise<Journal> {
  const { dir, durability, historyBytes } = o;
  return Journal.open({ dir, durability, historyBytes, segmentBytes: SEGMENT_BYTES, fs: disk.fs, now });
}

export async function recordRun(options: RunOptions, random: Random): Promise<RecordedRun> {
  const run = new Run(options, random);
  await run.go();
  return { options, operations: run.operations, marks: run.marks, records: run.records };
}

class Run {
  readonly operations: DiskOperation[] = [];
  readonly marks: Mark[] = [];
  readonly records = new Map<number, Expected>();
  private readonly disk: MemoryDisk;
  private readonly bases = [...BASES];
  private journal!: Journal;
  private time = CLOCK_START;
  private read = 1;

  constructor(
    private readonly o: RunOptions,
    private readonly random: Random,
  ) {
    this.disk = new MemoryDisk(o);
    this.disk.latency = () => random.below(random.chance(0.2) ? 60 : 6);
    this.disk.onOperation = (operation) => this.operations.push(operation);
  }

  async go(): Promise<void> {
    await this.open();
    for (let step = 0; step < this.o.steps; step++) {
      await this.step();
      await this.collect();
    }
    await this.close();
  }

  private mark(mark: Promised): void {
    this.marks.push({ at: this.operations.length, ...mark });
  }

  private async open(): Promise<void> {
    this.journal = await openRun(this.o, this.disk, () => ++this.time);
    // Without syncs nothing is promised before the journal is closed.
    if (this.o.durability === 'group') this.journal.onDurable((last) => this.mark({ kind: 'acknowledged', last }));
  }

  private async close(): Promise<void> {
    await this.journal.close();
    this.mark({ kind: 'acknowledged', last: this.journal.last });
  }

  private step(): Promise<unknown> {
    const { random } = this;
    const lot = random.below(20);
    if (lot < 6) return this.append(this.payload());
    if (lot < 12) return Promise.all([this.burst(), random.chance(0.6) ? this.advance(random.pick(CURSORS), 3) : 0]);
    if (lot < 16) return this.catchUp();
    if (lot < 17) return Promise.all([this.burst(), this.catchUp()]);
    if (lot < 18) return this.drop(random.pick(CURSORS));
    return lot < 19 ? this.reset() : this.reopen();
  }

  private payload(): Buffer {
    const { random } = this;
    const bytes = random.chance(0.6) ? random.below(1500) : random.below(random.chance(0.1) ? 90_000 : 15_000);
    return random.bytes(bytes);
  }

  private async append(...payloads: Buffer[]): Promise<void> {
    const { journal } = this;
    const first = journal.assigned + 1;
    const appending = journal.appendMany(payloads);
    for (const [index, payload] of payloads.entries()) this.records.set(first + index, { payload, chain: undefined });
    this.mark({ kind: 'assigned', last: journal.assigned });
    await appending;
  }

  private async burst(): Promise<void> {
    const { random } = this;
    const appends = Array.from({ length: random.between(2, 8) }, () =>
      this.append(...Array.from({ length: random.between(1, 4) }, () => this.payload())),
    );
    await Promise.all(appends);
  }

  private async advance(name: string, by: number): Promise<void> {
    const { journal } = this;
    const before = journal.cursors().find((cursor) => cursor.name === name)?.position ?? journal.first - 1;
    const position = Math.min(journal.last, before + by);
    this.mark({ kind: 'cursorAsked', name, position });
    await journal.cursor(name, { at: before }).advance(position);
    this.mark({ kind: 'cursorReached', name, position });
  }

  private async catchUp(): Promise<void> {
    const names = new Set([...this.journal.cursors().map(({ name }) => name), 'a']);
    await Promise.all([...names].map((name) => this.advance(name, Number.MAX_SAFE_INTEGER)));
  }

  private async drop(name: string): Promise<void> {
    this.mark({ kind: 'cursorDropped', name });
    await this.journal.dropCursor(name);
  }

  private async reset(): Promise<void> {
    const base = this.bases.pop();
    if (base === undefined) return;
    const life = { base, chain: BigInt(this.random.u32()) };
    this.mark({ kind: 'resetAsked', life });
    await this.journal.reset(life.base, life.chain);
    this.mark({ kind: 'resetDone' });
    this.read = base;
  }

  private async reopen(): Promise<void> {
    await this.close();
    await this.open();
  }

  /** Learns the chains of what was appended, as far as retention leaves it. */
  private async collect(): Promise<void> {
    this.read = Math.max(this.read, this.journal.first);
    for await (const { sequence, chain } of this.journal.read(this.read)) {
      const expected = this.records.get(sequence);
      if (expected !== undefined) expected.chain = chain;
      this.read = sequence + 1;
    }
  }
}
