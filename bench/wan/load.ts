import { randomFillSync } from 'node:crypto';
import type { Sender } from '../../src/index.js';

/** Random data in records of 64 KiB, as much at a time as the link holds, and what of it the peer has logged. */

export const RECORD_BYTES = 64 * 1024;
const POOL_BYTES = 16 * 1024 * 1024;

export class Load {
  readonly #sender: Sender;
  readonly #windowBytes: number;
  readonly #pool = randomFillSync(Buffer.alloc(POOL_BYTES));
  #underWayBytes = 0;
  #loggedBytes = 0;
  #records = 0;
  #stopped = false;
  #failure: unknown;
  #room: (() => void) | undefined;
  #done: Promise<void> | undefined;

  /** `windowBytes` is what may be appended and not yet logged by the peer. */
  constructor(sender: Sender, windowBytes: number) {
    this.#sender = sender;
    this.#windowBytes = windowBytes;
  }

  get loggedBytes(): number {
    if (this.#failure !== undefined) throw this.#failure;
    return this.#loggedBytes;
  }

  start(): void {
    this.#done ??= this.#run();
  }

  /** Resolves when all that was appended has been logged. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#room?.();
    await this.#done;
    await this.#sender.drain('logged');
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      while (!this.#stopped && this.#underWayBytes + RECORD_BYTES <= this.#windowBytes) this.#append();
      await new Promise<void>((resolve) => {
        this.#room = resolve;
      });
    }
  }

  #append(): void {
    this.#underWayBytes += RECORD_BYTES;
    this.#sender.append(this.#next(), { ack: 'logged', bulk: true }).then(
      () => {
        this.#loggedBytes += RECORD_BYTES;
        this.#underWayBytes -= RECORD_BYTES;
        this.#room?.();
      },
      (error: unknown) => {
        this.#failure = error;
        this.#stopped = true;
        this.#room?.();
      },
    );
  }

  /** Nothing is reduced, so it does no harm that the same content comes again after 16 MiB. */
  #next(): Uint8Array {
    const start = (this.#records++ * RECORD_BYTES) % POOL_BYTES;
    return this.#pool.subarray(start, start + RECORD_BYTES);
  }
}
