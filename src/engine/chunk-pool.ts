import { AbortedError, ClosedError } from '../errors.js';
import { onAbort } from './abort.js';
import { checkInteger, refuse } from './arguments.js';
import { ChunkBatch } from './chunk-batch.js';
import { type CheckedChunkPoolOptions, type ChunkPoolOptions, checkedPoolOptions } from './chunk-pool-options.js';
import { type ChunkRunner, ChunkThreads, ownWorkerPath } from './chunk-threads.js';
import { type ChunkResult, type ChunkSettings, chunkWork } from './chunk-work.js';
import { loadEngine } from './load.js';

const WHAT = 'the chunk pool';

export interface ChunkPoolStatus {
  /** At work or ready for it; 0 in line. */
  threads: number;
  /** Batches that somebody has taken. */
  taken: number;
  /** Of these, the ones that a thread has or that are queued for one. */
  running: number;
  /** Callers that wait for a batch. */
  waiting: number;
}

/** Who waits for a batch. */
interface Waiter {
  resolve(batch: ChunkBatch): void;
  reject(error: unknown): void;
}

/**
 * Chunks and digests by several threads, the same that a Chunker makes of the same bytes:
 *
 *     const pool = await ChunkPool.open({ key });
 *     const batch = await pool.take();
 *     const { cuts, digests } = await pool.run(batch, fill(batch.bytes));
 *     batch.release();
 *
 * Each batch is cut by itself, its last chunk ends with it. Threads that have nothing to do do not keep the process
 * alive.
 */
export class ChunkPool {
  readonly #settings: ChunkSettings;
  readonly #batchesMax: number;
  readonly #runner: ChunkRunner;
  /** Memory that nobody has; more is allocated when it is first needed. */
  readonly #free: ArrayBufferLike[] = [];
  readonly #taken = new Set<ChunkBatch>();
  readonly #waiting = new Set<Waiter>();
  readonly #running = new Set<Promise<unknown>>();
  #allocated = 0;
  #closing: Promise<void> | undefined;

  private constructor(o: CheckedChunkPoolOptions, runner: ChunkRunner) {
    this.#settings = o.settings;
    this.#batchesMax = o.batchesMax;
    this.#runner = runner;
  }

  /**
   * Resolves once every thread is ready. Raises InvalidArgumentError for options out of bounds, WorkerFailedError when a
   * thread does not start, and NativeEngineMissingError in line when the native engine is asked for and missing. The key
   * is copied. `workerPath` is the compiled file that threads run.
   */
  static async open(options: ChunkPoolOptions, workerPath: string = ownWorkerPath()): Promise<ChunkPool> {
    const o = checkedPoolOptions(options);
    return new ChunkPool(o, o.threads === 0 ? inLine(o) : await ChunkThreads.start(o, workerPath));
  }

  /**
   * A batch to fill, at once or when somebody releases one: this is where a caller who is faster than the threads waits.
   * Who asked first gets it first. Raises ClosedError, and AbortedError when the signal fires meanwhile.
   */
  async take(o: { signal?: AbortSignal } = {}): Promise<ChunkBatch> {
    this.#enter('take', o.signal);
    const memory = this.#free.pop() ?? this.#allocate();
    if (memory !== undefined) return this.#batchOf(memory);
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        this.#waiting.delete(waiter);
        reject(new AbortedError('take', undefined, o.signal?.reason));
      };
      const leave = o.signal === undefined ? undefined : onAbort(o.signal, abort);
      const waiter: Waiter = {
        resolve(batch) {
          leave?.();
          resolve(batch);
        },
        reject(error) {
          leave?.();
          reject(error);
        },
      };
      this.#waiting.add(waiter);
    });
  }

  /**
   * Cuts and digests the first `length` bytes of the batch, all of it by default. Several runs go on side by side and end
   * in any order. The result is memory of its own; the batch stays the caller's, unchanged, whatever happens.
   *
   * Raises InvalidArgumentError for a batch that was released, is another pool's or is under way, and for a length beyond
   * it; ClosedError; WorkerFailedError when the thread dies; AbortedError as soon as the signal fires. A thread is not
   * stopped by that: what it was at comes to nothing a moment later, and until then the batch takes no other run.
   */
  async run(
    batch: ChunkBatch,
    length: number = batch.bytes.byteLength,
    o: { signal?: AbortSignal } = {},
  ): Promise<ChunkResult> {
    if (!this.#taken.has(batch) || batch.released) refuse('batch', batch, 'one that was taken here and not released');
    if (batch.running) refuse('batch', batch, 'one that is not under way');
    checkInteger('length', length, batch.bytes.byteLength);
    this.#enter('run', o.signal);
    const running = batch.lend(() => this.#runner.run({ memory: batch.bytes.buffer, length }));
    this.#running.add(running);
    const done = running.finally(() => this.#running.delete(running));
    return o.signal === undefined ? done : orAborted(done, o.signal);
  }

  status(): ChunkPoolStatus {
    return {
      threads: this.#runner.threads,
      taken: this.#taken.size,
      running: this.#running.size,
      waiting: this.#waiting.size,
    };
  }

  /** Waits for what is under way and ends all threads. Who waits for a batch gets ClosedError. */
  close(): Promise<void> {
    this.#closing ??= this.#end();
    return this.#closing;
  }

  async #end(): Promise<void> {
    for (const waiter of this.#waiting) waiter.reject(new ClosedError(WHAT));
    this.#waiting.clear();
    await Promise.allSettled(this.#running);
    await this.#runner.close();
    this.#free.length = 0;
  }

  #enter(operation: string, signal: AbortSignal | undefined): void {
    if (this.#closing !== undefined) throw new ClosedError(WHAT);
    if (signal?.aborted) throw new AbortedError(operation, undefined, signal.reason);
  }

  #allocate(): ArrayBufferLike | undefined {
    if (this.#allocated === this.#batchesMax) return undefined;
    this.#allocated++;
    return new SharedArrayBuffer(this.#settings.batchBytes);
  }

  #batchOf(memory: ArrayBufferLike): ChunkBatch {
    const batch = new ChunkBatch(memory, () => {
      this.#taken.delete(batch);
      this.#handOn(memory);
    });
    this.#taken.add(batch);
    return batch;
  }

  #handOn(memory: ArrayBufferLike): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      if (this.#closing === undefined) this.#free.push(memory);
      return;
    }
    this.#waiting.delete(next);
    next.resolve(this.#batchOf(memory));
  }
}

/** The same work on the caller's thread. */
function inLine({ engine, settings }: CheckedChunkPoolOptions): ChunkRunner {
  const work = chunkWork(loadEngine(engine).kernels, settings);
  return { threads: 0, run: async (task) => work(task), close: async () => {} };
}

/** What comes first. */
function orAborted<T>(done: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const leave = onAbort(signal, () => reject(new AbortedError('run', undefined, signal.reason)));
    done.then(resolve, reject).finally(leave);
  });
}
