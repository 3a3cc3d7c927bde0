import { MIB } from '../options.js';

export const WINDOW_BYTES_MIN = 16 * MIB;
/** In round trips of what arrives. What comes behind a lost packet is held until that was sent again, and may be lost again. */
const ROUND_TRIPS = 4;
/** What is measured over less time than this says little about a rate. */
const INTERVAL_MS_MIN = 50;

/**
 * How much a peer may have under way: four times what the link carries in a round trip, measured by what arrives, between 16 MiB
 * and a bound. A stream that the window holds back arrives at window ÷ round trip, and so the window grows with each
 * round trip until the link is full. It does not shrink: what was granted is not taken back.
 */
export class WindowSize {
  readonly #bytesMax: number;
  readonly #now: () => number;
  #bytes: number;
  #arrived = 0;
  #sinceMs: number;

  constructor(bytesMax: number, now: () => number) {
    this.#bytesMax = bytesMax;
    this.#bytes = Math.min(WINDOW_BYTES_MIN, bytesMax);
    this.#now = now;
    this.#sinceMs = now();
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Takes note of what arrived. */
  note(bytes: number, roundTripMs: number | undefined): void {
    this.#arrived += bytes;
    const now = this.#now();
    const elapsedMs = now - this.#sinceMs;
    if (roundTripMs === undefined || elapsedMs < Math.max(roundTripMs, INTERVAL_MS_MIN)) return;
    const perRoundTrip = (this.#arrived / elapsedMs) * roundTripMs;
    this.#bytes = Math.min(this.#bytesMax, Math.max(this.#bytes, Math.ceil(ROUND_TRIPS * perRoundTrip)));
    this.#arrived = 0;
    this.#sinceMs = now;
  }
}
