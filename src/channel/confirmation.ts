import { KIB } from '../options.js';
import { Alarm } from './alarm.js';
import type { Clock } from './clock.js';
import type { IncomingLane } from './incoming.js';
import type { Lane } from './lanes.js';
import { ARRIVED_RANGES_MAX, encodeWindow } from './window.js';
import { WindowSize } from './window-size.js';

export interface ConfirmationOptions {
  clock: Clock;
  incoming: Record<Lane, IncomingLane>;
  windowBytesMax: number;
  roundTripMs: () => number | undefined;
  /** Sends a WINDOW with this body. */
  send: (body: Buffer) => void;
}

/**
 * What arrived is confirmed after this much of it, not too often, or after a part of the round trip, whichever comes first:
 * the other side tells from it how long the queues are.
 */
const DUE_BYTES = 32 * KIB;
const GAP_MS = { near: 5, far: 2 };
const FAR_MS = 5;
const DUE_MS = { min: 5, max: 50 };
const DUE_ROUND_TRIPS = 1 / 16;

/** Tells the peer what has arrived, and how much more it may send, for a while together. */
export class Confirmation {
  readonly #o: ConfirmationOptions;
  readonly #windowSize: WindowSize;
  #arrivedBytes = 0;
  #isDue = false;
  #stopped = false;
  #sentAtMs = Number.NEGATIVE_INFINITY;
  readonly #alarm: Alarm;

  constructor(options: ConfirmationOptions) {
    this.#o = options;
    this.#alarm = new Alarm(options.clock, () => this.send());
    this.#windowSize = new WindowSize(options.windowBytesMax, () => options.clock.now());
  }

  /** Something arrived, or was handled, or what was said before may be lost. */
  due(arrivedBytes: number): void {
    if (this.#stopped) return;
    const { clock, roundTripMs, incoming } = this.#o;
    this.#isDue = true;
    this.#arrivedBytes += arrivedBytes;
    const roundTrip = roundTripMs();
    if (arrivedBytes > 0) {
      this.#windowSize.note(arrivedBytes, roundTrip);
      incoming.data.windowBytes = this.#windowSize.bytes;
    }
    const gapMs = (roundTrip ?? 0) < FAR_MS ? GAP_MS.near : GAP_MS.far;
    if (this.#arrivedBytes >= DUE_BYTES && clock.now() - this.#sentAtMs >= gapMs) {
      this.send();
      return;
    }
    const waitMs = Math.min(DUE_MS.max, Math.max(DUE_MS.min, (roundTrip ?? 0) * DUE_ROUND_TRIPS));
    this.#alarm.set(waitMs);
  }

  /** At once, if there is anything to tell. */
  send(): void {
    const { clock, incoming } = this.#o;
    this.#alarm.clear();
    if (!this.#isDue || this.#stopped) return;
    this.#isDue = false;
    this.#arrivedBytes = 0;
    this.#sentAtMs = clock.now();
    const body = encodeWindow({
      dataNext: incoming.data.next,
      controlNext: incoming.control.takenNext,
      creditBytes: incoming.data.creditBytes,
      arrived: incoming.data.ranges(ARRIVED_RANGES_MAX),
    });
    this.#o.send(body);
  }

  /** The last one: what this end has room for at all is granted, as nothing can be granted after it. */
  conclude(): void {
    this.#o.incoming.data.windowBytes = this.#o.windowBytesMax;
    this.#isDue = true;
    this.send();
  }

  /** Nothing is told after this. */
  stop(): void {
    this.#stopped = true;
    this.#alarm.clear();
  }
}
