import type { Members } from './members.js';
import { RecentExtreme } from './recent-extreme.js';

export interface PacingOptions {
  members: Members;
  now: () => number;
  roundTripMs: () => number | undefined;
  /** Whether packets are lost on the line. */
  loses: () => boolean;
}

/** Connections on a shorter way than this are left alone: their system reacts faster than this could. */
const FAR_MS = 5;
/** A rate is measured over so many round trips, as what waited behind a lost packet arrives all at once. */
const ROUND_TRIPS = 4;
const INTERVAL_MS_MIN = 200;
/** The highest rate of this time counts, and of the same time before. */
const KEPT_MS = 10_000;
/** Together the connections may go a quarter above it, as BBR does when it looks for more. */
const GAIN = 1.25;
/** The line is still being found out while each interval brings so much more than any before; it is known after some that do not. */
const GROWTH = 1.15;
const STEADY_MIN = 2;

/**
 * Divides what the line carries among the connections of a channel.
 *
 * Each of them finds out its rate by itself. When others wait, one finds the whole line for itself, and remembers that for
 * ten round trips (BBR); all of them together then send several times what the line carries, and lose what the queue cannot take. So
 * on a line that loses each one has a ceiling: a quarter above its part of the highest rate at which all together have arrived
 * lately. Where nothing is lost, what is under way is bound closely enough.
 */
export class Pacing {
  readonly #o: PacingOptions;
  #bytes = 0;
  #sinceMs: number;
  /** Intervals in a row that brought no more than those before. */
  #steady = 0;
  readonly #most = new RecentExtreme(KEPT_MS, Math.max);
  #isApplied = false;

  constructor(options: PacingOptions) {
    this.#o = options;
    this.#sinceMs = options.now();
  }

  /** Bytes in a millisecond at which all connections together have arrived lately, at most; 0 until that was seen. */
  get bytesPerMs(): number {
    return this.#most.value ?? 0;
  }

  /** So much more has arrived; `isBusy` while there is more to send. */
  note(bytes: number, isBusy: boolean): void {
    const { now, roundTripMs } = this.#o;
    const roundTrip = roundTripMs() ?? 0;
    if (roundTrip < FAR_MS) return;
    const nowMs = now();
    this.#bytes += bytes;
    const elapsedMs = nowMs - this.#sinceMs;
    if (elapsedMs < Math.max(INTERVAL_MS_MIN, ROUND_TRIPS * roundTrip)) return;
    if (isBusy) this.#take(this.#bytes / elapsedMs, nowMs);
    this.#bytes = 0;
    this.#sinceMs = nowMs;
  }

  #take(bytesPerMs: number, nowMs: number): void {
    this.#steady = bytesPerMs > this.bytesPerMs * GROWTH ? 0 : this.#steady + 1;
    this.#most.note(bytesPerMs, nowMs);
    this.#apply(this.#steady >= STEADY_MIN && this.#o.loses());
  }

  #apply(loses: boolean): void {
    if (!loses && !this.#isApplied) return;
    this.#isApplied = loses;
    const active = this.#o.members.active();
    const each = !loses ? Number.POSITIVE_INFINITY : (this.bytesPerMs * 1000 * GAIN) / Math.max(1, active.length);
    for (const { connection } of active) connection.pace(each);
  }
}
