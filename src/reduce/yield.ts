/**
 * Whether it pays to go on looking for something: what a content resembles; or what a batch replaces, although the link is
 * too fast to look at everything, as long as that leaves little of it. A page of a database that is written again is a few
 * per cent of itself, and no link is so fast that the rest should cross; a file that has become another one is not.
 */

/** References that leave no more than this part of the source are used, however fast the link is. */
export const KEPT_PART = 0.25;
/** After a batch of which more was left it is not tried for so many, twice as many each time. */
const PAUSE_BATCHES = 16;
const PAUSE_BATCHES_MAX = 1024;

export class Yield {
  #pause = PAUSE_BATCHES;
  #left = 0;

  /** It pays when no more than this part is left. */
  constructor(private readonly keptPart: number) {}

  /** To be asked once for each batch. */
  isTried(): boolean {
    if (this.#left === 0) return true;
    this.#left--;
    return false;
  }

  note(payloadBytes: number, batchBytes: number): void {
    if (batchBytes <= payloadBytes * this.keptPart) {
      this.#pause = PAUSE_BATCHES;
    } else {
      this.#left = this.#pause;
      this.#pause = Math.min(PAUSE_BATCHES_MAX, 2 * this.#pause);
    }
  }
}

export function leavesLittle(payloadBytes: number, batchBytes: number): boolean {
  return batchBytes <= payloadBytes * KEPT_PART;
}
