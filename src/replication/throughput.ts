import { RecentExtreme } from '../channel/recent-extreme.js';

/** A measurement takes this long, and counts for this many milliseconds at least, and twice that at most. */
const INTERVAL_MS = 50;
const KEPT_MS = 2000;

/**
 * How fast a stream can go: the most that it was seen to in the last seconds, while it had enough to do. The most, because
 * what is slow for another reason, such as having been held back by this very figure, says nothing about what it could do.
 */
export class Throughput {
  readonly #most = new RecentExtreme(KEPT_MS, Math.max);
  #bytes = 0;
  #sinceMs: number | undefined;

  /** Undefined until there is something to go by. */
  get bytesPerMs(): number | undefined {
    return this.#most.value;
  }

  /** `bytes` have gone out by now; `isBusy` while more of them follow at once. */
  note(bytes: number, nowMs: number, isBusy: boolean): void {
    if (this.#sinceMs !== undefined) {
      this.#bytes += bytes;
      const elapsedMs = nowMs - this.#sinceMs;
      if (elapsedMs >= INTERVAL_MS) {
        this.#most.note(this.#bytes / elapsedMs, nowMs);
        this.#sinceMs = undefined;
      }
    }
    if (!isBusy) this.#sinceMs = undefined;
    else if (this.#sinceMs === undefined) {
      this.#sinceMs = nowMs;
      this.#bytes = 0;
    }
  }
}
