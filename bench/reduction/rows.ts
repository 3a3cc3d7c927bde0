import type { BenchRow } from '../bench.js';
import type { Measured } from './measure.js';

/** The figures of one step as rows, the rivals beside the bytes on the wire and the time. */
export function rowsOf({ set, step, directoryBytes, sourceBytes, mine, rivals }: Measured): BenchRow[] {
  const name = `${set}, ${step}`;
  const megabytes = (metric: string, bytes: number): BenchRow => ({ name, metric, value: bytes / 1e6, unit: 'MB' });
  const sent = megabytes('on the wire', mine.wireBytes);
  const bytesBeside = rivals.map((run) => ({ ...sent, rival: run.name, ratio: run.wireBytes / mine.wireBytes }));
  const time: BenchRow = { name, metric: 'time', value: mine.seconds, unit: 's' };
  const timeBeside = rivals.flatMap(({ name: rival, limit, seconds }) =>
    limit || seconds === undefined ? [] : [{ ...time, rival, ratio: seconds / mine.seconds }],
  );
  const { cpuSeconds = 0, peakBytes = 0 } = mine.usage ?? {};
  const stages = Object.entries(mine.stages ?? {}).flatMap(([stage, { bytesIn, bytesOut }]) => [
    megabytes(`into ${stage}`, bytesIn),
    megabytes(`out of ${stage}`, bytesOut),
  ]);
  const rows: BenchRow[] = [
    megabytes('directory', directoryBytes),
    megabytes('source', sourceBytes),
    ...(bytesBeside.length > 0 ? bytesBeside : [sent]),
    { name, metric: 'of the source', value: (100 * mine.wireBytes) / sourceBytes, unit: '%' },
    { name, metric: 'source to wire', value: sourceBytes / mine.wireBytes, unit: 'times' },
    ...stages,
    ...(timeBeside.length > 0 ? timeBeside : [time]),
    { name, metric: 'throughput per core', value: cpuSeconds > 0 ? sourceBytes / 1e6 / cpuSeconds : 0, unit: 'MB/s' },
    megabytes('peak memory', peakBytes),
  ];
  // What was not counted, or did not happen, has no figure.
  return rows.filter(({ value }) => value > 0 && Number.isFinite(value));
}
