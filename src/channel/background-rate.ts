import { integerOption, RATE_BYTES_PER_SECOND_MAX } from '../options.js';
import { type Clock, systemClock } from './clock.js';

export interface BackgroundRateOptions {
  /** The queueing delay that is not exceeded for long, in milliseconds, 5 to 1000 (default 25). */
  targetMs?: number;
  /** Never more than this; Infinity (default): no limit but what the line carries. */
  ceilingBytesPerSecond?: number;
  clock?: Clock;
}

/** So much goes in any case: heartbeats and acknowledgements need it, and without it nothing would be measured. */
export const BACKGROUND_BYTES_PER_SECOND_MIN = 8000;
const START_BYTES_PER_SECOND = 64_000;
/** A decision is made about this often, or once a round trip where that takes longer. */
const ROUND_MS = 100;
/** The least that a rate is damped by, and that of a short line. */
const DAMPING_MS = 200;

/** The base delay is the least of the last ten minutes, kept by the minute (RFC 6817, section 3.4.2). */
const BASE_STEP_MS = 60_000;
const BASE_STEPS = 10;
/** Of what may be sent, so much has to be sent for a decision to send more. */
const USED_PART = 0.7;

/** At most so much more a round while the queue is empty, and the less the fuller it is. */
const GAIN_MAX = 0.05;
/** Twice as much at a time, once the effect of the time before shows, up to the rate at which the queue last grew. */
const RAMP_FACTOR = 2;
/** Only while the queue is this part of the target on average, and has been for a while. */
const RAMP_DELAY_PART = 0.6;
const CALM_MS = 1000;
/** What the newest round counts for in that average, and up to which part of the target. */
const NEW_PART = 0.3;
const DELAY_PART_MAX = 2;
/** At most so much is left after one decision to send less. */
const DECREASE_MIN = 0.5;
/** What a rate at which the queue grew leaves of itself as the mark up to which it is tried again fast. */
const MARK_PART = 0.8;
/** Rounds that are remembered, to tell which rate it was that a round trip has seen. */
const HISTORY_ROUNDS = 128;

/** Once in a while it sends so little, for so long, that its own queue drains and the base shows again. */
const SLOWDOWN_EVERY_MS = 30_000;
const SLOWDOWN_PART = 0.125;
const SLOWDOWN_ROUNDS = 4;

/**
 * A rate that leaves the line to whoever else wants it: it keeps the queue in front of the bottleneck short, by what round
 * trips take beyond the shortest one of late.
 *
 * After LEDBAT (RFC 6817): below a target of queueing delay the rate grows in proportion to what is left of it. After
 * LEDBAT++ (draft-irtf-iccrg-ledbat-plus-plus): above the target it shrinks by a factor, growth starts by doubling, and
 * slowdowns at intervals let the base be measured again. Unlike both it sets a rate and not a window, because what it
 * feeds is a shaper. A window slows down at once when the queue grows; a rate has to be told, a round trip late. Hence
 * the damping, the gain that gets less the longer the line is, and that a decrease starts from the rate that the round
 * trip has seen.
 *
 * Who fills the queue gets all but the least rate, until for ten minutes no shorter round trip was seen: then the queue
 * counts as part of the line. A line that became longer is found out in the same time.
 */
export class BackgroundRate {
  readonly #clock: Clock;
  readonly #targetMs: number;
  #ceilingBytesPerSecond: number;
  /** Before damping. */
  #rate = START_BYTES_PER_SECOND;
  #queueingMs = 0;
  #baseMs = Number.POSITIVE_INFINITY;
  readonly #bases: number[] = [Number.POSITIVE_INFINITY];
  #baseStepAt: number;

  #round: { startedAt: number; leastMs: number; bytes: number };
  readonly #history: { at: number; rate: number }[] = [];
  /** Fast growth goes up to here. */
  #mark = Number.POSITIVE_INFINITY;
  #delayPart = 0;
  #restlessAt: number;
  #rampedAt: number;
  #isCongested = false;
  #slowdownAt: number;
  #slowUntil: number | undefined;

  /** Throws INVALID_ARGUMENT for a target that is not 5 to 1000 ms. */
  constructor(options: BackgroundRateOptions = {}) {
    const { ceilingBytesPerSecond = Number.POSITIVE_INFINITY, clock = systemClock } = options;
    this.#clock = clock;
    this.#targetMs = integerOption('targetMs', options.targetMs, { min: 5, max: 1000, default: 25 });
    this.#ceilingBytesPerSecond = ceilingBytesPerSecond;
    const now = clock.now();
    this.#baseStepAt = now;
    this.#round = { startedAt: now, leastMs: Number.POSITIVE_INFINITY, bytes: 0 };
    this.#restlessAt = now - CALM_MS;
    this.#rampedAt = now;
    this.#slowdownAt = now + SLOWDOWN_EVERY_MS;
  }

  /** From BACKGROUND_BYTES_PER_SECOND_MIN to the ceiling, or the ceiling where that is lower. */
  get rateBytesPerSecond(): number {
    const damped = (this.#rate * this.#dampingMs) / (this.#dampingMs + this.#queueingMs);
    const slowed = this.#slowUntil === undefined ? damped : damped * SLOWDOWN_PART;
    return Math.min(Math.max(slowed, BACKGROUND_BYTES_PER_SECOND_MIN), this.#ceilingBytesPerSecond);
  }

  /** What round trips took in the last round beyond the shortest, in milliseconds. */
  get queueingDelayMs(): number {
    return this.#queueingMs;
  }

  /** From now on. */
  set ceilingBytesPerSecond(bytesPerSecond: number) {
    this.#ceilingBytesPerSecond = bytesPerSecond;
    this.#rate = Math.max(Math.min(this.#rate, this.#rateMax), BACKGROUND_BYTES_PER_SECOND_MIN);
  }

  /** One round trip, and how many bytes went out since the sample before. One sample in 100 ms is enough. */
  sample(roundTripMs: number, bytes: number): void {
    const now = this.#clock.now();
    const round = this.#round;
    this.#noteBase(roundTripMs, now);
    round.leastMs = Math.min(round.leastMs, roundTripMs);
    round.bytes += bytes;
    const elapsedMs = now - round.startedAt;
    if (elapsedMs < this.#roundMs) return;
    const isUsed = round.bytes * 1000 >= this.rateBytesPerSecond * elapsedMs * USED_PART;
    this.#queueingMs = round.leastMs - this.#baseMs;
    this.#round = { startedAt: now, leastMs: Number.POSITIVE_INFINITY, bytes: 0 };
    this.#decide(now, isUsed);
  }

  #decide(now: number, isUsed: boolean): void {
    if (this.#slowUntil !== undefined) {
      if (now < this.#slowUntil) return;
      this.#slowUntil = undefined;
      this.#slowdownAt = now + SLOWDOWN_EVERY_MS;
    }
    const part = this.#queueingMs / this.#targetMs;
    this.#delayPart += (Math.min(part, DELAY_PART_MAX) - this.#delayPart) * NEW_PART;
    if (part > 1 || this.#delayPart > RAMP_DELAY_PART) this.#restlessAt = now;
    if (part > 1) this.#decrease(part, now);
    else if (isUsed) this.#increase(part, now);
    this.#remember(now);
    if (now >= this.#slowdownAt) this.#slowUntil = now + SLOWDOWN_ROUNDS * this.#roundMs;
  }

  #decrease(part: number, now: number): void {
    const seen = this.#rateSeen(now);
    if (!this.#isCongested) this.#mark = seen * MARK_PART;
    this.#isCongested = true;
    const factor = Math.max(DECREASE_MIN, 1 - (part - 1) / 2);
    this.#rate = Math.max(Math.min(this.#rate, seen * factor), BACKGROUND_BYTES_PER_SECOND_MIN);
  }

  #increase(part: number, now: number): void {
    const isCalm = now - this.#restlessAt >= CALM_MS;
    if (isCalm) this.#isCongested = false;
    if (!isCalm || this.#rate >= this.#mark) this.#rate *= 1 + this.#gain * (1 - part);
    else if (now - this.#rampedAt >= this.#baseMs + 2 * ROUND_MS) {
      this.#rampedAt = now;
      this.#rate = Math.min(this.#rate * RAMP_FACTOR, this.#mark);
    }
    this.#rate = Math.min(this.#rate, this.#rateMax);
  }

  /** The rate at the time at which the newest round trip stood in the queue. */
  #rateSeen(now: number): number {
    const at = now - this.#baseMs - this.#queueingMs - ROUND_MS / 2;
    return this.#history.findLast((entry) => entry.at <= at)?.rate ?? this.#history[0]?.rate ?? this.#rate;
  }

  #remember(now: number): void {
    this.#history.push({ at: now, rate: this.#rate });
    if (this.#history.length > HISTORY_ROUNDS) this.#history.shift();
  }

  /** Damping lowers what it comes to, so a little more than the ceiling is of use. */
  get #rateMax(): number {
    return Math.min(this.#ceilingBytesPerSecond * RAMP_FACTOR, RATE_BYTES_PER_SECOND_MAX);
  }

  get #roundMs(): number {
    return Math.max(ROUND_MS, this.#baseMs);
  }

  /** Twice what it takes for a change of the rate to show. */
  get #dampingMs(): number {
    return Number.isFinite(this.#baseMs) ? Math.max(DAMPING_MS, 2 * (this.#baseMs + ROUND_MS)) : DAMPING_MS;
  }

  /** So that rate and queue, each of which follows the other, do not swing. */
  get #gain(): number {
    return Math.min(GAIN_MAX, (this.#roundMs * this.#targetMs) / this.#dampingMs ** 2);
  }

  #noteBase(roundTripMs: number, now: number): void {
    if (now - this.#baseStepAt >= BASE_STEP_MS) {
      this.#baseStepAt = now;
      this.#bases.push(Number.POSITIVE_INFINITY);
      if (this.#bases.length > BASE_STEPS) this.#bases.shift();
    }
    const last = this.#bases.length - 1;
    this.#bases[last] = Math.min(this.#bases[last] ?? Number.POSITIVE_INFINITY, roundTripMs);
    this.#baseMs = Math.min(...this.#bases);
  }
}
