import { integerOption, RATE_BYTES_PER_SECOND_MAX, RATE_BYTES_PER_SECOND_MIN } from '../options.js';
import type { Clock } from './clock.js';
import type { LinkCost } from './rate-limit.js';

export interface TokenBucketOptions {
  /** Infinity: no limit. */
  rateBytesPerSecond: number;
  burstMs: number;
  cost: LinkCost;
  clock: Clock;
}

/** What may go out at once after a pause or a late timer, in milliseconds of the rate. */
export const BURST_MS = { min: 1, max: 1000, default: 20 };
const QUANTUM_MS = 5;
/** Smaller pieces would cost more in packet headers than they win in smoothness. */
const QUANTUM_BYTES_MIN = 1460;
/** One connection after another gets its turn at high rates too, and a rate that is lowered finds little under way. */
const QUANTUM_BYTES_MAX = 256 * 1024;
/** A full bucket on top of the rate must not carry any window of this length over the rate. */
const WINDOW_SECONDS = 5;

/**
 * A token bucket over bytes on the link. It holds no timer and no queue: it says how long what somebody wants takes.
 *
 * Tokens come from the clock and not from a timer, so a late timer costs nothing as long as it is less late than the
 * burst. The bucket fills a little slower than the rate (0.4 % at 20 ms) by what a full bucket may add: over any five
 * seconds the rate is never exceeded. At rates below 73 kB/s the smallest quantum is longer than the burst and sets it.
 */
export class TokenBucket {
  readonly #clock: Clock;
  readonly #burstMs: number;
  readonly #cost: LinkCost;
  #rateBytesPerSecond = Number.POSITIVE_INFINITY;
  #fillBytesPerMs = 0;
  #burstBytes = 0;
  #quantumBytes = Number.POSITIVE_INFINITY;
  #tokens = 0;
  #filledAt: number;

  constructor({ rateBytesPerSecond, burstMs, cost, clock }: TokenBucketOptions) {
    this.#clock = clock;
    this.#burstMs = burstMs;
    this.#cost = cost;
    this.#filledAt = clock.now();
    this.setRate(rateBytesPerSecond);
    this.#tokens = this.#burstBytes;
  }

  /** Infinity: no limit. */
  get rateBytesPerSecond(): number {
    return this.#rateBytesPerSecond;
  }

  /** How much is taken at a time, in bytes of the socket; Infinity without a limit. */
  get quantumBytes(): number {
    return this.#quantumBytes;
  }

  /** From now on; the time before counts at the old rate, and nothing that went without a limit is held against it. */
  setRate(rateBytesPerSecond: number): void {
    const wasUnlimited = this.#rateBytesPerSecond === Number.POSITIVE_INFINITY;
    if (rateBytesPerSecond === Number.POSITIVE_INFINITY) {
      this.#rateBytesPerSecond = rateBytesPerSecond;
      this.#quantumBytes = rateBytesPerSecond;
      return;
    }
    const rate = integerOption('rateBytesPerSecond', Math.floor(rateBytesPerSecond), RATE_BYTES);
    this.#fill();
    this.#rateBytesPerSecond = rate;
    this.#quantumBytes = quantumOf((rate * QUANTUM_MS) / 1000, this.#cost);
    this.#burstBytes = Math.max(this.onLink(this.#quantumBytes), (rate * this.#burstMs) / 1000);
    this.#fillBytesPerMs = (rate - this.#burstBytes / WINDOW_SECONDS) / 1000;
    this.#tokens = wasUnlimited ? 0 : Math.min(this.#tokens, this.#burstBytes);
  }

  /** What so many bytes of a socket take on the link when they go out by themselves. */
  onLink(bytes: number): number {
    return bytes + Math.ceil(bytes / this.#cost.segmentBytes) * this.#cost.overheadBytes;
  }

  /** Milliseconds until so many bytes of a socket may go; 0: now. More than the bucket holds goes on a full bucket. */
  waitMs(bytes: number): number {
    if (this.#rateBytesPerSecond === Number.POSITIVE_INFINITY) return 0;
    this.#fill();
    const missing = Math.min(this.onLink(bytes), this.#burstBytes) - this.#tokens;
    // Whole milliseconds, as the timers of Node count; what comes in beyond the need stays in the bucket.
    return missing <= 0 ? 0 : Math.ceil(missing / this.#fillBytesPerMs);
  }

  /** Takes what so many bytes of a socket cost, also what is not there: a debt is paid off before anything else goes. */
  take(bytes: number): void {
    if (this.#rateBytesPerSecond !== Number.POSITIVE_INFINITY) this.#tokens -= this.onLink(bytes);
  }

  /** Takes the cost of bytes that went out along with others, in segments that these may have left room in. */
  charge(bytes: number): void {
    if (this.#rateBytesPerSecond === Number.POSITIVE_INFINITY) return;
    this.#fill();
    this.#tokens -= bytes * (1 + this.#cost.overheadBytes / this.#cost.segmentBytes);
  }

  #fill(): void {
    const now = this.#clock.now();
    this.#tokens = Math.min(this.#burstBytes, this.#tokens + (now - this.#filledAt) * this.#fillBytesPerMs);
    this.#filledAt = now;
  }
}

const RATE_BYTES = {
  min: RATE_BYTES_PER_SECOND_MIN,
  max: RATE_BYTES_PER_SECOND_MAX,
  default: RATE_BYTES_PER_SECOND_MIN,
};

/** As many full segments as `linkBytes` carry, so that no grant ends in a short one. */
function quantumOf(linkBytes: number, { overheadBytes, segmentBytes }: LinkCost): number {
  const segments = Math.floor(Math.min(linkBytes, QUANTUM_BYTES_MAX) / (segmentBytes + overheadBytes));
  return Math.max(QUANTUM_BYTES_MIN, segments * segmentBytes);
}
