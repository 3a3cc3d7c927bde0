import type { Bench } from './bench.js';
import { checksum } from './checksum.js';

export type { Bench, BenchRow } from './bench.js';

/** Every benchmark, in the order in which `npm run bench` runs them. */
export const BENCHES: readonly Bench[] = [checksum];
