import type { Random } from '../../fuzz/random.js';
import { checksum64 } from '../../src/engine/checksum.js';
import { InvalidArgumentError } from '../../src/errors.js';
import { Journal, type ReplicatedRecord } from '../../src/journal/journal.js';
import { chainBehind } from './chain.js';
import { firstLife, type Life, type Mark, type NewMark } from './crash-promises.js';
import { type DiskOperation, MemoryDisk, type MemoryDiskOptions } from './memory-disk.js';
import { writeSides } from './side-content.js';

/**
 * A run of a journal on a recording disk: appends alone, in bursts and in groups of megabytes, records of another
 * journal under rising epochs, cursors that let segments be freed and used again, cuts, resets, clean closes and
 * reopens, and side files all the while. Beside every operation of the disk it notes what the journal had promised by then, so that any prefix of the
 * operations can be judged.
 */

export interface RunOptions extends MemoryDiskOptions {
  dir: string;
  durability: 'group' | 'none';
  segmentBytes: number;
  historyBytes: number;
  steps: number;
}

export interface RecordedRun {
  options: RunOptions;
  operations: DiskOperation[];
  marks: Mark[];
  firstLife: Life;
}

const KIB = 1024;
export const CLOCK_START = 1_700_000_000_000_000;
const BASES = [90_000, 5000, 700_000, 20_000];
const CURSORS = ['a', 'b'];

export function openRun(o: RunOptions, disk: MemoryDisk, now: () => number, epoch = 1): Promise<Journal> {
  const { dir, durability, historyBytes, segmentBytes } = o;
  return Journal.open({ dir, durability, historyBytes, segmentBytes, epoch, fs: disk.fs, now });
}

export async function recordRun(options: RunOptions, random: Random): Promise<RecordedRun> {
  const run = new Run(options, random);
  await run.go();
  return { options, operations: run.operations, marks: run.marks, firstLife: run.firstLife };
}

/** Random bytes; those of large payloads cost less than a lot for each. */
export function payloadBytes(random: Random, bytes: number): Buffer {
  if (bytes < 4 * KIB) return random.bytes(bytes);
  const words = new Uint32Array(Math.ceil(bytes / 4));
  let state = random.u32();
  for (let at = 0; at < words.length; at++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    words[at] = state ^ (state >>> 15);
  }
  return Buffer.from(words.buffer, 0, bytes);
}

class Run {
  readonly operations: DiskOperation[] = [];
  readonly marks: Mark[] = [];
  readonly firstLife = firstLife();
  private life = this.firstLife;
  private readonly disk: MemoryDisk;
  private readonly bases = [...BASES];
  private readonly large: boolean;
  private journal!: Journal;
  private time = CLOCK_START;
  private epoch = 1;
  private read = 1;

  constructor(
    private readonly o: RunOptions,
    private readonly random: Random,
  ) {
    this.large = o.segmentBytes > 1024 * KIB;
    this.disk = new MemoryDisk(o);
    this.disk.latency = () => random.below(random.chance(0.2) ? 60 : 6);
    this.disk.onOperation = (operation) => this.operations.push(operation);
  }

  async go(): Promise<void> {
    await this.open();
    if (this.large) await this.begin();
    for (let step = 0; step < this.o.steps; step++) {
      await Promise.all([this.step(), this.random.chance(0.3) ? writeSides(this.journal) : 0]);
      await this.collect();
    }
    await this.close();
  }

  /** Far enough for zeros to be written ahead, and a group of megabytes. */
  private async begin(): Promise<void> {
    for (let index = 0; index < 5; index++) await this.append(payloadBytes(this.random, 60 * KIB));
    await this.huge();
  }

  private mark(mark: NewMark): void {
    this.marks.push({ at: this.operations.length, ...mark });
  }

  private async open(): Promise<void> {
    this.journal = await openRun(this.o, this.disk, () => ++this.time, this.epoch);
    // Without syncs nothing is promised before the journal is closed.
    if (this.o.durability === 'group') this.journal.onDurable((last) => this.mark({ kind: 'acknowledged', last }));
  }

  private async close(): Promise<void> {
    await this.journal.close();
    this.mark({ kind: 'acknowledged', last: this.journal.last });
  }

  private step(): Promise<unknown> {
    const { random } = this;
    const lot = random.below(24);
    if (lot < 5) return this.append(this.payload());
    if (lot < 10) return Promise.all([this.burst(), random.chance(0.6) ? this.advance(random.pick(CURSORS), 3) : 0]);
    if (lot < 14) return this.catchUp();
    if (lot < 15) return Promise.all([this.burst(), this.catchUp()]);
    if (lot < 16) return this.drop(random.pick(CURSORS));
    if (lot < 18) return this.replicate();
    if (lot < 20) return this.large || random.chance(0.2) ? this.huge() : this.burst();
    if (lot < 22) return Promise.all([...this.meanwhile(), this.cut()]);
    return lot < 23 ? Promise.all([...this.meanwhile(), this.reset()]) : this.reopen();
  }

  /** What is under way when a cut or a reset is asked for. */
  private meanwhile(): Promise<unknown>[] {
    const { random } = this;
    return [
      ...(random.chance(0.3) ? [this.burst()] : []),
      ...(random.chance(0.3) ? [this.advance(random.pick(CURSORS), 20)] : []),
    ];
  }

  private payload(): Buffer {
    const { random } = this;
    const rare = random.chance(0.1) ? 90 * KIB : 15 * KIB;
    const bytes = random.chance(0.6) ? random.below(1500) : random.below(this.large ? 110 * KIB : rare);
    return payloadBytes(random, bytes);
  }

  private expect(first: number, payloads: readonly Buffer[]): void {
    for (const [index, payload] of payloads.entries()) {
      this.life.records.set(first + index, { payload, chain: undefined });
    }
    this.mark({ kind: 'assigned', last: this.journal.assigned });
  }

  private async append(...payloads: Buffer[]): Promise<void> {
    const { journal, random } = this;
    const first = journal.assigned + 1;
    const appending = journal.appendMany(payloads, random.chance(0.3) ? { key: 'key', kind: 7, offset: first } : {});
    this.expect(first, payloads);
    await appending;
  }

  private async burst(): Promise<void> {
    const { random } = this;
    const appends = Array.from({ length: random.between(2, 8) }, () =>
      this.append(...Array.from({ length: random.between(1, 4) }, () => this.payload())),
    );
    await Promise.all(appends);
  }

  /** One group of megabytes where segments are large, one record larger than a segment where they are not. */
  private async huge(): Promise<void> {
    const { random } = this;
    if (!this.large) return this.append(payloadBytes(random, random.between(100, 900) * KIB));
    const payloads = Array.from({ length: 6 }, () => payloadBytes(random, random.between(200, 500) * KIB));
    await this.append(...payloads);
  }

  /** Takes records as from a peer's journal, at times under a higher epoch. */
  private async replicate(): Promise<void> {
    const { journal, random } = this;
    if (random.chance(0.5)) this.epoch += random.between(1, 3);
    const first = journal.assigned + 1;
    const payloads = Array.from({ length: random.between(1, 5) }, () => this.payload());
    let chain = journal.lastChain;
    const records = payloads.map((payload, index): ReplicatedRecord => {
      const fields = { sequence: first + index, epoch: this.epoch, kind: 3, timestamp: ++this.time, payload };
      chain = chainBehind(chain, fields);
      return { ...fields, checksum: checksum64(payload, checksum64(Buffer.alloc(0))), chain };
    });
    const appending = journal.appendReplicated(records);
    this.expect(first, payloads);
    await appending;
  }

  private async advance(name: string, by: number): Promise<void> {
    const { journal } = this;
    const before = journal.cursors().find((cursor) => cursor.name === name)?.position ?? journal.first - 1;
    const position = Math.min(journal.last, before + by);
    this.mark({ kind: 'cursorAsked', name, position });
    const cursor = journal.cursor(name, { at: before });
    await cursor.advance(position);
    // A cut may have taken it back since.
    this.mark({ kind: 'cursorReached', name, position: Math.min(position, cursor.position) });
  }

  private async catchUp(): Promise<void> {
    const names = new Set([...this.journal.cursors().map(({ name }) => name), 'a']);
    await Promise.all([...names].map((name) => this.advance(name, Number.MAX_SAFE_INTEGER)));
  }

  private async drop(name: string): Promise<void> {
    this.mark({ kind: 'dropAsked', name });
    await this.journal.dropCursor(name);
    this.mark({ kind: 'dropDone', name });
  }

  private async cut(): Promise<void> {
    const { journal, random, life } = this;
    const sequence = random.between(Math.max(journal.first - 1, journal.last - 20), journal.last);
    const kept = [...life.records].filter(([number]) => number <= sequence);
    this.life = { ...life, records: new Map(kept) };
    this.mark({ kind: 'cutAsked', life: this.life, sequence });
    try {
      await journal.truncateAfter(sequence);
    } catch (error) {
      // A cursor that moved meanwhile may have let that record go.
      if (!(error instanceof InvalidArgumentError) || sequence >= journal.first - 1) throw error;
      this.life = life;
      this.mark({ kind: 'sameLife' });
      return;
    }
    this.mark({ kind: 'newLife' });
    this.read = Math.min(this.read, sequence + 1);
  }

  private async reset(): Promise<void> {
    // Numbers of its own, or ones that the journal has had: then old and new segments share their names.
    const base = this.random.chance(0.3) ? this.journal.first : this.bases.pop();
    if (base === undefined) return;
    this.life = { base, chain: BigInt(this.random.u32()), records: new Map() };
    this.mark({ kind: 'resetAsked', life: this.life });
    await this.journal.reset(base, this.life.chain);
    this.mark({ kind: 'newLife' });
    this.read = base;
  }

  private async reopen(): Promise<void> {
    await this.close();
    await this.open();
  }

  /** Learns the chains of what was appended, as far as retention leaves it. */
  private async collect(): Promise<void> {
    this.read = Math.max(this.read, this.journal.first);
    for await (const { sequence, chain, epoch } of this.journal.read(this.read)) {
      const expected = this.life.records.get(sequence);
      if (expected !== undefined) expected.chain = chain;
      this.epoch = Math.max(this.epoch, epoch);
      this.read = sequence + 1;
    }
  }
}
