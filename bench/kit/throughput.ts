import type { Bench } from 'tinybench';

/** From the median pass, which a busy machine disturbs least. */
export function megabytesPerSecond(bench: Bench, name: string, bytes: number): number {
  const result = bench.getTask(name)?.result;
  if (result?.state !== 'completed') throw new Error(`${name} did not complete: ${result?.state}`);
  return bytes / 1e6 / (result.latency.p50 / 1000);
}
