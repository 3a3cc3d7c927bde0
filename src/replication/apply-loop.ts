import { publish } from '../engine/events.js';
import { isErrno } from '../engine/files.js';
import { prefetched } from '../engine/prefetch.js';
import { ApplyFailedError, DiskFullError, LonghaulError } from '../errors.js';
import type { Journal, JournalCursor, JournalRecord } from '../journal/journal.js';
import type { Consumer } from './consumer.js';

/**
 * Takes records from the receive log to the consumer, in order. What the consumer reports as done counts as applied once
 * the apply cursor is durable. A consumer that throws is tried again from where it stopped, with growing pauses.
 */

const RETRY_MS_FIRST = 200;
const RETRY_MS_MAX = 10_000;
const BATCH_BYTES = 4 * 1024 * 1024;
const BATCH_RECORDS = 1024;

export interface ApplyLoopOptions {
  journal: Journal;
  cursor: JournalCursor;
  consumer: Consumer;
  onApplied: (sequence: number) => void;
  onStall: (problem: LonghaulError | undefined) => void;
}

export class ApplyLoop {
  problem: LonghaulError | undefined;

  readonly #options: ApplyLoopOptions;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  #done: number;
  #saving: Promise<void> = Promise.resolve();
  #saveQueued = false;

  constructor(options: ApplyLoopOptions) {
    this.#options = options;
    this.#done = options.cursor.position;
    this.#running = this.#run();
  }

  /** Finishes the call in hand, saves the cursor and stops. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    await this.#saving.catch(() => {});
  }

  async #run(): Promise<void> {
    let retryMs = RETRY_MS_FIRST;
    while (!this.#stop.signal.aborted) {
      const before = this.#done;
      try {
        await this.#follow();
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        if (this.#done > before) retryMs = RETRY_MS_FIRST;
        this.#stall(error, retryMs);
        await this.#pause(retryMs);
        retryMs = Math.min(retryMs * 2, RETRY_MS_MAX);
      }
    }
  }

  async #follow(): Promise<void> {
    const { journal, consumer } = this.#options;
    const limits = { batchBytesMax: BATCH_BYTES, batchRecordsMax: BATCH_RECORDS };
    const own = new AbortController();
    const signal = AbortSignal.any([this.#stop.signal, own.signal]);
    const batches = journal.readBatches(this.#done + 1, { follow: true, signal, ...limits });
    for await (const records of prefetched(batches, () => own.abort())) {
      await consumer.apply(records, (sequence) => this.#applied(sequence, records), this.#stop.signal);
      if (this.#stop.signal.aborted) return;
    }
  }

  /** Resolves once the cursor is on disk there. */
  #applied(sequence: number, records: JournalRecord[]): Promise<void> {
    if (sequence <= this.#done || sequence > (records[records.length - 1]?.sequence ?? 0)) return this.#saving;
    this.#done = sequence;
    if (this.problem !== undefined) {
      this.problem = undefined;
      this.#options.onStall(undefined);
    }
    if (!this.#saveQueued) {
      this.#saveQueued = true;
      this.#saving = this.#saving.catch(() => {}).then(() => this.#save());
      // A consumer that does not wait for it has heard of a failure by the stall.
      this.#saving.catch(() => {});
    }
    return this.#saving;
  }

  /** One save at a time; whatever was applied meanwhile goes with the next. */
  async #save(): Promise<void> {
    this.#saveQueued = false;
    const upTo = this.#done;
    try {
      await this.#options.cursor.advance(upTo);
      this.#options.onApplied(upTo);
    } catch (error) {
      this.#stall(error, 0);
      throw error;
    }
  }

  #stall(error: unknown, retryMs: number): void {
    this.problem = describe(error, this.#done + 1);
    publish('apply', { sequence: this.#done + 1, problem: this.problem, retryMs });
    this.#options.onStall(this.problem);
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(done, ms);
      const signal = this.#stop.signal;
      function done(): void {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        resolve();
      }
      signal.addEventListener('abort', done, { once: true });
    });
  }
}

function describe(error: unknown, sequence: number): LonghaulError {
  if (error instanceof LonghaulError) return error;
  if (isErrno(error, 'ENOSPC', 'EDQUOT')) {
    const path = (error as NodeJS.ErrnoException).path ?? 'the replica';
    return new DiskFullError(`applying record ${sequence}`, path, error);
  }
  return new ApplyFailedError(sequence, error);
}
