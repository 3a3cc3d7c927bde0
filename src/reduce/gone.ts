/** Records that a peer could not read when it was referred to them: nothing refers to them again. */

import { merged, type PrefixRange } from './prefix.js';

/** With more ranges than that all records before the newest of them count. */
const RANGES_MAX = 1024;

export class Gone {
  #ranges: PrefixRange[] = [];

  add(ranges: readonly PrefixRange[]): void {
    this.#ranges = merged([...this.#ranges, ...ranges]);
    if (this.#ranges.length <= RANGES_MAX) return;
    const newest = this.#ranges[this.#ranges.length - 1];
    this.#ranges = newest === undefined ? [] : [{ from: 1, to: newest.to }];
  }

  get isEmpty(): boolean {
    return this.#ranges.length === 0;
  }

  has(from: number, to = from): boolean {
    const ranges = this.#ranges;
    let [low, high] = [0, ranges.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((ranges[middle] as PrefixRange).to < from) low = middle + 1;
      else high = middle;
    }
    const range = ranges[low];
    return range !== undefined && range.from <= to;
  }

  /** The parts of a range that are not gone. */
  without({ from, to }: PrefixRange): PrefixRange[] {
    const parts: PrefixRange[] = [];
    let next = from;
    for (const gone of this.#ranges) {
      if (gone.to < next || gone.from > to) continue;
      if (gone.from > next) parts.push({ from: next, to: gone.from - 1 });
      next = gone.to + 1;
    }
    if (next <= to) parts.push({ from: next, to });
    return parts;
  }

  clear(): void {
    this.#ranges = [];
  }
}
