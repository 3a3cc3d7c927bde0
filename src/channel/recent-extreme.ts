/** The most, or the least, of what was seen lately: in `keptMs` at least and twice that at most. */
export class RecentExtreme {
  readonly #keptMs: number;
  readonly #extreme: (a: number, b: number) => number;
  #current: number | undefined;
  #before: number | undefined;
  #sinceMs = Number.NEGATIVE_INFINITY;

  constructor(keptMs: number, extreme: (a: number, b: number) => number) {
    this.#keptMs = keptMs;
    this.#extreme = extreme;
  }

  /** Undefined before the first. */
  get value(): number | undefined {
    if (this.#current === undefined || this.#before === undefined) return this.#current ?? this.#before;
    return this.#extreme(this.#current, this.#before);
  }

  note(value: number, nowMs: number): void {
    const turns = Math.floor((nowMs - this.#sinceMs) / this.#keptMs);
    if (turns > 0) {
      this.#before = turns === 1 ? this.#current : undefined;
      this.#current = undefined;
      this.#sinceMs = turns === Number.POSITIVE_INFINITY ? nowMs : this.#sinceMs + turns * this.#keptMs;
    }
    this.#current = this.#current === undefined ? value : this.#extreme(this.#current, value);
  }
}
