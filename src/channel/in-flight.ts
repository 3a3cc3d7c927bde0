import { KIB } from '../options.js';
import { type LineState, LOSS_PART } from './line.js';
import { RecentExtreme } from './recent-extreme.js';
import { quantile, type SendWindow } from './send-window.js';

export interface InFlightOptions {
  bytesMax: number;
  now: () => number;
  /** Measures what the system knows of the connections; asked for in each round. */
  line: () => SystemsLine;
}

/** Undefined where the system does not tell. */
type SystemsLine = Pick<LineState, 'lossPart' | 'queueMs'> | undefined;

/**
 * Frames that are looked at together. A round takes a round trip while the line is being found, and then a little more, so that
 * not only the first ones that went out in it count.
 */
const SAMPLES_MIN = 4;
const ROUND_TRIPS = 1.5;
const SAMPLES_MAX = 512;
const ROUND_MS_MIN = 20;
/**
 * What waits in queues may take this much of the round trip without them, within these bounds; more where packets are lost, as
 * there the connections' pauses have to be filled, and what waits behind a loss waits longer than in any queue.
 */
const QUEUE_PART = 1 / 4;
const QUEUE_MS = { min: 8, max: 25, losing: 60 };
/** A round trip that nothing has come close to for this long was one of another way. */
const BASE_MS = 30_000;
/** Four times what four connections send in their first round trip (RFC 6928), so that the window does not hold back their start. */
const START_BYTES = 256 * KIB;
const BYTES_MIN = 64 * KIB;
/** From this part of what may wait on, the line is found: to double once more would fill its queue. */
const FOUND_PART = 1 / 4;
const STEP = { min: 0.7, gentle: 1.08, max: 1.25, start: 2 };
/** With more than this many round trips out, one step too much fills the queue of a line that loses. */
const GENTLE_ROUND_TRIPS = 1.5;
/** Where the system does not tell: some frames take most of a round trip longer than others, which no queue does. */
const LOSS_SPREAD = 0.8;
/**
 * So many round trips of what the line carries may be out at most: while it is being found, in which time that doubles with each of
 * them, and where it loses packets, as behind one that is lost all that follows on its connection waits a round trip or two to
 * be confirmed, though it has arrived.
 */
const ROUND_TRIPS_MAX = 4;
/** The highest rate of this time counts, and of the same time before. */
const RATE_MS = 10_000;

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
 * connection comes late: then the delay is that of the system's own round trips, which show nothing but queues.
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
  /** Bytes in a millisecond that were confirmed. */
  readonly #rate = new RecentExtreme(RATE_MS, Math.max);

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
    const roundMs = Math.max(ROUND_MS_MIN, this.#baseMs * (this.#starting ? 1 : ROUND_TRIPS));
    if (this.#samples.length >= SAMPLES_MIN && elapsedMs >= roundMs) this.#turn(now, elapsedMs);
  }

  full(): void {
    this.#wasFull = true;
  }

  get #baseMs(): number {
    return this.#base.value ?? Number.POSITIVE_INFINITY;
  }

  #turn(now: number, elapsedMs: number): void {
    const bytesPerMs = this.#confirmed / elapsedMs;
    this.#rate.note(bytesPerMs, now);
    const line = this.#o.line();
    // As long as there was room, whatever the delay was is not the doing of the window.
    if (this.#wasFull) this.#adjust(bytesPerMs, line);
    this.#samples = [];
    this.#confirmed = 0;
    this.#wasFull = false;
    this.#most = 0;
    this.#roundAtMs = now;
  }

  #adjust(bytesPerMs: number, line: SystemsLine): void {
    const baseMs = this.#baseMs;
    const delays = this.#samples.sort((a, b) => a - b);
    const { queueMs, loses } = this.#lineBy(delays, baseMs, line);
    const targetMs = Math.min(loses ? QUEUE_MS.losing : QUEUE_MS.max, Math.max(QUEUE_MS.min, baseMs * QUEUE_PART));
    const isFound = queueMs > targetMs * FOUND_PART;
    if (isFound) this.#starting = false;
    const wanted = (baseMs + targetMs) / Math.max(baseMs + queueMs, 0.001);
    const shrunk = Math.max(STEP.min, wanted) * Math.min(this.#bytes, this.#most);
    const carried = baseMs * (this.#rate.value ?? 0);
    const step = loses && this.#bytes > carried * GENTLE_ROUND_TRIPS ? STEP.gentle : STEP.max;
    const grown = this.#bytes * (this.#starting ? STEP.start : isFound ? Math.min(step, wanted) : step);
    // Where the way takes no time to speak of, what is measured is how busy both ends are.
    const least = Math.max(BYTES_MIN, bytesPerMs * QUEUE_MS.min);
    const isBound = loses || this.#starting;
    const most = isBound ? Math.max(this.#bytes, ROUND_TRIPS_MAX * carried) : Number.POSITIVE_INFINITY;
    const bytes = wanted < 1 ? shrunk : Math.min(most, grown);
    this.#bytes = Math.floor(Math.min(this.#o.bytesMax, Math.max(least, bytes)));
  }

  /** How long the queue of the line is, and whether it loses packets. */
  #lineBy(delays: readonly number[], baseMs: number, line: SystemsLine): { queueMs: number; loses: boolean } {
    const least = quantile(delays, 1 / 4);
    if (line === undefined) {
      const loses = quantile(delays, 0.9) - least > LOSS_SPREAD * baseMs;
      // What no loss has delayed has waited in the queue alone.
      return { queueMs: (loses ? quantile(delays, 1 / 10) : least) - baseMs, loses };
    }
    const loses = line.lossPart > LOSS_PART;
    // A connection that is still finding its rate makes frames wait where no queue is.
    return { queueMs: loses || this.#starting ? line.queueMs : least - baseMs, loses };
  }
}
