import { Alarm } from './alarm.js';
import { type Clock, systemClock } from './clock.js';
import { LinkedQueue, type Place } from './linked-queue.js';
import { type LinkCost, linkCost } from './rate-limit.js';
import { BURST_MS, TokenBucket } from './token-bucket.js';

/** One of those who share a ceiling, such as a peer with all of its connections. */
export interface Sharer {
  /** What the first of its waiters may take now as far as the sharer's own rate goes; undefined when none may. */
  dueBytes(): number | undefined;
  /** Takes `dueBytes` for that waiter. */
  grant(): void;
  /** Its turn is over: it comes back when its own rate lets another waiter through. */
  rest(): void;
}

export interface SharedCeilingOptions extends Partial<LinkCost> {
  /** Bytes per second, at least 1000; Infinity (default): no limit. */
  rateBytesPerSecond?: number;
  clock?: Clock;
}

/** A turn in the line, and how many bytes are left of it. */
interface Turn {
  sharer: Sharer;
  creditBytes: number;
}

/**
 * A rate that several shapers keep to together, each of them beneath a rate of its own.
 *
 * A shaper stands in line here only while its own rate would let its first waiter go, and takes tokens from both
 * buckets in the same moment. So a slow peer holds up nobody, and no token of one bucket is spent while the other is
 * waited for. Turns go round by bytes, not by grants, with what one turn leaves carried into the next as long as the
 * shaper stays in line (deficit round robin, Shreedhar and Varghese, SIGCOMM 1995): all get the same share, however
 * many connections they have and however small their pieces are.
 */
export class SharedCeiling {
  readonly #bucket: TokenBucket;
  readonly #line = new LinkedQueue<Turn>();
  readonly #places = new Map<Sharer, Place<Turn>>();
  readonly #alarm: Alarm;
  #serving = false;

  constructor({ rateBytesPerSecond = Number.POSITIVE_INFINITY, clock = systemClock, ...cost }: SharedCeilingOptions) {
    this.#alarm = new Alarm(clock, () => this.#serve());
    this.#bucket = new TokenBucket({ rateBytesPerSecond, burstMs: BURST_MS.default, cost: linkCost(cost), clock });
  }

  /** Infinity: no limit. */
  get rateBytesPerSecond(): number {
    return this.#bucket.rateBytesPerSecond;
  }

  get quantumBytes(): number {
    return this.#bucket.quantumBytes;
  }

  /** From now on; what waits is granted at the new rate. Infinity: no limit. */
  setRate(rateBytesPerSecond: number): void {
    this.#bucket.setRate(rateBytesPerSecond);
    for (const { value } of this.#places.values()) value.creditBytes = Math.min(value.creditBytes, this.quantumBytes);
    this.#alarm.clear();
    this.#serve();
  }

  charge(bytes: number): void {
    this.#bucket.charge(bytes);
  }

  /** Stands in line until it has been served. */
  enter(sharer: Sharer): void {
    this.#places.set(sharer, this.#line.push({ sharer, creditBytes: this.quantumBytes }));
    if (!this.#alarm.isSet) this.#serve();
  }

  /** Out of the line, for want of waiters. */
  leave(sharer: Sharer): void {
    const place = this.#places.get(sharer);
    if (place === undefined) return;
    this.#places.delete(sharer);
    this.#line.remove(place);
    // The timer was for the one in front.
    this.#alarm.clear();
    this.#serve();
  }

  #serve(): void {
    // A sharer that rests may enter again at once; the loop that is under way sees to it.
    if (this.#serving) return;
    this.#serving = true;
    for (let turn = this.#line.first; turn !== undefined && !this.#alarm.isSet; turn = this.#line.first) {
      this.#serveTurn(turn);
    }
    this.#serving = false;
  }

  #serveTurn(turn: Turn): void {
    const { sharer } = turn;
    const bytes = sharer.dueBytes();
    if (bytes === undefined) {
      this.leave(sharer);
      sharer.rest();
      return;
    }
    const waitMs = this.#bucket.waitMs(bytes);
    if (waitMs > 0) this.#alarm.set(waitMs);
    else if (turn.creditBytes < bytes) this.#pass(turn);
    else {
      turn.creditBytes -= bytes;
      this.#bucket.take(bytes);
      sharer.grant();
    }
  }

  /** To the end of the line, with credit for its next turn; no grant is more than that. */
  #pass(turn: Turn): void {
    this.#line.shift();
    turn.creditBytes += this.quantumBytes;
    this.#places.set(turn.sharer, this.#line.push(turn));
  }
}
