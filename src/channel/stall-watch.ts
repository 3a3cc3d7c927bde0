import type { Clock } from './clock.js';
import type { Member } from './member.js';
import type { OutgoingLane } from './outgoing.js';

export interface StallWatchOptions {
  clock: Clock;
  lanes: readonly OutgoingLane<Member>[];
  roundTripMs: () => number | undefined;
  onStall: (member: Member) => void;
  /** Whether there is another connection to send late frames over. */
  isShared: () => boolean;
  /** Frames that are late have to be sent again. */
  onLate: () => void;
}

/** TCP itself takes 200 ms at least to send again what was lost. */
const STALL_MS_MIN = 400;
const STALL_ROUND_TRIPS = 4;
/** What was lost is there after two round trips, unless it is lost once more. */
const LATE_MS_MIN = 200;
const LATE_ROUND_TRIPS = 2.5;
const LOOKS = 8;

/**
 * Looks for connections that no longer get anything across: they carry a frame for longer than four round trips, and nothing
 * else of theirs was confirmed in that time. The connection may be alive, as a path that is cut shows in no other way for
 * a long time; what it carries is better sent over another one meanwhile. So is what a connection carried that has ended in
 * an orderly way without it, and so are single frames that hold up all that came after them.
 */
export class StallWatch {
  readonly #o: StallWatchOptions;
  #timer: unknown;

  constructor(options: StallWatchOptions) {
    this.#o = options;
  }

  /** Something was sent. */
  watch(): void {
    this.#timer ??= this.#o.clock.setTimeout(() => this.#look(), this.#stallMs() / LOOKS);
  }

  stop(): void {
    this.#o.clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #look(): void {
    this.#timer = undefined;
    const { clock, lanes, onStall, isShared, onLate } = this.#o;
    const before = clock.now() - this.#stallMs();
    for (const [member, sinceMs] of lanes.flatMap((lane) => [...lane.carriers])) {
      if (sinceMs <= before && member.progressAtMs <= before) onStall(member);
    }
    const lateBefore = clock.now() - Math.max(LATE_MS_MIN, LATE_ROUND_TRIPS * (this.#o.roundTripMs() ?? 0));
    if (isShared() && lanes.reduce((count, lane) => count + lane.hurry(lateBefore), 0) > 0) onLate();
    if (lanes.some(({ unconfirmedFrames }) => unconfirmedFrames > 0)) this.watch();
  }

  #stallMs(): number {
    return Math.max(STALL_MS_MIN, STALL_ROUND_TRIPS * (this.#o.roundTripMs() ?? 0));
  }
}
