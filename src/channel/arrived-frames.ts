export interface FrameRange {
  from: number;
  to: number;
}

/**
 * Which frames of a lane have arrived: all below a number, and ranges beyond it. Kept in order as they come, because a peer
 * that leaves a gap in front of very many frames must not have them sorted for each word about them.
 */
export class ArrivedFrames {
  #next = 0;
  readonly #beyond: FrameRange[] = [];

  /** Every frame below it has arrived. */
  get next(): number {
    return this.#next;
  }

  /** Takes note of a frame that has not arrived before. */
  add(number: number): void {
    const at = this.#firstFrom(number);
    const before = this.#beyond[at - 1];
    const behind = this.#beyond[at];
    const joinsBehind = behind !== undefined && behind.from === number + 1;
    if (before !== undefined && before.to === number - 1) {
      before.to = joinsBehind ? behind.to : number;
      if (joinsBehind) this.#beyond.splice(at, 1);
    } else if (joinsBehind) behind.from = number;
    else this.#beyond.splice(at, 0, { from: number, to: number });
    const first = this.#beyond[0];
    if (first === undefined || first.from !== this.#next) return;
    this.#next = first.to + 1;
    this.#beyond.shift();
  }

  /** The frames beyond `next` that have arrived, in order, as far as they fit into so many ranges. */
  beyond(rangesMax: number): FrameRange[] {
    return this.#beyond.slice(0, rangesMax).map(({ from, to }) => ({ from, to }));
  }

  /** Where the first range lies that begins at this number or behind it. */
  #firstFrom(number: number): number {
    let [low, high] = [0, this.#beyond.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#beyond[middle] as FrameRange).from < number) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
