import { KIB, MIB } from '../options.js';

export interface BodyPoolOptions {
  /** What is kept for the next taker, at most: default 24 MiB. */
  keptBytesMax?: number;
}

/** Smaller bodies come from Node's own pool. */
const POOLED_BYTES_MIN = 16 * KIB;
/** Sizes to an octave: what is taken is at most a quarter larger than what was asked for. */
const STEPS = 4;

/**
 * Memory for the bodies of frames and messages, used again and again. New memory for each would be found by the garbage
 * collector alone, and that goes over the whole heap whenever some tens of megabytes have come together: many times a
 * second on a fast line.
 *
 * Who takes a body owns it. To give it back is to promise that nobody looks at it any more; what is never given back, the
 * garbage collector has as usual.
 */
export class BodyPool {
  /** Called with what was given back; tests spoil it, so that who looks at it still is found out. */
  onGiven: ((memory: Buffer) => void) | undefined;
  readonly #keptBytesMax: number;
  #keptBytes = 0;
  readonly #kept = new Map<number, Buffer[]>();
  /** Memory that was taken, and may be given back once. */
  readonly #taken = new WeakMap<ArrayBufferLike, Buffer>();

  constructor({ keptBytesMax = 24 * MIB }: BodyPoolOptions = {}) {
    this.#keptBytesMax = keptBytesMax;
  }

  get keptBytes(): number {
    return this.#keptBytes;
  }

  /** That many bytes that hold anything. */
  take(bytes: number): Buffer {
    if (bytes < POOLED_BYTES_MIN || bytes > this.#keptBytesMax) return Buffer.allocUnsafe(bytes);
    const size = sizeFor(bytes);
    let memory = this.#kept.get(size)?.pop();
    if (memory === undefined) memory = Buffer.allocUnsafeSlow(size);
    else this.#keptBytes -= size;
    this.#taken.set(memory.buffer, memory);
    return bytes === size ? memory : memory.subarray(0, bytes);
  }

  /** Takes back what a body lies in; without effect when that came from elsewhere, or is back already. */
  give(body: Uint8Array): void {
    const memory = this.#taken.get(body.buffer);
    if (memory === undefined) return;
    this.#taken.delete(body.buffer);
    this.onGiven?.(memory);
    const size = memory.byteLength;
    if (this.#keptBytes + size > this.#keptBytesMax) this.#keepOnly(size);
    if (this.#keptBytes + size > this.#keptBytesMax) return;
    this.#keptBytes += size;
    const kept = this.#kept.get(size);
    if (kept === undefined) this.#kept.set(size, [memory]);
    else kept.push(memory);
  }

  /** Of sizes that nobody may ask for any more nothing stays. */
  #keepOnly(size: number): void {
    const kept = this.#kept.get(size) ?? [];
    this.#kept.clear();
    this.#kept.set(size, kept);
    this.#keptBytes = kept.length * size;
  }
}

/** The next one of some sizes, so that memory fits more than one body. */
function sizeFor(bytes: number): number {
  const step = 2 ** Math.floor(Math.log2(bytes)) / STEPS;
  return Math.ceil(bytes / step) * step;
}

/** Of all channels of the process. */
export const bodies = new BodyPool();
