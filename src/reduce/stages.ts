/** What one stage took in, gave out, and the time it held the work. */
export interface StageCount {
  bytesIn: number;
  bytesOut: number;
  milliseconds: number;
}

export type StageCounts = Record<string, StageCount>;

/** Running totals of the stages that a peer's bytes pass through. */
export class Stages {
  readonly #counts = new Map<string, StageCount>();

  add(name: string, bytesIn: number, bytesOut: number, milliseconds = 0): void {
    const count = this.#counts.get(name);
    if (count === undefined) {
      this.#counts.set(name, { bytesIn, bytesOut, milliseconds });
      return;
    }
    count.bytesIn += bytesIn;
    count.bytesOut += bytesOut;
    count.milliseconds += milliseconds;
  }

  counts(): StageCounts {
    return Object.fromEntries(
      [...this.#counts].map(([name, c]) => [name, { ...c, milliseconds: Math.round(c.milliseconds) }]),
    );
  }
}
