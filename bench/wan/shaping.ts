/** How close to the rate it was set to a sender kept, as the link saw it. */
export interface ShapingError {
  /** The largest deviation within any second, of the rate: 0.02 is 2 %. */
  perSecond: number;
  /** The most that any five seconds had above the rate, of the rate; below 0 when all had less. */
  aboveOverFiveSeconds: number;
  /** The mean of all the time, of the rate: 1 is the rate. */
  mean: number;
}

/** From the bytes of successive intervals; windows begin at each of them. Undefined for less than five seconds. */
export function shapingError(
  bytes: readonly number[],
  intervalMs: number,
  rateBytesPerSecond: number,
): ShapingError | undefined {
  const intervalsPerSecond = 1000 / intervalMs;
  const seconds = windowSums(bytes, intervalsPerSecond).map((sum) => sum / rateBytesPerSecond);
  const fives = windowSums(bytes, 5 * intervalsPerSecond).map((sum) => sum / (5 * rateBytesPerSecond));
  if (fives.length === 0) return undefined;
  const total = bytes.reduce((sum, one) => sum + one, 0);
  return {
    perSecond: Math.max(...seconds.map((share) => Math.abs(share - 1))),
    aboveOverFiveSeconds: Math.max(...fives) - 1,
    mean: total / bytes.length / (rateBytesPerSecond / intervalsPerSecond),
  };
}

function windowSums(values: readonly number[], width: number): number[] {
  const sums: number[] = [];
  let sum = 0;
  for (const [index, value] of values.entries()) {
    sum += value - (index >= width ? (values[index - width] ?? 0) : 0);
    if (index >= width - 1) sums.push(sum);
  }
  return sums;
}
