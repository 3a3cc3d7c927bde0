import { setImmediate as turn } from 'node:timers/promises';
import type { Random } from '../../../fuzz/random.js';
import {
  AbortedError,
  ChainMismatchError,
  ClosedError,
  InvalidArgumentError,
  SequenceGapError,
  SequenceGoneError,
} from '../../../src/errors.js';
import type {
  BatchOptions,
  JournalCursor,
  JournalRecord,
  LentBatch,
  PayloadRange,
  ReplicatedRecord,
  SequenceRange,
} from '../../../src/journal/journal.js';
import { chainBehind } from '../../journal/chain.js';
import { JournalFaults } from './journal-faults.js';
import { endOf, lastOf, MemorySegments } from './memory-segments.js';

/**
 * A journal in memory, with what both ends of the reduction use of one: the same answers and errors as the one on disk,
 * at the speed of a test that goes through a million batches, and with faults.
 */

export interface MemoryJournalOptions {
  /** The first record, and the chain before it. */
  base: number;
  chain: bigint;
  volume: string;
  segmentBytes: number;
  historyBytes: number;
  /** Sizes of batches, and how long things take. */
  random: Random;
  /** A batch that is read has at most so many records. */
  batchRecordsMax: number;
  /** Takes what does not follow by its chain: for the canary. */
  trusting?: boolean;
}

type Content = Pick<JournalRecord, 'epoch' | 'kind' | 'timestamp' | 'payload'> &
  Partial<Pick<JournalRecord, 'key' | 'offset'>>;

export class MemoryJournal {
  readonly faults = new JournalFaults();
  readonly volume: string;
  historyBytes: number;
  /** What a cursor still needs: nothing from here on is freed. */
  neededFrom = Number.POSITIVE_INFINITY;
  /** Is shown each record that is logged from elsewhere. */
  onReplicated: (record: JournalRecord) => void = () => {};

  readonly #o: MemoryJournalOptions;
  #segments: MemorySegments;
  #keptFrom = Number.POSITIVE_INFINITY;
  #sides = new Map<number, Buffer>();
  #waiting = new Set<() => void>();
  /** Numbers and chain that are given, durable or not; and a count that a crash raises. */
  #assigned: { last: number; chain: bigint };
  #life = 0;
  #entering = 0;
  #writing: Promise<void> = Promise.resolve();

  constructor(options: MemoryJournalOptions) {
    const { base, chain, segmentBytes, volume, historyBytes } = options;
    this.#o = options;
    this.volume = volume;
    this.historyBytes = historyBytes;
    this.#assigned = { last: base - 1, chain };
    this.#segments = new MemorySegments(segmentBytes, [{ first: base, chain, address: 0, records: [], ends: [] }]);
  }

  get first(): number {
    return this.#segments.first;
  }

  get last(): number {
    return this.#segments.last;
  }

  get lastChain(): bigint {
    return this.#segments.chain;
  }

  /** Epochs change from record to record here, and none of them is a promotion. */
  readonly lastEpoch = 0;

  /** What `keepFrom` keeps; Infinity for nothing. */
  get keptFrom(): number {
    return this.#keptFrom;
  }

  at(sequence: number): JournalRecord | undefined {
    return this.#segments.at(sequence);
  }

  append(content: Content): JournalRecord {
    const numbered = { sequence: this.last + 1, ...content };
    const record = { ...numbered, checksum: 0n, chain: chainBehind(this.lastChain, numbered) };
    this.#add(record);
    this.#assigned = { last: this.last, chain: this.lastChain };
    return record;
  }

  /** As the real one: in order, whole calls or nothing, and durable a little later. */
  async appendReplicated(records: readonly ReplicatedRecord[]): Promise<number> {
    const { random } = this.#o;
    const life = this.#life;
    const before = this.#writing;
    let done = () => {};
    this.#writing = Promise.all([before, new Promise<void>((resolve) => (done = resolve))]).then(() => {});
    try {
      // It waits where the journal is full, and so does who comes behind it; it is looked at only then.
      if (this.#entering > 0 || random.chance(1 / 8)) {
        this.#entering++;
        await before;
        this.#entering--;
      }
      this.#assertAlive(life);
      const taken = this.#admit(records);
      await before;
      for (let turns = random.below(4); turns > 0; turns--) await turn();
      this.#assertAlive(life);
      for (const record of taken) {
        this.onReplicated(record);
        this.#add(record);
      }
      return this.last;
    } finally {
      done();
    }
  }

  async *readBatches(from: number, o: BatchOptions = {}): AsyncGenerator<JournalRecord[], void, undefined> {
    const { random, batchRecordsMax } = this.#o;
    for (let next = from; ; ) {
      if (o.signal?.aborted) throw new AbortedError('read', undefined, o.signal.reason);
      if (next < this.first) throw this.#gone(next);
      if (next > this.last) {
        if (o.follow !== true) return;
        await this.#appended(o.signal);
        continue;
      }
      const count = Math.min(random.between(1, batchRecordsMax), o.batchRecordsMax ?? 4096);
      const records = this.#take(next, count, o.batchBytesMax ?? 2 ** 20);
      if (random.chance(1 / 4)) await turn();
      next += records.length;
      yield records;
    }
  }

  /** What is given back is spoiled, so that who looks at it still is found out. */
  async *readLent(from: number, o: BatchOptions = {}): AsyncGenerator<LentBatch, void, undefined> {
    for await (const lent of this.readBatches(from, o)) {
      const records = lent.map((record) => {
        const key = record.key === undefined ? {} : { key: Buffer.from(record.key) };
        return { ...record, ...key, payload: Buffer.from(record.payload) };
      });
      yield {
        records,
        giveBack: () => {
          for (const { payload, key } of records) for (const bytes of [payload, key]) bytes?.fill(0xdb);
        },
      };
    }
  }

  async readRanges(ranges: readonly PayloadRange[]): Promise<Buffer[]> {
    const { random } = this.#o;
    if (random.chance(1 / 2)) await turn();
    return ranges.map(({ sequence, offset, length }, index) => {
      const record = this.at(sequence);
      if (record === undefined) throw this.#gone(sequence);
      this.faults.refuseUnreadable(sequence);
      const { payload } = record;
      if (offset + length > payload.byteLength)
        throw new InvalidArgumentError(`ranges[${index}]`, length, `a range within ${payload.byteLength} bytes`);
      return this.faults.part(sequence, payload.subarray(offset, offset + length), random);
    });
  }

  async readPayloads(ranges: readonly SequenceRange[], into: Buffer): Promise<number> {
    let filled = 0;
    for (const { from, to } of ranges) {
      for (let sequence = from; sequence <= to; sequence++) {
        if (this.#o.random.chance(1 / 16)) await turn();
        const record = this.at(sequence);
        if (record === undefined) throw this.#gone(sequence);
        this.faults.refuseDamaged(sequence);
        const { payload } = record;
        if (payload.byteLength > into.byteLength - filled)
          throw new InvalidArgumentError('into', into.byteLength, 'as many bytes as the payloads take');
        filled += payload.copy(into, filled);
      }
    }
    return filled;
  }

  reachingBack(through: number, bytes: number): number {
    return this.#segments.reachingBack(Math.min(through, this.last), bytes);
  }

  sealedSegments(): { first: number; last: number }[] {
    return this.#segments.sealed.map((segment) => ({ first: segment.first, last: lastOf(segment) }));
  }

  async readSide(first: number): Promise<Buffer | undefined> {
    return this.faults.side(this.#sides.get(first), this.#o.random);
  }

  async writeSide(first: number, bytes: Uint8Array): Promise<boolean> {
    if (!this.#segments.sealed.some((segment) => segment.first === first)) return false;
    this.#sides.set(first, Buffer.from(bytes));
    return true;
  }

  async chainAt(sequence: number): Promise<bigint | undefined> {
    if (sequence === this.first - 1) return this.#segments.oldest.chain;
    return this.at(sequence)?.chain;
  }

  cursor(name: string, { at = 0 }: { at?: number } = {}): JournalCursor {
    const held = { name, position: at, chain: undefined, onFull: 'block' as const, detached: false };
    return { ...held, advance: async () => {}, reattach: async () => {} };
  }

  keepFrom(sequence: number | undefined): void {
    this.#keptFrom = sequence ?? Number.POSITIVE_INFINITY;
    this.collect();
  }

  /** Frees what neither history nor anybody else needs. */
  collect(): void {
    const segments = this.#segments;
    while (segments.oldest !== segments.active) {
      const { oldest, active } = segments;
      const needed = lastOf(oldest) >= Math.min(this.#keptFrom, this.neededFrom);
      if (needed || endOf(active) - endOf(oldest) < this.historyBytes) return;
      this.#free();
    }
  }

  /** Frees the oldest segments, whoever wants to keep them, for as long as they end before a record. */
  giveWay(before: number): void {
    while (this.#segments.oldest !== this.#segments.active && lastOf(this.#segments.oldest) < before) this.#free();
  }

  /** What a crash leaves: what was durable. */
  crash(): void {
    this.#life++;
    this.#writing = Promise.resolve();
    this.#assigned = { last: this.last, chain: this.lastChain };
    this.keepFrom(undefined);
  }

  copy(): MemorySegments {
    return this.#segments.copy();
  }

  /** Becomes what it was when the copy was taken, without faults. */
  restore(copy: MemorySegments): void {
    this.#segments = copy;
    this.faults.clear();
    this.crash();
  }

  /** And wakes who waits at the tail. */
  #add(record: JournalRecord): void {
    this.#segments.add(record);
    for (const wake of this.#waiting) wake();
  }

  async #appended(signal: AbortSignal | undefined): Promise<void> {
    await new Promise<void>((resolve) => {
      const wake = () => {
        signal?.removeEventListener('abort', wake);
        this.#waiting.delete(wake);
        resolve();
      };
      this.#waiting.add(wake);
      signal?.addEventListener('abort', wake, { once: true });
    });
  }

  /** What a process had begun ends with it. */
  #assertAlive(life: number): void {
    if (life !== this.#life) throw new ClosedError('a journal in memory');
  }

  #admit(records: readonly ReplicatedRecord[]): JournalRecord[] {
    let { last, chain } = this.#assigned;
    const taken = records.map((given): JournalRecord => {
      if (given.sequence !== last + 1) throw new SequenceGapError(last + 1, given.sequence);
      const { chain: proof, checksum: _, key, ...rest } = given;
      const record = {
        ...rest,
        kind: given.kind ?? 0,
        payload: Buffer.from(given.payload),
        ...(key === undefined ? {} : { key: Buffer.from(key) }),
      };
      last = given.sequence;
      chain = chainBehind(chain, record);
      if (proof !== undefined && proof !== chain && this.#o.trusting !== true)
        throw new ChainMismatchError(last, chain, proof);
      return { ...record, checksum: 0n, chain };
    });
    this.#assigned = { last, chain };
    return taken;
  }

  #take(from: number, count: number, bytesMax: number): JournalRecord[] {
    const records: JournalRecord[] = [];
    let bytes = 0;
    while (records.length < count && bytes < bytesMax) {
      const record = this.at(from + records.length);
      if (record === undefined) break;
      if (records.length > 0 && this.#isDamaged(record.sequence)) break;
      this.faults.refuseDamaged(record.sequence);
      records.push(record);
      bytes += record.payload.byteLength;
    }
    return records;
  }

  #isDamaged(sequence: number): boolean {
    return this.faults.unreadable.has(sequence) || this.faults.flipped.has(sequence);
  }

  #gone(sequence: number): SequenceGoneError {
    this.faults.met.gone++;
    return new SequenceGoneError(sequence, this.first, this.last);
  }

  #free(): void {
    this.#sides.delete(this.#segments.shift().first);
    this.faults.forgetBefore(this.first);
  }
}
