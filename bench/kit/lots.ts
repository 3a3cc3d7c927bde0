/** Drawn lots: the same ones in the same order for the same seed, on every machine. */
export class Lots {
  #state: number;

  /** A seed is any 32-bit number. */
  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** A whole number from 0 to `below` - 1; `below` is at most 2^32. */
  below(below: number): number {
    return Math.floor((this.#next() / 2 ** 32) * below);
  }

  between(least: number, most: number): number {
    return least + this.below(most - least + 1);
  }

  /** True in `percent` of a hundred cases. */
  chance(percent: number): boolean {
    return this.#next() < (percent / 100) * 2 ** 32;
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)] as T;
  }

  /** Like `below`; half of the draws fall on the last twentieth, as work falls on what is new. */
  recent(below: number): number {
    const hot = Math.ceil(below / 20);
    return this.chance(50) ? below - 1 - this.below(hot) : this.below(below);
  }

  /** That many hexadecimal digits. */
  hex(digits: number): string {
    let text = '';
    while (text.length < digits) text += this.#next().toString(16).padStart(8, '0');
    return text.slice(0, digits);
  }

  /** A 32-bit number: splitmix32. */
  #next(): number {
    this.#state = (this.#state + 0x9e3779b9) | 0;
    let mixed = this.#state ^ (this.#state >>> 16);
    mixed = Math.imul(mixed, 0x21f0aaad);
    mixed ^= mixed >>> 15;
    mixed = Math.imul(mixed, 0x735a2d97);
    return (mixed ^ (mixed >>> 15)) >>> 0;
  }
}
