import { join } from 'node:path';
import type { Start } from '../channel/messages.js';
import { readJson, replaceFile } from '../engine/files.js';
import { ClosedError, type LonghaulError, ProtocolError, VolumeMismatchError } from '../errors.js';
import type { Journal, JournalCursor, PayloadRange } from '../journal/journal.js';
import type { Batch, BatchRecord } from '../reduce/batch.js';
import { HistoryLost, type HistorySource } from '../reduce/decoder.js';
import { type PrefixRange, readPrefix } from '../reduce/prefix.js';
import { ApplyLoop } from './apply-loop.js';
import type { Consumer } from './consumer.js';
import { damagedOf, lostAs, lostPartsAs, unreadableOf } from './lost-history.js';

/** The passive end's journal, the volume it belongs to, and the apply loop behind it. */

const APPLY_CURSOR = 'apply';

/**
 * History that a sender may have kept, in parts of what it may refer to: the same records take a little more or less in
 * one journal than in another.
 */
const HELD_PART = 2;

interface Limits {
  queueBytesMax: number;
  historyBytes: number;
}

export interface ReceiveLogHooks {
  onApplied: () => void;
  onStall: (problem: LonghaulError | undefined) => void;
}

export class ReceiveLog implements HistorySource {
  readonly journal: Journal;
  readonly queueBytesMax: number;
  /** What is kept as history. */
  readonly historyBytes: number;
  volume: string | undefined;
  applied: number;

  readonly #path: string;
  readonly #hooks: ReceiveLogHooks;
  #cursor: JournalCursor;
  #consumer: Consumer | undefined;
  #loop: ApplyLoop | undefined;
  #closed = false;
  /** Records that are on their way into the journal, batch by batch. */
  readonly #coming: BatchRecord[][] = [];

  private constructor(
    path: string,
    journal: Journal,
    volume: string | undefined,
    limits: Limits,
    hooks: ReceiveLogHooks,
  ) {
    this.queueBytesMax = limits.queueBytesMax;
    this.historyBytes = limits.historyBytes;
    this.#path = path;
    this.journal = journal;
    this.volume = volume;
    this.#hooks = hooks;
    this.#cursor = journal.cursor(APPLY_CURSOR, { at: journal.first - 1 });
    this.applied = this.#cursor.position;
  }

  static async open(dir: string, journal: Journal, limits: Limits, hooks: ReceiveLogHooks): Promise<ReceiveLog> {
    const path = join(dir, 'receiver.json');
    const kept = (await readJson(path))?.volume;
    // A log that holds anything, or began anew at some number, got its volume with that, in one step.
    const volume = journal.last > 0 ? journal.volume : kept;
    return new ReceiveLog(path, journal, typeof volume === 'string' ? volume : undefined, limits, hooks);
  }

  get logged(): number {
    return this.journal.last;
  }

  /** Of the newest record; 0 for none. */
  get epoch(): number {
    return this.journal.lastEpoch;
  }

  get chain(): bigint {
    return this.journal.lastChain;
  }

  /** The oldest record that a stream may refer to. It stays for as long as the stream does not say otherwise. */
  holdHistory(): number {
    const { first } = this.journal;
    this.journal.keepFrom(first);
    return first;
  }

  get holdsContent(): boolean {
    return this.#consumer?.holdsContent ?? false;
  }

  get problem(): LonghaulError | undefined {
    return this.#loop?.problem;
  }

  get consumer(): Consumer | undefined {
    return this.#consumer;
  }

  attach(consumer: Consumer): void {
    if (this.#closed) throw new ClosedError('the receiver');
    this.#consumer = consumer;
    this.#startLoop();
  }

  /** Brings the log to where the sender will begin: as it is, or empty at that number. */
  async begin(start: Start, volume: string, adopt: boolean): Promise<void> {
    const bound = this.volume;
    if (bound !== undefined && bound !== volume && !adopt) throw new VolumeMismatchError(volume, bound);
    if (bound === volume && !start.reset) {
      if (start.from !== this.logged + 1 || start.chain !== this.chain) {
        throw new ProtocolError(`START from ${start.from}`, `${this.logged + 1}, on the same chain`);
      }
      return;
    }
    if (bound === undefined && !start.reset && start.from !== 1)
      throw new ProtocolError(`START from ${start.from}`, '1');
    await this.#reset(start, volume);
  }

  /**
   * Logs a batch; resolves when it is durable. ChainMismatchError when its records are not those of the sender, and nothing
   * of it is logged then.
   */
  async append({ records, chain, floor }: Batch): Promise<void> {
    this.#coming.push(records);
    try {
      // Equal chains at the start and equal records give equal chains at the end, and no others do.
      const last = records.length - 1;
      await this.journal.appendReplicated(
        records.map((record, index) => (index === last ? { ...record, chain } : record)),
      );
      this.journal.keepFrom(Math.max(floor, this.journal.first, this.#keptAtMost()));
    } finally {
      this.#coming.splice(this.#coming.indexOf(records), 1);
    }
  }

  /** A sender that releases nothing does not fill the disk. */
  #keptAtMost(): number {
    return this.journal.reachingBack(this.logged, HELD_PART * this.historyBytes);
  }

  /** Which of these records are damaged, as far as reading them again tells. */
  damaged(sequences: readonly number[]): Promise<PrefixRange[]> {
    return damagedOf(this.journal, sequences);
  }

  /** The payloads of records, end to end, at most `bytesMax` bytes. */
  async payloads(ranges: readonly PrefixRange[], bytesMax: number): Promise<Buffer> {
    for (const range of ranges) {
      if (range.to > this.logged)
        throw new ProtocolError(`a prefix with record ${range.to}`, `records up to ${this.logged}`);
    }
    return readPrefix(this.journal, ranges, bytesMax).catch(async (error: unknown) => {
      const lost = lostAs(error, ranges);
      // All of it at once: each record that is asked for in vain takes a round trip.
      throw lost instanceof HistoryLost ? new HistoryLost(await unreadableOf(this.journal, ranges), error) : lost;
    });
  }

  /** Parts of payloads, of records that are in the journal or on their way there. */
  async parts(ranges: readonly PayloadRange[]): Promise<Buffer[]> {
    const parts = ranges.map((range) => (range.sequence > this.logged ? this.#comingPart(range) : undefined));
    const logged = ranges.filter((_, index) => parts[index] === undefined);
    const read = await this.journal.readRanges(logged).catch(async (error: unknown) => {
      throw await lostPartsAs(this.journal, error, logged);
    });
    let next = 0;
    return parts.map((part) => part ?? (read[next++] as Buffer));
  }

  #comingPart({ sequence, offset, length }: PayloadRange): Buffer {
    const records = this.#coming.find((batch) => (batch[batch.length - 1]?.sequence ?? 0) >= sequence);
    const payload = records?.[sequence - (records[0]?.sequence ?? 0)]?.payload;
    if (payload === undefined || offset + length > payload.byteLength)
      throw new ProtocolError(`${length} bytes at ${offset} of record ${sequence}`, 'a part of an earlier record');
    // A copy: the memory of a batch is used again once that is logged, and who asks may be logged after it.
    return Buffer.from(payload.subarray(offset, offset + length));
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#loop?.stop();
  }

  async #reset(start: Start, volume: string): Promise<void> {
    await this.#loop?.stop();
    try {
      await this.#consumer?.rebase?.(start.from);
      await this.journal.reset(start.from, start.chain, { volume });
      this.#cursor = this.journal.cursor(APPLY_CURSOR, { at: start.from - 1 });
      this.applied = start.from - 1;
      await replaceFile(this.#path, `${JSON.stringify({ version: 1, volume })}\n`);
      this.volume = volume;
      await this.#consumer?.rebased?.();
    } finally {
      // Also when it failed halfway: what the log holds is applied in any case.
      this.#startLoop();
    }
  }

  #startLoop(): void {
    if (this.#consumer === undefined || this.#closed) return;
    this.#loop = new ApplyLoop({
      journal: this.journal,
      cursor: this.#cursor,
      consumer: this.#consumer,
      onApplied: (sequence) => {
        this.applied = sequence;
        this.#hooks.onApplied();
      },
      onStall: this.#hooks.onStall,
    });
  }
}
