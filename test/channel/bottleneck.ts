import type { Random } from '../../fuzz/random.js';
import type { BackgroundWindow } from '../../src/channel/background-window.js';
import { BaseDelay } from '../../src/channel/base-delay.js';
import type { RoundTrip } from '../../src/channel/round-trips.js';
import type { FakeClock } from './fake-clock.js';

export interface LineOptions {
  bytesPerMs: number;
  /** The round trip without a queue. */
  baseMs: number;
  /** What fits into the queue, in milliseconds of the line; what comes last is dropped. */
  queueMs: number;
}

/** A line with one queue, first in, first out. */
export class Bottleneck {
  baseMs: number;
  /** The longest that the queue was, in milliseconds. */
  longestMs = 0;
  readonly #line: LineOptions;
  readonly clock: FakeClock;
  #freeAtMs = 0;
  readonly #due = new Map<number, (() => void)[]>();
  readonly #flows: { tick: () => void }[] = [];

  constructor(line: LineOptions, clock: FakeClock) {
    this.#line = line;
    this.clock = clock;
    this.baseMs = line.baseMs;
  }

  get queueMs(): number {
    return Math.max(0, this.#freeAtMs - this.clock.now());
  }

  join(flow: { tick: () => void }): void {
    this.#flows.push(flow);
  }

  leave(flow: { tick: () => void }): void {
    this.#flows.splice(this.#flows.indexOf(flow), 1);
  }

  /** Tells a round trip later that the bytes have arrived, or about when it shows that they did not. */
  send(bytes: number, arrived: () => void, lost: () => void): void {
    const takesMs = bytes / this.#line.bytesPerMs;
    const fits = this.queueMs + takesMs <= this.#line.queueMs;
    const at = Math.max(this.#freeAtMs, this.clock.now()) + takesMs;
    if (fits) this.#freeAtMs = at;
    this.longestMs = Math.max(this.longestMs, this.queueMs);
    this.in(at + this.baseMs - this.clock.now(), fits ? arrived : lost);
  }

  in(ms: number, act: () => void): void {
    const at = Math.ceil(this.clock.now() + Math.max(1, ms));
    const due = this.#due.get(at) ?? [];
    if (due.length === 0) this.#due.set(at, due);
    due.push(act);
  }

  run(ms: number): void {
    for (let done = 0; done < ms; done++) {
      this.clock.jump(1);
      const now = this.clock.now();
      const due = this.#due.get(now) ?? [];
      this.#due.delete(now);
      for (const act of due) act();
      for (const flow of this.#flows) flow.tick();
    }
  }
}

const FRAME_BYTES = 16 * 1024;
const SEGMENT_BYTES = 1460;

/** What a channel sends whose window is that of the background, always with more to send. */
export class BackgroundFlow {
  arrivedBytes = 0;
  readonly #line: Bottleneck;
  readonly #clock: FakeClock;
  readonly #window: BackgroundWindow;
  readonly #roundTrips: SimulatedRoundTrips;
  #underWay = 0;
  /** What the system has taken and not sent: what a frame has left, and what to do for each piece of it. */
  readonly #held: { bytes: number; send: (bytes: number) => void }[] = [];
  #budget = 0;

  constructor(line: Bottleneck, clock: FakeClock, window: BackgroundWindow, roundTrips: SimulatedRoundTrips) {
    this.#line = line;
    this.#clock = clock;
    this.#window = window;
    this.#roundTrips = roundTrips;
  }

  tick(): void {
    for (;;) {
      const room = this.#window.bytes - this.#underWay;
      // As a lane does: what would make but a sliver of a frame waits.
      if (room < Math.min(FRAME_BYTES, this.#window.bytes / 2)) break;
      this.#take(Math.min(FRAME_BYTES, room));
    }
    this.#window.full();
    this.#pace();
  }

  #take(bytes: number): void {
    this.#underWay += bytes;
    const takenAtMs = this.#clock.now();
    let left = bytes;
    const arrived = (piece: number): void => {
      left -= piece;
      if (left > 0) return;
      this.arrivedBytes += bytes;
      this.#window.note(bytes, this.#clock.now() - takenAtMs, this.#underWay);
      this.#underWay -= bytes;
    };
    this.#held.push({ bytes, send: (piece) => this.#send(piece, () => arrived(piece)) });
  }

  /** Where the system can, it spreads what it has; otherwise all goes at once. */
  #pace(): void {
    const bytesPerMs = this.#roundTrips.isTold ? this.#window.paceBytesPerSecond / 1000 : Number.POSITIVE_INFINITY;
    this.#budget = Math.min(this.#budget + bytesPerMs, 2 * SEGMENT_BYTES + bytesPerMs);
    for (let first = this.#held[0]; first !== undefined && this.#budget > 0; first = this.#held[0]) {
      const piece = Math.min(first.bytes, SEGMENT_BYTES);
      this.#budget -= piece;
      first.bytes -= piece;
      first.send(piece);
      if (first.bytes === 0) this.#held.shift();
    }
  }

  #send(bytes: number, arrived: () => void): void {
    const sentAtMs = this.#clock.now();
    const again = (): void => {
      this.#roundTrips.lost();
      this.#line.send(bytes, arrived, again);
    };
    const acknowledged = (): void => {
      this.#roundTrips.acknowledged(bytes, this.#clock.now() - sentAtMs);
      arrived();
    };
    this.#line.send(bytes, acknowledged, again);
  }
}

/** Smoothed as a system does it: an eighth of each acknowledgement, of which there is one for every two segments. */
export class SimulatedRoundTrips {
  readonly isTold: boolean;
  readonly #base = new BaseDelay();
  readonly #noise: () => number;
  #smoothedMs: number | undefined;
  #unacknowledged = 0;
  #isNew = false;

  constructor(random: Random, { noiseMs = 0, isTold = true }: { noiseMs?: number; isTold?: boolean } = {}) {
    this.isTold = isTold;
    this.#noise = () => random.fraction() * noiseMs;
  }

  acknowledged(bytes: number, tookMs: number): void {
    this.#unacknowledged += bytes;
    // One acknowledgement for every second segment.
    if (this.#unacknowledged < 2 * SEGMENT_BYTES && bytes === SEGMENT_BYTES) return;
    this.#unacknowledged = 0;
    this.#isNew = true;
    const ms = tookMs + this.#noise();
    this.#smoothedMs = this.#smoothedMs === undefined ? ms : this.#smoothedMs + (ms - this.#smoothedMs) / 8;
  }

  lost(): void {
    this.#base.disturb();
  }

  look(nowMs: number, isResting: boolean): RoundTrip | undefined {
    if (!this.isTold || this.#smoothedMs === undefined || !this.#isNew) return undefined;
    this.#isNew = false;
    this.#base.note(this.#smoothedMs, nowMs);
    if (isResting) this.#base.rest(this.#smoothedMs, nowMs);
    else this.#base.disturb();
    return { baseMs: this.#base.ms, queueMs: this.#smoothedMs - this.#base.ms, segmentBytes: SEGMENT_BYTES };
  }
}

/** Sends at a fixed rate, whatever comes of it. */
export class ConstantFlow {
  arrivedBytes = 0;
  readonly #line: Bottleneck;
  readonly #bytesPerMs: number;
  #owed = 0;

  constructor(line: Bottleneck, bytesPerMs: number) {
    this.#line = line;
    this.#bytesPerMs = bytesPerMs;
  }

  tick(): void {
    this.#owed += this.#bytesPerMs;
    for (; this.#owed >= SEGMENT_BYTES; this.#owed -= SEGMENT_BYTES) {
      const arrived = (): void => {
        this.arrivedBytes += SEGMENT_BYTES;
      };
      this.#line.send(SEGMENT_BYTES, arrived, () => {});
    }
  }
}

/** Takes all that it can get: a window that grows until something is lost, and is then cut to seven tenths, as CUBIC's. */
export class GreedyFlow {
  arrivedBytes = 0;
  readonly #line: Bottleneck;
  readonly #clock: FakeClock;
  #windowBytes = 10 * SEGMENT_BYTES;
  #underWay = 0;
  #isStarting = true;
  #cutAtMs = Number.NEGATIVE_INFINITY;

  constructor(line: Bottleneck, clock: FakeClock) {
    this.#line = line;
    this.#clock = clock;
  }

  tick(): void {
    while (this.#underWay + SEGMENT_BYTES <= this.#windowBytes) {
      this.#underWay += SEGMENT_BYTES;
      this.#line.send(
        SEGMENT_BYTES,
        () => this.#arrived(),
        () => this.#lost(),
      );
    }
  }

  #arrived(): void {
    this.arrivedBytes += SEGMENT_BYTES;
    this.#underWay -= SEGMENT_BYTES;
    // Twice as much in a round trip to begin with, then a fiftieth more.
    this.#windowBytes += this.#isStarting ? SEGMENT_BYTES : SEGMENT_BYTES / 50;
  }

  #lost(): void {
    this.#underWay -= SEGMENT_BYTES;
    this.#isStarting = false;
    const now = this.#clock.now();
    if (now - this.#cutAtMs < this.#line.baseMs + this.#line.queueMs) return;
    this.#windowBytes = Math.max(2 * SEGMENT_BYTES, this.#windowBytes * 0.7);
    this.#cutAtMs = now;
  }
}
