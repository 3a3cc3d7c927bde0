import type { Random } from '../../fuzz/random.js';
import type { BackgroundRate } from '../../src/channel/background-rate.js';
import type { FakeClock } from './fake-clock.js';

export interface BottleneckOptions {
  capacityBytesPerSecond: number;
  /** The round trip without a queue. */
  baseMs: number;
  /** What fits into the queue; more is dropped. */
  queueMs: number;
  /** Round trips take up to this much longer for other reasons. */
  noiseMs: number;
  /** How often a round trip is measured. */
  sampleMs?: number;
  random: Random;
}

const TICK_MS = 1;

/** What another sender does: bytes that it puts in at a tick, and what it hears about those a round trip ago. */
export interface Rival {
  tick(): number;
  /** Of the oldest tick that was not answered yet. */
  lost(): void;
  acknowledged(): void;
}

/**
 * A line with one queue (first in, first out, the last dropped), a sender whose rate a `BackgroundRate` sets, and at times
 * a rival. A fluid model in steps of a millisecond: what is in the queue leaves at the line's capacity.
 */
export class Bottleneck {
  readonly #o: Required<BottleneckOptions>;
  readonly #clock: FakeClock;
  readonly #background: BackgroundRate;
  #queueBytes = 0;
  #sentSinceSample = 0;
  /** Round trips on their way back, and what the rival hears. */
  #returning: { at: number; hear: () => void }[] = [];
  rival: Rival | undefined;
  #sampledAt = 0;
  /** Bytes of each that the line has taken. */
  background = 0;
  rivals = 0;
  /** The longest that the queue was, in milliseconds. */
  longestMs = 0;

  constructor(background: BackgroundRate, clock: FakeClock, options: BottleneckOptions) {
    this.#o = { sampleMs: 100, ...options };
    this.#clock = clock;
    this.#background = background;
  }

  get queueMs(): number {
    return (this.#queueBytes * 1000) / this.#o.capacityBytesPerSecond;
  }

  /** Lets the time go by and tells what part of the line the background had. */
  run(ms: number): number {
    const before = this.background;
    for (let done = 0; done < ms; done += TICK_MS) this.#tick();
    return ((this.background - before) * 1000) / (ms * this.#o.capacityBytesPerSecond);
  }

  #tick(): void {
    this.#clock.jump(TICK_MS);
    const now = this.#clock.now();
    while (this.#returning[0] !== undefined && this.#returning[0].at <= now) this.#returning.shift()?.hear();
    const { capacityBytesPerSecond, queueMs, sampleMs } = this.#o;
    const drainBytes = (capacityBytesPerSecond * TICK_MS) / 1000;
    const room = (queueMs * capacityBytesPerSecond) / 1000;
    const wanted = (this.#background.rateBytesPerSecond * TICK_MS) / 1000;
    const { rival } = this;
    const rivalWanted = rival?.tick() ?? 0;
    const fits = Math.min(1, (room - this.#queueBytes + drainBytes) / Math.max(wanted + rivalWanted, 1e-9));
    this.#queueBytes = Math.max(0, this.#queueBytes + (wanted + rivalWanted) * fits - drainBytes);
    this.background += wanted * fits;
    this.rivals += rivalWanted * fits;
    this.#sentSinceSample += wanted * fits;
    this.longestMs = Math.max(this.longestMs, this.queueMs);
    if (rival !== undefined) {
      this.#returnIn(() => (fits < 1 ? rival.lost() : rival.acknowledged()));
    }
    if (now - this.#sampledAt >= sampleMs) this.#measure(now);
  }

  #measure(now: number): void {
    this.#sampledAt = now;
    const { baseMs, noiseMs, random } = this.#o;
    const roundTripMs = baseMs + this.queueMs + random.fraction() * noiseMs;
    this.#returnIn(() => {
      const bytes = this.#sentSinceSample;
      this.#sentSinceSample = 0;
      this.#background.sample(roundTripMs, bytes);
    });
  }

  #returnIn(hear: () => void): void {
    this.#returning.push({ at: this.#clock.now() + this.#o.baseMs + this.queueMs, hear });
  }
}

/** One that takes all it can get: its window grows until something is lost, and shrinks by three tenths once a round. */
export class GreedyRival implements Rival {
  #windowBytes: number;
  #underWayBytes = 0;
  /** What was under way at the last loss and is not answered yet. */
  #recoveringBytes = 0;
  #slowStart = true;
  readonly #pieces: number[] = [];

  constructor(startBytesPerSecond: number, roundTripMs: number) {
    this.#windowBytes = (startBytesPerSecond * roundTripMs) / 1000;
  }

  tick(): number {
    const bytes = Math.max(0, Math.min(this.#windowBytes - this.#underWayBytes, this.#windowBytes / 4));
    this.#underWayBytes += bytes;
    this.#pieces.push(bytes);
    return bytes;
  }

  lost(): void {
    this.#answered();
    this.#slowStart = false;
    if (this.#recoveringBytes > 0) return;
    this.#windowBytes *= 0.7;
    this.#recoveringBytes = this.#underWayBytes;
  }

  acknowledged(): void {
    const bytes = this.#answered();
    // In slow start the window doubles each round, then it grows by a twentieth.
    this.#windowBytes += this.#slowStart ? bytes : bytes / 20;
  }

  #answered(): number {
    const bytes = this.#pieces.shift() ?? 0;
    this.#underWayBytes -= bytes;
    this.#recoveringBytes = Math.max(0, this.#recoveringBytes - bytes);
    return bytes;
  }
}
