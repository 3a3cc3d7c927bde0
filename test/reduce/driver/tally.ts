/** What a run has seen, and what it found wrong. */

/** A run that is wrong is wrong again and again. */
const PROBLEMS_MAX = 20;

export class Tally {
  readonly counts = new Map<string, number>();
  readonly problems: string[] = [];

  count(what: string, by = 1): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + by);
  }

  of(what: string): number {
    return this.counts.get(what) ?? 0;
  }

  problem(what: string): void {
    if (this.problems.length < PROBLEMS_MAX) this.problems.push(what);
  }

  expect(holds: boolean, otherwise: () => string): void {
    if (!holds) this.problem(otherwise());
  }
}
