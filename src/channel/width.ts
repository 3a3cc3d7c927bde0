export interface WidthOptions {
  /** Connections to begin with, and never fewer. */
  min: number;
  max: number;
  now: () => number;
}

export interface WidthSample {
  /** Bytes that have arrived at the peer so far. */
  arrivedBytes: number;
  /** There was more to send all the time, and nothing but the connections held it back. */
  isBusy: boolean;
  roundTripMs: number | undefined;
}

const STEP = 2;
/** A measurement takes this long, and at least so many round trips: new connections have to find their speed first. */
const TRIAL_MS = 2000;
const TRIAL_ROUND_TRIPS = 12;
/** More connections have to bring this part of what they would bring if each brought as much as those before. */
const GAIN_PART = 0.4;
/** After a trial that brought nothing the next one comes this much later. */
const REST_MS = 60_000;

/**
 * How many connections a path is worth: it tries two more, and keeps them if that brings more across. One connection with
 * losses yields little, as TCP holds back after each of them; several lose less at a time. On a clean link, or where
 * something else is the limit, more of them bring nothing.
 */
export class Width {
  readonly #o: WidthOptions;
  #count: number;
  /** What came across with the number of connections before the trial, in bytes per millisecond. */
  #before: number | undefined;
  #begun: { atMs: number; arrivedBytes: number } | undefined;
  #restUntilMs = Number.NEGATIVE_INFINITY;

  constructor(options: WidthOptions) {
    this.#o = options;
    this.#count = options.min;
  }

  get count(): number {
    return this.#count;
  }

  /** Called at intervals that are short beside a trial. */
  note({ arrivedBytes, isBusy, roundTripMs = 0 }: WidthSample): void {
    const atMs = this.#o.now();
    if (!isBusy) {
      this.#begun = undefined;
      return;
    }
    if (this.#begun === undefined) {
      this.#begun = { atMs, arrivedBytes };
      return;
    }
    const elapsedMs = atMs - this.#begun.atMs;
    if (elapsedMs < Math.max(TRIAL_MS, TRIAL_ROUND_TRIPS * roundTripMs)) return;
    const rate = (arrivedBytes - this.#begun.arrivedBytes) / elapsedMs;
    this.#begun = { atMs, arrivedBytes };
    this.#judge(rate, atMs);
  }

  #judge(rate: number, atMs: number): void {
    const { min, max } = this.#o;
    const gain = 1 + (GAIN_PART * STEP) / Math.max(1, this.#count - STEP);
    if (this.#before !== undefined && rate < this.#before * gain) {
      this.#count = Math.max(min, this.#count - STEP);
      this.#before = undefined;
      this.#restUntilMs = atMs + REST_MS;
      return;
    }
    if (atMs < this.#restUntilMs || this.#count >= max) {
      this.#before = undefined;
      return;
    }
    this.#before = rate;
    this.#count = Math.min(max, this.#count + STEP);
  }
}
