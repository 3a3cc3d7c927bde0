import { type Clock, systemClock, systemWallClock, type WallClock } from './clock.js';
import type { WeeklySchedule } from './schedule.js';

export interface ScheduledRateOptions {
  /** What holds where the schedule says nothing; Infinity (default): no limit. */
  rateBytesPerSecond?: number;
  schedule?: WeeklySchedule | undefined;
  /** Is told each rate that comes into force after the first one. */
  onChange: (rateBytesPerSecond: number) => void;
  clock?: Clock;
  wallClock?: WallClock;
}

/** A time of day that is set by hand, and a machine that was asleep, are noticed after this time at the latest. */
const LOOK_AGAIN_MS = 60_000;

/** The rate in force by a schedule, and without one the rate that was set. Changes come at their time, not by polling. */
export class ScheduledRate {
  readonly #clock: Clock;
  readonly #wallClock: WallClock;
  readonly #onChange: (rateBytesPerSecond: number) => void;
  #baseBytesPerSecond: number;
  #schedule: WeeklySchedule | undefined;
  #inForce: number;
  #timer: unknown;
  #stopped = false;

  constructor(options: ScheduledRateOptions) {
    const { rateBytesPerSecond = Number.POSITIVE_INFINITY, clock = systemClock, wallClock = systemWallClock } = options;
    this.#clock = clock;
    this.#wallClock = wallClock;
    this.#onChange = options.onChange;
    this.#baseBytesPerSecond = rateBytesPerSecond;
    this.#schedule = options.schedule;
    this.#inForce = this.#due();
    this.#arm();
  }

  /** In force now; Infinity: no limit. */
  get rateBytesPerSecond(): number {
    return this.#inForce;
  }

  /** The highest rate that may come into force by itself. */
  get highestBytesPerSecond(): number {
    return Math.max(this.#baseBytesPerSecond, this.#schedule?.highestBytesPerSecond ?? 0);
  }

  /** Of the two, what the schedule says counts. Infinity: no limit. */
  setRate(rateBytesPerSecond: number): void {
    this.#baseBytesPerSecond = rateBytesPerSecond;
    this.#look();
  }

  setSchedule(schedule: WeeklySchedule | undefined): void {
    this.#schedule = schedule;
    this.#look();
  }

  stop(): void {
    this.#stopped = true;
    this.#clock.clearTimeout(this.#timer);
  }

  #due(): number {
    return this.#schedule?.rateAt(this.#wallClock.epochMs()) ?? this.#baseBytesPerSecond;
  }

  #look(): void {
    const due = this.#due();
    this.#arm();
    if (due === this.#inForce) return;
    this.#inForce = due;
    this.#onChange(due);
  }

  #arm(): void {
    this.#clock.clearTimeout(this.#timer);
    if (this.#schedule === undefined || this.#stopped) return;
    const now = this.#wallClock.epochMs();
    const next = this.#schedule.nextChange(now) ?? Number.POSITIVE_INFINITY;
    this.#timer = this.#clock.setTimeout(() => this.#look(), Math.min(next - now, LOOK_AGAIN_MS));
  }
}
