import { AbortedError, InvalidArgumentError } from '../errors.js';
import { integerOption } from '../options.js';
import { Alarm } from './alarm.js';
import { type Clock, systemClock } from './clock.js';
import { LinkedQueue } from './linked-queue.js';
import { type LinkCost, linkCost, type RateLimit } from './rate-limit.js';
import type { SharedCeiling, Sharer } from './shared-ceiling.js';
import { BURST_MS, TokenBucket } from './token-bucket.js';

export interface ShaperOptions extends Partial<LinkCost> {
  /** Bytes per second, at least 1000; Infinity (default): no limit. */
  rateBytesPerSecond?: number;
  /** How much of the rate may go out at once after a pause or a late timer: 1 to 1000 ms, default 20. */
  burstMs?: number;
  /** A ceiling that holds besides, for all that share it together. */
  within?: SharedCeiling;
  clock?: Clock;
}

interface Waiter {
  bytes: number;
  grant: (bytes: number) => void;
}

/** A connection asks for one quantum at a time; more waiters than this means that someone does not wait. */
export const WAITERS_MAX = 4096;

/** One rate over the bytes of any number of connections, in the order in which they ask. */
export class Shaper implements RateLimit {
  readonly #bucket: TokenBucket;
  readonly #within: SharedCeiling | undefined;
  readonly #waiters = new LinkedQueue<Waiter>();
  /** How the shared ceiling sees this shaper. */
  readonly #sharer: Sharer = {
    dueBytes: () => this.#dueBytes(),
    grant: () => this.#grant(),
    rest: () => {
      this.#inLine = false;
      this.#serve();
    },
  };
  #inLine = false;
  readonly #alarm: Alarm;

  constructor(options: ShaperOptions = {}) {
    const { rateBytesPerSecond = Number.POSITIVE_INFINITY, within, clock = systemClock, ...cost } = options;
    this.#alarm = new Alarm(clock, () => this.#serve());
    this.#within = within;
    const burstMs = integerOption('burstMs', options.burstMs, BURST_MS);
    this.#bucket = new TokenBucket({ rateBytesPerSecond, burstMs, cost: linkCost(cost), clock });
  }

  /** Its own; Infinity: no limit. */
  get rateBytesPerSecond(): number {
    return this.#bucket.rateBytesPerSecond;
  }

  get quantumBytes(): number {
    return Math.min(this.#bucket.quantumBytes, this.#within?.quantumBytes ?? Number.POSITIVE_INFINITY);
  }

  /** From now on; what waits is granted at the new rate. Infinity: no limit. */
  setRate(rateBytesPerSecond: number): void {
    this.#bucket.setRate(rateBytesPerSecond);
    this.#alarm.clear();
    this.#serve();
  }

  charge(bytes: number): void {
    this.#bucket.charge(bytes);
    this.#within?.charge(bytes);
  }

  take(bytesMax: number, signal?: AbortSignal): Promise<number> {
    if (signal?.aborted) return Promise.reject(calledOff(signal));
    if (this.#waiters.length === 0 && this.quantumBytes === Number.POSITIVE_INFINITY) return Promise.resolve(bytesMax);
    if (this.#waiters.length >= WAITERS_MAX) {
      throw new InvalidArgumentError('waiters for a rate', WAITERS_MAX, 'one at a time of each connection');
    }
    return new Promise((resolve, reject) => {
      const grant = (bytes: number): void => {
        signal?.removeEventListener('abort', callOff);
        resolve(bytes);
      };
      const place = this.#waiters.push({ bytes: bytesMax, grant });
      const callOff = (): void => {
        reject(calledOff(signal));
        if (this.#waiters.remove(place)) this.#missOne();
      };
      signal?.addEventListener('abort', callOff, { once: true });
      this.#serve();
    });
  }

  /** Grants what its own rate allows, or has it granted by the shared ceiling. */
  #serve(): void {
    if (this.#inLine || this.#alarm.isSet) return;
    while (this.#waiters.first !== undefined) {
      const waitMs = this.#bucket.waitMs(this.#wantedBytes(this.#waiters.first));
      if (waitMs > 0) {
        this.#alarm.set(waitMs);
        return;
      }
      if (this.#within !== undefined) {
        this.#inLine = true;
        this.#within.enter(this.#sharer);
        return;
      }
      this.#grant();
    }
  }

  #dueBytes(): number | undefined {
    const first = this.#waiters.first;
    if (first === undefined) return undefined;
    const bytes = this.#wantedBytes(first);
    return this.#bucket.waitMs(bytes) > 0 ? undefined : bytes;
  }

  #wantedBytes({ bytes }: Waiter): number {
    return Math.min(bytes, this.quantumBytes);
  }

  #grant(): void {
    const first = this.#waiters.shift() as Waiter;
    const bytes = this.#wantedBytes(first);
    this.#bucket.take(bytes);
    first.grant(bytes);
  }

  /** A waiter has gone: nothing is held for it, and nothing waits for nobody. */
  #missOne(): void {
    if (this.#waiters.length > 0) return;
    this.#alarm.clear();
    if (!this.#inLine) return;
    this.#inLine = false;
    this.#within?.leave(this.#sharer);
  }
}

function calledOff(signal: AbortSignal | undefined): AbortedError {
  return new AbortedError('waiting for the rate', undefined, signal?.reason);
}
