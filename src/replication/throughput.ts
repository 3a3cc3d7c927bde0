/** How fast a stream gets along while it is busy: pauses in which there is nothing to do say nothing about it. */

const INTERVAL_MS = 50;
const SMOOTHING = 1 / 4;

export class Throughput {
  #bytesPerMs: number | undefined;
  #bytes = 0;
  #sinceMs: number | undefined;

  /** Undefined until there is something to go by. */
  get bytesPerMs(): number | undefined {
    return this.#bytesPerMs;
  }

  /** `bytes` have gone out by now; `isBusy` while more of them follow at once. */
  note(bytes: number, nowMs: number, isBusy: boolean): void {
    if (this.#sinceMs !== undefined) {
      this.#bytes += bytes;
      const elapsedMs = nowMs - this.#sinceMs;
      if (elapsedMs >= INTERVAL_MS) {
        const measured = this.#bytes / elapsedMs;
        const before = this.#bytesPerMs ?? measured;
        this.#bytesPerMs = before + (measured - before) * SMOOTHING;
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
