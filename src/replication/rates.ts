import { type Clock, systemClock, systemWallClock, type WallClock } from '../channel/clock.js';
import type { LinkCost } from '../channel/rate-limit.js';
import type { WeeklySchedule } from '../channel/schedule.js';
import { ScheduledRate } from '../channel/scheduled-rate.js';
import { SharedCeiling } from '../channel/shared-ceiling.js';
import { PeerRate } from './peer-rate.js';
import type { ResolvedRate } from './rate-options.js';

export interface RatesOptions {
  /** Of all peers together. */
  sender: ResolvedRate;
  /** By the peer's name. */
  peers: ReadonlyMap<string, ResolvedRate>;
  cost: LinkCost;
  clock?: Clock;
  wallClock?: WallClock;
}

/** How fast a sender sends: to all peers together, and to each. */
export class Rates {
  readonly #shared: SharedCeiling;
  readonly #ceiling: ScheduledRate;
  readonly #peers = new Map<string, PeerRate>();

  constructor({ sender, peers, cost, clock = systemClock, wallClock = systemWallClock }: RatesOptions) {
    const { rateBytesPerSecond, schedule } = sender;
    const onChange = (rate: number) => this.#shared.setRate(rate);
    this.#ceiling = new ScheduledRate({ rateBytesPerSecond, schedule, onChange, clock, wallClock });
    const within = new SharedCeiling({ ...cost, clock, rateBytesPerSecond: this.#ceiling.rateBytesPerSecond });
    this.#shared = within;
    for (const [name, rate] of peers) this.#peers.set(name, new PeerRate({ ...rate, cost, within, clock, wallClock }));
  }

  /** In force now for all peers together; Infinity: no limit. */
  get rateBytesPerSecond(): number {
    return this.#shared.rateBytesPerSecond;
  }

  /** The highest rate that may come by itself for a peer. */
  highestOf(peer: string): number {
    return Math.min(this.#ceiling.highestBytesPerSecond, this.of(peer).highestBytesPerSecond);
  }

  of(peer: string): PeerRate {
    const rate = this.#peers.get(peer);
    if (rate === undefined) throw new Error(`no rate for the peer ${peer}`);
    return rate;
  }

  /** Infinity: no limit. Without a peer, for all together. */
  setRate(rateBytesPerSecond: number, peer: string | undefined): void {
    (peer === undefined ? this.#ceiling : this.of(peer)).setRate(rateBytesPerSecond);
  }

  setSchedule(schedule: WeeklySchedule | undefined, peer: string | undefined): void {
    (peer === undefined ? this.#ceiling : this.of(peer)).setSchedule(schedule);
  }

  stop(): void {
    this.#ceiling.stop();
    for (const peer of this.#peers.values()) peer.stop();
  }
}
