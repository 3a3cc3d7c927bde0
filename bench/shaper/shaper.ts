import type { Bench, BenchRow } from '../bench.js';
import { shapedRun } from './shaped-run.js';
import { type Piece, windowExtremes } from './windows.js';

const MBIT = 1e6 / 8;
const CONNECTIONS = 8;
const RUN_MS = 20_000;
const TINY_RUN_MS = 1200;
const SECOND_MS = 1000;
const FIVE_SECONDS_MS = 5000;

/** How close to a rate several connections keep together, in real time. */
export const shaper: Bench = {
  name: 'shaper',
  describe: `${CONNECTIONS} TCP connections on loopback below one rate: what any second and any five seconds carry of it`,
  async run({ tiny }) {
    const rows: BenchRow[] = [];
    for (const mbit of tiny ? [20] : [2, 20, 100, 800]) {
      const { written, arrived, pauseMs } = await shapedRun(mbit * MBIT, CONNECTIONS, tiny ? TINY_RUN_MS : RUN_MS);
      rows.push(...rowsOf(`${mbit} Mbit/s`, mbit * MBIT, written));
      rows.push(...rowsOf(`${mbit} Mbit/s, at the other end`, mbit * MBIT, arrived));
      rows.push({ name: `${mbit} Mbit/s`, metric: 'longest pause of the loop', value: pauseMs, unit: 'ms' });
    }
    return rows;
  },
};

function rowsOf(name: string, rateBytesPerSecond: number, pieces: readonly Piece[]): BenchRow[] {
  const share = (metric: string, bytes: number | undefined, seconds: number): BenchRow[] =>
    bytes === undefined ? [] : [{ name, metric, value: (100 * bytes) / (seconds * rateBytesPerSecond), unit: '%' }];
  const second = windowExtremes(pieces, SECOND_MS);
  const fiveSeconds = windowExtremes(pieces, FIVE_SECONDS_MS);
  const lastedMs = (pieces.at(-1)?.atMs ?? 0) - (pieces[0]?.atMs ?? 0);
  const total = pieces.slice(1).reduce((sum, { bytes }) => sum + bytes, 0);
  return [
    ...share('of the rate, all the time', total, lastedMs / 1000),
    ...share('least in a second', second?.least, 1),
    ...share('most in a second', second?.most, 1),
    ...share('most in 5 seconds', fiveSeconds?.most, 5),
  ];
}
