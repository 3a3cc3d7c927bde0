import { KIB } from '../options.js';
import { type LineState, LOSS_PART } from './line.js';
import { RecentExtreme } from './recent-extreme.js';
import { quantile, type SendWindow } from './send-window.js';

export interface InFlightOptions {
  bytesMax: number;
  now: () => number;
  /** What the system knows of the connections; undefined where it does not tell. */
  line: () => Pick<LineState, 'lossPart' | 'queueMs'> | undefined;
}

/** Frames that are looked at together; a round takes a round trip at least. */
const SAMPLES_MIN = 4;
const SAMPLES_MAX = 512;
const ROUND_MS_MIN = 20;
/** What waits in queues may take this much of the round trip without them, within these bounds. */
const QUEUE_PART = 1 / 3;
const QUEUE_MS = { min: 12, max: 25 };
/** A round trip that nothing has come close to for this long was one of another way. */
const BASE_MS = 30_000;
/** What four connections send in their first round trip (RFC 6928), about; it doubles as long as that makes no queue. */
const START_BYTES = 64 * KIB;
const BYTES_MIN = 64 * KIB;
/** From this part of what may wait on, the line is found: to double once more would fill its queue. */
const FOUND_PART = 1 / 4;
const STEP = { min: 0.7, max: 1.25, start: 2 };
/** Where the system does not tell: some frames take most of a round trip longer than others, which no queue does. */
const LOSS_SPREAD = 0.8;
/** A queue shorter than this part of a round trip is not the one that loses. */
const LOSS_QUEUE_PART = 1 / 6;

/**
 * How much may be under way before it only makes queues longer.
 *
 * The system finds out how fast each connection may send, and keeps queues at the narrowest place filled while it does: up
 * to a round trip with BBR, and all that there is with CUBIC. Whatever comes next waits behind that. So what all
 * connections have under way together is held to what the line carries in a round trip and a little queue, after FAST
 * TCP (Jin, Wei, Low, INFOCOM 2004): in each round the window becomes window × (base + target) ÷ delay, where the delay is
 * what it takes a frame to be confirmed.
 *
 * Of the delays of a round the first quartile counts. Where packets are lost that says little, as all that follows one on the same
 * connection comes late: then the window grows as long as the system's own round trips show no queue.
 */
export class InFlight implements SendWindow {
  readonly #o: InFlightOptions;
  #bytes: number;
  #starting = true;
  #samples: number[] = [];
  #confirmed = 0;
  #wasFull = false;
  /** The most that was under way in this round. */
  #most = 0;
  #roundAtMs: number;
  readonly #base = new RecentExtreme(BASE_MS, Math.min);

  constructor(options: InFlightOptions) {
    this.#o = options;
    this.#bytes = Math.min(START_BYTES, options.bytesMax);
    this.#roundAtMs = options.now();
  }

  get bytes(): number {
    return this.#bytes;
  }

  note(bytes: number, delayMs: number, underWay: number): void {
    this.#confirmed += bytes;
    this.#most = Math.max(this.#most, underWay);
    const now = this.#o.now();
    this.#base.note(delayMs, now);
    const elapsedMs = now - this.#roundAtMs;
    // What went out before the last turn tells about the window before that.
    if (delayMs <= elapsedMs && this.#samples.length < SAMPLES_MAX) this.#samples.push(delayMs);
    if (this.#samples.length >= SAMPLES_MIN && elapsedMs >= Math.max(ROUND_MS_MIN, this.#baseMs)) {
      this.#turn(now, elapsedMs);
    }
  }

  full(): void {
    this.#wasFull = true;
  }

  get #baseMs(): number {
    return this.#base.value ?? Number.POSITIVE_INFINITY;
  }

  #turn(now: number, elapsedMs: number): void {
    this.#adjust(this.#confirmed / elapsedMs);
    this.#samples = [];
    this.#confirmed = 0;
    this.#wasFull = false;
    this.#most = 0;
    this.#roundAtMs = now;
  }

  #adjust(bytesPerMs: number): void {
    const baseMs = this.#baseMs;
    const targetMs = Math.min(QUEUE_MS.max, Math.max(QUEUE_MS.min, baseMs * QUEUE_PART));
    const delays = this.#samples.sort((a, b) => a - b);
    if (this.#loses(delays, baseMs)) {
      // By steps: as soon as that makes a queue, the line is one like any other.
      if (this.#wasFull) this.#bytes = Math.floor(Math.min(this.#o.bytesMax, this.#bytes * STEP.max));
      return;
    }
    const delayMs = quantile(delays, 1 / 4);
    const wanted = (baseMs + targetMs) / Math.max(delayMs, 0.001);
    if (delayMs > baseMs + targetMs * FOUND_PART) this.#starting = false;
    if (wanted >= 1 && !this.#wasFull) return;
    const step = this.#starting ? STEP.start : Math.min(STEP.max, Math.max(STEP.min, wanted));
    // Where the way takes no time to speak of, what is measured is how busy both ends are.
    const least = Math.max(BYTES_MIN, bytesPerMs * QUEUE_MS.min);
    const from = wanted < 1 ? Math.min(this.#bytes, this.#most) : this.#bytes;
    this.#bytes = Math.floor(Math.min(this.#o.bytesMax, Math.max(least, from * step)));
  }

  /** Whether packets are lost on the way, and not because a queue is full. */
  #loses(delays: readonly number[], baseMs: number): boolean {
    const line = this.#o.line();
    if (line === undefined) return quantile(delays, 0.9) - quantile(delays, 1 / 4) > LOSS_SPREAD * baseMs;
    return line.lossPart > LOSS_PART && line.queueMs < baseMs * LOSS_QUEUE_PART;
  }
}
