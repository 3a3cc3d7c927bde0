import { AbortedError } from '../errors.js';
import { type Clock, systemClock } from './clock.js';

export interface BackoffOptions {
  /** The first pause is at most this long: default 50. */
  initialMs?: number;
  /** No pause is longer: default 1000. */
  maxMs?: number;
  random?: () => number;
  clock?: Clock;
}

/**
 * Pauses between attempts: each step twice as long as the one before, and each pause a random part of its step, from a
 * half to the whole, so that peers that lost the same link do not come back in the same instant.
 */
export class Backoff {
  readonly #initialMs: number;
  readonly #maxMs: number;
  readonly #random: () => number;
  readonly #clock: Clock;
  #stepMs: number;

  constructor({ initialMs = 50, maxMs = 1000, random = Math.random, clock = systemClock }: BackoffOptions = {}) {
    this.#initialMs = initialMs;
    this.#maxMs = maxMs;
    this.#random = random;
    this.#clock = clock;
    this.#stepMs = initialMs;
  }

  /** The length of the next pause. */
  next(): number {
    const stepMs = this.#stepMs;
    this.#stepMs = Math.min(this.#maxMs, stepMs * 2);
    return stepMs * (0.5 + this.#random() / 2);
  }

  /** Call when an attempt went well. */
  reset(): void {
    this.#stepMs = this.#initialMs;
  }

  /** Waits for the next pause, or for `ms`. Rejects with AbortedError when the signal fires. */
  wait(signal?: AbortSignal, ms: number = this.next()): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.#clock.clearTimeout(timer);
        reject(new AbortedError('waiting before the next attempt', undefined, signal?.reason));
      };
      const timer = this.#clock.setTimeout(() => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      }, ms);
      if (signal?.aborted === true) onAbort();
      else signal?.addEventListener('abort', onAbort, { once: true });
    });
  }
}
