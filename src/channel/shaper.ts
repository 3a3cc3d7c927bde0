import { integerOption, RATE_BYTES_PER_SECOND_MIN } from '../options.js';
import { type Clock, systemClock } from './clock.js';

export interface ShaperOptions {
  /** Bytes per second, at least 1000. */
  rateBytesPerSecond: number;
  /** How much of the rate may go out at once after a pause or a late timer: 1 to 1000 ms, default 20. */
  burstMs?: number;
  clock?: Clock;
}

const RATE_BYTES_PER_SECOND_MAX = 1e12;
const QUANTUM_MS = 5;
/** Smaller pieces would cost more in packet headers than they win in smoothness. */
const QUANTUM_BYTES_MIN = 1460;
/** A full bucket on top of the rate must not carry any window of this length over the rate. */
const WINDOW_SECONDS = 5;

interface Waiter {
  bytes: number;
  grant: () => void;
}

/**
 * One token bucket over socket bytes, shared by any number of connections in the order in which they ask.
 *
 * Tokens come from the clock and not from the timer, so a late timer costs nothing as long as it is less late than the
 * burst. The bucket fills a little slower than the rate (0.4 % at 20 ms) by what a full bucket may add: over any five
 * seconds the rate is never exceeded. At rates below 73 kB/s the smallest quantum is longer than the burst and sets it.
 */
export class Shaper {
  readonly #clock: Clock;
  readonly #burstMs: number;
  readonly #waiters: Waiter[] = [];
  #rateBytesPerSecond: number;
  #fillBytesPerMs = 0;
  #burstBytes = 0;
  #quantumBytes = 0;
  #tokens = 0;
  #filledAt: number;
  #timer: unknown;

  constructor({ rateBytesPerSecond, burstMs, clock = systemClock }: ShaperOptions) {
    this.#clock = clock;
    this.#burstMs = integerOption('burstMs', burstMs, { min: 1, max: 1000, default: 20 });
    this.#filledAt = clock.now();
    this.#rateBytesPerSecond = rateBytesPerSecond;
    this.setRate(rateBytesPerSecond);
    this.#tokens = this.#burstBytes;
  }

  get rateBytesPerSecond(): number {
    return this.#rateBytesPerSecond;
  }

  /** The most that one `take` should ask for: about 5 ms of the rate. */
  get quantumBytes(): number {
    return this.#quantumBytes;
  }

  /** From now on; what waits is granted at the new rate. */
  setRate(rateBytesPerSecond: number): void {
    const rate = integerOption('rateBytesPerSecond', Math.floor(rateBytesPerSecond), {
      min: RATE_BYTES_PER_SECOND_MIN,
      max: RATE_BYTES_PER_SECOND_MAX,
      default: RATE_BYTES_PER_SECOND_MIN,
    });
    this.#fill();
    this.#rateBytesPerSecond = rate;
    this.#quantumBytes = Math.max(QUANTUM_BYTES_MIN, Math.floor((rate * QUANTUM_MS) / 1000));
    this.#burstBytes = Math.max(this.#quantumBytes, (rate * this.#burstMs) / 1000);
    this.#fillBytesPerMs = (rate - this.#burstBytes / WINDOW_SECONDS) / 1000;
    this.#tokens = Math.min(this.#tokens, this.#burstBytes);
    this.#clock.clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#grant();
  }

  /** Resolves when `bytes` may go out, first come, first served. */
  take(bytes: number): Promise<void> {
    return new Promise((resolve) => {
      this.#waiters.push({ bytes, grant: resolve });
      if (this.#timer === undefined) this.#grant();
    });
  }

  /** What was taken and is not needed: another connection had what there was to send. */
  giveBack(bytes: number): void {
    if (bytes <= 0) return;
    this.#fill();
    this.#tokens = Math.min(this.#burstBytes, this.#tokens + bytes);
    this.#clock.clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#grant();
  }

  #grant(): void {
    this.#fill();
    for (;;) {
      const first = this.#waiters[0];
      if (first === undefined) return;
      // More than the bucket holds is granted on a full bucket and leaves a debt, or it would wait for ever.
      const needed = Math.min(first.bytes, this.#burstBytes);
      if (this.#tokens < needed) {
        this.#timer = this.#clock.setTimeout(
          () => {
            this.#timer = undefined;
            this.#grant();
          },
          // Whole milliseconds, as the timers of Node count; what comes in beyond the need stays in the bucket.
          Math.ceil((needed - this.#tokens) / this.#fillBytesPerMs),
        );
        return;
      }
      this.#tokens -= first.bytes;
      this.#waiters.shift();
      first.grant();
    }
  }

  #fill(): void {
    const now = this.#clock.now();
    this.#tokens = Math.min(this.#burstBytes, this.#tokens + (now - this.#filledAt) * this.#fillBytesPerMs);
    this.#filledAt = now;
  }
}
