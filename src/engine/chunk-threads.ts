import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';
import { WorkerFailedError } from '../errors.js';
import type { CheckedChunkPoolOptions } from './chunk-pool-options.js';
import type { ChunkResult, ChunkTask } from './chunk-work.js';
import type { ChunkWorkerData } from './chunk-worker.js';
import { ownPackageDirectory } from './own-package.js';

const WHAT = 'chunking';

/** Who works on the batches of a ChunkPool. */
export interface ChunkRunner {
  /** How many threads there are at present. */
  readonly threads: number;
  run(task: ChunkTask): Promise<ChunkResult>;
  close(): Promise<void>;
}

/** Threads by piscina. One that dies is replaced, and what it had to do fails with WorkerFailedError. */
export class ChunkThreads implements ChunkRunner {
  readonly #pool: Piscina<ChunkTask, ChunkResult>;
  /** How to fail what has been handed over. */
  readonly #underWay = new Set<(cause: unknown) => void>();

  private constructor({ threads, batchesMax, engine, settings }: CheckedChunkPoolOptions, workerPath: string) {
    this.#pool = new Piscina({
      filename: workerPath,
      name: 'default',
      minThreads: threads,
      maxThreads: threads,
      maxQueue: Math.max(batchesMax, threads),
      workerData: { engine, settings } satisfies ChunkWorkerData,
    });
    // A replacement that dies before it is ready is not replaced in turn. When none is left that could take what is
    // queued, nobody else would say so: of an exit piscina says no error. The next run starts a thread again.
    this.#pool.on('error', (error) => this.#failIfNoneIsLeft(error));
    this.#pool.on('workerDestroy', () => {
      setImmediate(() => this.#failIfNoneIsLeft(new Error('the last thread exited before it was ready')));
    });
  }

  /** Resolves once every thread has loaded its engine. Raises WorkerFailedError when one cannot. */
  static async start(o: CheckedChunkPoolOptions, workerPath: string): Promise<ChunkThreads> {
    if (!existsSync(workerPath)) {
      throw new WorkerFailedError(WHAT, `there is no ${workerPath}; \`npm run build\` makes it`);
    }
    const started = new ChunkThreads(o, workerPath);
    try {
      const nothing = new SharedArrayBuffer(0);
      await Promise.all(Array.from({ length: o.threads }, () => started.run({ memory: nothing, length: 0 })));
    } catch (error) {
      await started.close();
      throw error;
    }
    return started;
  }

  get threads(): number {
    return this.#pool.threads.length;
  }

  run(task: ChunkTask): Promise<ChunkResult> {
    return new Promise((resolve, reject) => {
      const fail = (cause: unknown): void => {
        this.#underWay.delete(fail);
        reject(new WorkerFailedError(WHAT, cause instanceof Error ? cause.message : String(cause), cause));
      };
      this.#underWay.add(fail);
      this.#pool.run(task).then((result) => {
        this.#underWay.delete(fail);
        resolve(result);
      }, fail);
    });
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
  }

  #failIfNoneIsLeft(cause: unknown): void {
    if (this.threads > 0) return;
    for (const fail of [...this.#underWay]) fail(cause);
  }
}

/** Threads run compiled code alone: what lies beside this file, or, when this is a source, what the build made of it. */
export function ownWorkerPath(): string {
  const beside = join(dirname(fileURLToPath(import.meta.url)), 'chunk-worker.js');
  return existsSync(beside) ? beside : join(ownPackageDirectory(), 'dist', 'src', 'engine', 'chunk-worker.js');
}
