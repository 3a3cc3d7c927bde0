/** A measurement takes this long, and counts for this many milliseconds at least, and twice that at most. */
const INTERVAL_MS = 50;
const KEPT_MS = 2000;

/**
 * How fast a stream can go: the most that it was seen to in the last seconds, while it had enough to do. The most, because
 * what is slow for another reason, such as having been held back by this very figure, says nothing about what it could do.
 */
export class Throughput {
  #most: number | undefined;
  #mostBefore: number | undefined;
  #keptSinceMs = Number.NEGATIVE_INFINITY;
  #bytes = 0;
  #sinceMs: number | undefined;

  /** Undefined until there is something to go by. */
  get bytesPerMs(): number | undefined {
    return this.#most === undefined ? this.#mostBefore : Math.max(this.#most, this.#mostBefore ?? 0);
  }

  /** `bytes` have gone out by now; `isBusy` while more of them follow at once. */
  note(bytes: number, nowMs: number, isBusy: boolean): void {
    if (this.#sinceMs !== undefined) {
      this.#bytes += bytes;
      const elapsedMs = nowMs - this.#sinceMs;
      if (elapsedMs >= INTERVAL_MS) this.#take(this.#bytes / elapsedMs, nowMs);
    }
    if (!isBusy) this.#sinceMs = undefined;
    else if (this.#sinceMs === undefined) {
      this.#sinceMs = nowMs;
      this.#bytes = 0;
    }
  }

  #take(bytesPerMs: number, nowMs: number): void {
    this.#sinceMs = undefined;
    if (nowMs - this.#keptSinceMs >= KEPT_MS) {
      this.#mostBefore = this.#most;
      this.#most = undefined;
      this.#keptSinceMs = nowMs;
    }
    this.#most = Math.max(this.#most ?? 0, bytesPerMs);
  }
}
