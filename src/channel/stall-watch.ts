import { Alarm } from './alarm.js';
import type { Clock } from './clock.js';
import type { Member } from './member.js';
import type { OutgoingLane } from './outgoing.js';

export interface StallWatchOptions {
  clock: Clock;
  lanes: readonly OutgoingLane<Member>[];
  roundTripMs: () => number | undefined;
  onStall: (member: Member) => void;
}

/** TCP itself takes 200 ms at least to send again what was lost. */
const STALL_MS_MIN = 400;
const STALL_ROUND_TRIPS = 2.5;
const LOOKS = 4;

/**
 * Looks for connections that no longer get anything across: they carry a frame for longer than two and a half round trips, and nothing
 * else of theirs was confirmed in that time. The connection may be alive, as a path that is cut shows in no other way for
 * a long time; what it carries is better sent over another one meanwhile. So is what a connection carried that has ended in
 * an orderly way without it.
 */
export class StallWatch {
  readonly #o: StallWatchOptions;
  readonly #alarm: Alarm;

  constructor(options: StallWatchOptions) {
    this.#o = options;
    this.#alarm = new Alarm(options.clock, () => this.#look());
  }

  /** Something was sent. */
  watch(): void {
    if (!this.#alarm.isSet) this.#alarm.set(this.#stallMs() / LOOKS);
  }

  stop(): void {
    this.#alarm.clear();
  }

  #look(): void {
    const { clock, lanes, onStall } = this.#o;
    const before = clock.now() - this.#stallMs();
    for (const [member, sinceMs] of lanes.flatMap((lane) => [...lane.carriers])) {
      if (sinceMs <= before && member.progressAtMs <= before) onStall(member);
    }
    if (lanes.some(({ unconfirmedFrames }) => unconfirmedFrames > 0)) this.watch();
  }

  #stallMs(): number {
    return Math.max(STALL_MS_MIN, STALL_ROUND_TRIPS * (this.#o.roundTripMs() ?? 0));
  }
}
