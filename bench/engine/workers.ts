import { ChunkPool } from '../../src/engine/chunk-pool.js';
import type { BenchRow } from '../bench.js';
import { median } from '../kit/timing.js';
import { type Bare, RIVAL } from './bare.js';
import { KEY } from './passes.js';

const THREADS = 2;
const BATCHES = 8;
const LAPS = 5;
const KERNEL = 'chunk+digest';

/** What the machine allows two processes that have nothing to do with each other, against one of them. */
export async function measureTwoBare(
  bare: Bare,
  second: Bare,
  data: Buffer,
  suffix: string,
  rounds: number,
): Promise<BenchRow> {
  const rates: number[] = [];
  const ratios: number[] = [];
  await Promise.all([bare.secondsOf(KERNEL), second.secondsOf(KERNEL)]);
  for (let round = 0; round < rounds; round++) {
    const alone = await bare.secondsOf(KERNEL);
    const both = await Promise.all([bare.secondsOf(KERNEL), second.secondsOf(KERNEL)]);
    const rate = both.reduce((sum, seconds) => sum + data.byteLength / 1e6 / seconds, 0);
    rates.push(rate);
    ratios.push((rate * alone) / (data.byteLength / 1e6));
  }
  return {
    name: `${KERNEL} ${RIVAL}, two at once${suffix}`,
    metric: 'throughput',
    value: median(rates),
    unit: 'MB/s',
    rival: RIVAL,
    ratio: median(ratios),
  };
}

/** Passes of two threads over data that lies in batches, in turns with those of the rival, which has one thread. */
export async function measureWorkers(
  engine: 'native' | 'portable',
  data: Buffer,
  bare: Bare | undefined,
  suffix: string,
  rounds: number,
): Promise<BenchRow> {
  const batchBytes = Math.ceil(data.byteLength / BATCHES);
  const pool = await ChunkPool.open({ key: KEY, engine, threads: THREADS, batchBytes, batchesMax: BATCHES });
  try {
    const filled = await Promise.all(
      Array.from({ length: BATCHES }, async (_, index) => {
        const batch = await pool.take();
        const part = data.subarray(index * batchBytes, (index + 1) * batchBytes);
        batch.bytes.set(part);
        return { batch, length: part.byteLength };
      }),
    );
    // Each batch goes again as soon as it is back, as in a stream: threads that wait for each other at the end of a pass
    // would have to be woken for the next.
    const pass = () =>
      Promise.all(
        filled.map(async ({ batch, length }) => {
          for (let lap = 0; lap < LAPS; lap++) await pool.run(batch, length);
        }),
      );
    await pass();
    await bare?.secondsOf(KERNEL);
    const ours: number[] = [];
    const ratios: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const begun = performance.now();
      await pass();
      const seconds = (performance.now() - begun) / 1000 / LAPS;
      ours.push(seconds);
      if (bare !== undefined) ratios.push((await bare.secondsOf(KERNEL)) / seconds);
    }
    return {
      name: `${KERNEL} ${engine} ${THREADS} workers${suffix}`,
      metric: 'throughput',
      value: data.byteLength / 1e6 / median(ours),
      unit: 'MB/s',
      ...(bare !== undefined && { rival: RIVAL, ratio: median(ratios) }),
    };
  } finally {
    await pool.close();
  }
}
