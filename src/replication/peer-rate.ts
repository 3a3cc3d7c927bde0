import { type Clock, systemClock, systemWallClock, type WallClock } from '../channel/clock.js';
import type { LinkCost } from '../channel/rate-limit.js';
import type { WeeklySchedule } from '../channel/schedule.js';
import { ScheduledRate } from '../channel/scheduled-rate.js';
import { Shaper } from '../channel/shaper.js';
import type { SharedCeiling } from '../channel/shared-ceiling.js';
import type { ResolvedRate } from './rate-options.js';

export interface PeerRateOptions extends ResolvedRate {
  cost: LinkCost;
  /** What holds for all peers together. */
  within: SharedCeiling;
  clock?: Clock;
  wallClock?: WallClock;
}

/** The rate of one peer, over all of its connections, by the time of the week and below what holds for all peers. */
export class PeerRate {
  readonly shaper: Shaper;
  readonly #within: SharedCeiling;
  readonly #ceiling: ScheduledRate;

  constructor(options: PeerRateOptions) {
    const { rateBytesPerSecond, schedule, within, cost, clock = systemClock, wallClock = systemWallClock } = options;
    this.#within = within;
    const onChange = (rate: number) => this.shaper.setRate(rate);
    this.#ceiling = new ScheduledRate({ rateBytesPerSecond, schedule, onChange, clock, wallClock });
    this.shaper = new Shaper({ ...cost, within, clock, rateBytesPerSecond: this.#ceiling.rateBytesPerSecond });
  }

  /** In force now, with what holds for all peers together; Infinity: no limit. */
  get rateBytesPerSecond(): number {
    return Math.min(this.shaper.rateBytesPerSecond, this.#within.rateBytesPerSecond);
  }

  /** The highest ceiling of its own that may come by itself. */
  get highestBytesPerSecond(): number {
    return this.#ceiling.highestBytesPerSecond;
  }

  /** Infinity: no limit. */
  setRate(rateBytesPerSecond: number): void {
    this.#ceiling.setRate(rateBytesPerSecond);
  }

  setSchedule(schedule: WeeklySchedule | undefined): void {
    this.#ceiling.setSchedule(schedule);
  }

  stop(): void {
    this.#ceiling.stop();
  }
}
