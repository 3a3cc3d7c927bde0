import { MIB } from '../options.js';
import type { LineState } from './line.js';

export interface CongestionChoiceOptions {
  now: () => number;
  /** Tells the connections whether the line loses packets, as far as that matters to them. */
  apply: (loses: boolean) => void;
}

/** So long, and for so many bytes, nothing may be sent again. */
const CALM_MS = 2500;
const CALM_BYTES = MIB;
/** After losses on a line that was taken for one without, that is believed again only after this. */
const REST_MS = 60_000;

/**
 * Which congestion control suits the line. One that goes by what arrives (BBR) is the best where packets are lost for other
 * reasons than full queues; so it comes first. But for a fifth of a second in every ten it sends next to nothing, to find
 * out how short a round trip can be (PROBE_RTT), and each record of that time waits. Where nothing is lost, one that goes by losses
 * (CUBIC) sends at the same rate and has no such pauses: as what is under way is bound, it makes no queue either.
 */
export class CongestionChoice {
  readonly #o: CongestionChoiceOptions;
  #loses = true;
  #calmSinceMs: number;
  #calmBytes = 0;
  #restUntilMs = Number.NEGATIVE_INFINITY;

  constructor(options: CongestionChoiceOptions) {
    this.#o = options;
    this.#calmSinceMs = options.now();
  }

  /** What was measured since the last call, and whether that counts as losing. */
  note({ sentBytes, resentBytes }: LineState, loses: boolean): void {
    const nowMs = this.#o.now();
    if (loses && !this.#loses) {
      this.#loses = true;
      this.#restUntilMs = nowMs + REST_MS;
    }
    if (resentBytes > 0 || loses) {
      this.#calmSinceMs = nowMs;
      this.#calmBytes = 0;
    }
    this.#calmBytes += sentBytes;
    const isCalm = nowMs - this.#calmSinceMs >= CALM_MS && this.#calmBytes >= CALM_BYTES;
    if (isCalm && nowMs >= this.#restUntilMs) this.#loses = false;
    // Each time, for those that have come since.
    this.#o.apply(this.#loses);
  }
}
