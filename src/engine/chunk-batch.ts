/**
 * Memory for the input of one run of a ChunkPool. Whoever has taken it writes to `bytes`, but not between `run` and its
 * end, and keeps it until `release()`; from then on the memory is another's.
 */
export class ChunkBatch {
  /** Shared memory where threads do the work: fill it with `set`, `Buffer.copy` or a read from a file. */
  readonly bytes: Uint8Array;
  readonly #free: () => void;
  #running = false;
  #released = false;

  constructor(memory: ArrayBufferLike, free: () => void) {
    this.bytes = new Uint8Array(memory);
    this.#free = free;
  }

  /** Whether a thread has it. After an abort it may still, when the caller hears of it already. */
  get running(): boolean {
    return this.#running;
  }

  get released(): boolean {
    return this.#released;
  }

  /** Gives the memory back for others to take, at once or when the thread that reads it is done. */
  release(): void {
    if (this.#released) return;
    this.#released = true;
    if (!this.#running) this.#free();
  }

  /** For the pool: `work` has the memory until it ends. */
  async lend<T>(work: () => Promise<T>): Promise<T> {
    this.#running = true;
    try {
      return await work();
    } finally {
      this.#running = false;
      if (this.#released) this.#free();
    }
  }
}
