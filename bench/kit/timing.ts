import type { Program } from './program.js';

/** Seconds from the call to the end of the program that it starts. */
export async function seconds(start: () => Program): Promise<number> {
  const begun = performance.now();
  await start().succeeded();
  return (performance.now() - begun) / 1000;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}
