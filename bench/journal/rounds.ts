import { median } from '../kit/timing.js';

/** Figures of each contender by name, one for each round. */
export type Figures = Map<string, number[]>;

/**
 * All contenders once, then all again: what else the machine does meanwhile strikes all alike. Of several rounds the
 * first is not counted: it is the compiler's.
 */
export async function inTurn<T extends { name: string }>(
  contenders: readonly T[],
  rounds: number,
  measure: (contender: T) => Promise<number>,
): Promise<Figures> {
  const figures: Figures = new Map(contenders.map(({ name }) => [name, []]));
  const warmUps = rounds > 1 ? 1 : 0;
  for (let round = -warmUps; round < rounds; round++) {
    for (const contender of contenders) {
      const figure = await measure(contender);
      if (round >= 0) figures.get(contender.name)?.push(figure);
    }
  }
  return figures;
}

export function medianOf(figures: Figures, name: string): number {
  return median(figures.get(name) ?? []);
}

/** The median of the ratios of each round, not the ratio of the medians: the two were measured side by side. */
export function ratioOf(figures: Figures, ours: string, rival: string): number {
  const theirs = figures.get(rival) ?? [];
  return median((figures.get(ours) ?? []).map((value, round) => value / (theirs[round] ?? Number.NaN)));
}
