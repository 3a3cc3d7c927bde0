import { join } from 'node:path';
import type { Start } from '../channel/messages.js';
import { readJson, replaceFile } from '../engine/files.js';
import {
  ClosedError,
  HistoryGoneError,
  type LonghaulError,
  ProtocolError,
  SequenceGoneError,
  VolumeMismatchError,
} from '../errors.js';
import type { Journal, JournalCursor } from '../journal/journal.js';
import type { Batch } from '../reduce/batch.js';
import { PrefixBuilder, type PrefixRange } from '../reduce/prefix.js';
import { ApplyLoop } from './apply-loop.js';
import type { Consumer } from './consumer.js';

/** The passive end's journal, the volume it belongs to, and the apply loop behind it. */

const APPLY_CURSOR = 'apply';

export interface ReceiveLogHooks {
  onApplied: () => void;
  onStall: (problem: LonghaulError | undefined) => void;
}

export class ReceiveLog {
  readonly journal: Journal;
  readonly queueBytesMax: number;
  volume: string | undefined;
  applied: number;

  readonly #path: string;
  readonly #hooks: ReceiveLogHooks;
  #cursor: JournalCursor;
  #consumer: Consumer | undefined;
  #loop: ApplyLoop | undefined;
  #closed = false;
  /** Of what lies before this something cannot be read. */
  #historyFloor = 1;

  private constructor(
    path: string,
    journal: Journal,
    volume: string | undefined,
    queueBytesMax: number,
    hooks: ReceiveLogHooks,
  ) {
    this.queueBytesMax = queueBytesMax;
    this.#path = path;
    this.journal = journal;
    this.volume = volume;
    this.#hooks = hooks;
    this.#cursor = journal.cursor(APPLY_CURSOR, { at: journal.first - 1 });
    this.applied = this.#cursor.position;
  }

  static async open(dir: string, journal: Journal, queueBytesMax: number, hooks: ReceiveLogHooks): Promise<ReceiveLog> {
    const path = join(dir, 'receiver.json');
    const kept = (await readJson(path))?.volume;
    // A log that holds anything, or began anew at some number, got its volume with that, in one step.
    const volume = journal.last > 0 ? journal.volume : kept;
    return new ReceiveLog(path, journal, typeof volume === 'string' ? volume : undefined, queueBytesMax, hooks);
  }

  get logged(): number {
    return this.journal.last;
  }

  get chain(): bigint {
    return this.journal.lastChain;
  }

  /** The oldest record that a stream may refer to. */
  get historyFrom(): number {
    return Math.max(this.journal.first, this.#historyFloor);
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

  /** Logs a batch; resolves when it is durable. */
  async append(batch: Batch): Promise<void> {
    // Equal chains at the start and equal records give equal chains at the end, or one end is broken.
    const last = batch.records.length - 1;
    await this.journal.appendReplicated(
      batch.records.map((record, index) => (index === last ? { ...record, chain: batch.chain } : record)),
    );
  }

  /**
   * The payloads of records, end to end, at most `bytesMax` bytes. When they cannot be read, the next session is told from
   * where on they can be.
   */
  async payloads(ranges: readonly PrefixRange[], bytesMax: number): Promise<Buffer> {
    const builder = new PrefixBuilder(this.journal, bytesMax);
    for (const range of ranges) {
      if (range.to > this.logged)
        throw new ProtocolError(`a prefix with record ${range.to}`, `records up to ${this.logged}`);
      await builder.add(range).catch((error: unknown) => {
        throw this.#historyGone(range, error);
      });
    }
    return builder.prefix.content;
  }

  #historyGone({ from, to }: PrefixRange, error: unknown): unknown {
    if (error instanceof ProtocolError) return error;
    // A reader may stumble over the same damage from each record that shares a group with it.
    if (!(error instanceof SequenceGoneError)) this.#historyFloor = Math.max(this.#historyFloor, to + 1);
    return new HistoryGoneError(from, to, error);
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
      this.#historyFloor = 1;
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
