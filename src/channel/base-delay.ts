/** What is kept of the past: the least of each minute, for ten of them (RFC 6817, section 3.4.2). */
const STEP_MS = 60_000;
const STEPS = 10;
/** Round trips that differ so little for so long, while next to nothing is sent and nothing lost, are those of a longer line. */
const STEADY_MS = 30_000;
const STEADY_PART = 1 / 4;

/**
 * What a round trip takes on a line without a queue: the shortest one of the last ten minutes.
 *
 * A line that has become longer looks like one whose queue somebody else keeps filled. The difference is that a queue rises
 * and falls: who fills it until it overflows falls back by three tenths at least (CUBIC), and takes longer about it than a
 * round trip. So what stays where it is for half a minute is taken for the line.
 */
export class BaseDelay {
  /** The least of each step, oldest first. */
  #steps: { sinceMs: number; least: number }[] = [];
  #steady: { sinceMs: number; least: number; most: number } | undefined;

  /** In milliseconds; Infinity before the first. */
  get ms(): number {
    return Math.min(...this.#steps.map(({ least }) => least));
  }

  note(delayMs: number, nowMs: number): void {
    const last = this.#steps.at(-1);
    if (last !== undefined && nowMs - last.sinceMs < STEP_MS) {
      last.least = Math.min(last.least, delayMs);
      return;
    }
    this.#steps = this.#steps.filter(({ sinceMs }) => nowMs - sinceMs < STEPS * STEP_MS);
    this.#steps.push({ sinceMs: nowMs, least: delayMs });
  }

  /** A delay that is not our own doing, as next to nothing is being sent. */
  rest(delayMs: number, nowMs: number): void {
    this.#steady ??= { sinceMs: nowMs, least: delayMs, most: delayMs };
    const { sinceMs } = this.#steady;
    const least = Math.min(this.#steady.least, delayMs);
    const most = Math.max(this.#steady.most, delayMs);
    this.#steady = { sinceMs, least, most };
    if (most - least > (least - this.ms) * STEADY_PART) this.#steady = undefined;
    else if (nowMs - sinceMs >= STEADY_MS) this.#beginAt(least, nowMs);
  }

  /** More is being sent, or something was lost: what was steady so far proves nothing. */
  disturb(): void {
    this.#steady = undefined;
  }

  #beginAt(delayMs: number, nowMs: number): void {
    this.#steps = [{ sinceMs: nowMs, least: delayMs }];
    this.#steady = undefined;
  }
}
