import { publish } from '../engine/events.js';
import type { LonghaulError } from '../errors.js';
import { type Clock, systemClock } from './clock.js';

/** The same code from the same address is told once in this time. */
export const QUIET_MS = 60_000;
/** So many different ones are told in this time; what comes on top is only counted, from however many addresses. */
export const TOLD_MAX = 256;

interface Told {
  atMs: number;
  quiet: number;
}

/** Tells of refused strangers as `longhaul:refused`, without letting them fill a log or the memory. */
export class Refusals {
  readonly #clock: Clock;
  /** By code and address, the one told longest ago first. */
  readonly #told = new Map<string, Told>();
  /** Kept quiet, and no longer counted under a code and address of their own. */
  #quiet = 0;

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  refuse(address: string, problem: LonghaulError): void {
    this.#forget();
    const key = `${problem.code} ${address}`;
    const before = this.#told.get(key);
    if (before !== undefined) before.quiet++;
    else if (this.#told.size >= TOLD_MAX) this.#quiet++;
    else {
      publish('refused', { address, problem, quiet: this.#quiet });
      this.#quiet = 0;
      this.#told.set(key, { atMs: this.#clock.now(), quiet: 0 });
    }
  }

  /** What was told long enough ago may be told again. */
  #forget(): void {
    const now = this.#clock.now();
    for (const [key, { atMs, quiet }] of this.#told) {
      if (now - atMs < QUIET_MS) return;
      this.#told.delete(key);
      this.#quiet += quiet;
    }
  }
}
