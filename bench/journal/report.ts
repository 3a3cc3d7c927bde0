import type { BenchRow } from '../bench.js';
import { type Figures, medianOf, ratioOf } from './rounds.js';

const KIB = 1024;
const MEGABYTE = 1e6;
/** From here on bytes are the limit, so they are told as well. */
const MEGABYTES_FROM = 8 * KIB;

/** One of ours, and what it is compared with. */
export interface Comparison {
  ours: string;
  rivals: readonly string[];
}

export interface Measured {
  /** Added to the name of each contender. */
  what: string;
  payloadBytes: number;
  /** Records per second. */
  figures: Figures;
}

/** A line for each comparison, and one for each rival's own figure. */
export function report(measured: Measured, comparisons: readonly Comparison[]): BenchRow[] {
  const { what, payloadBytes, figures } = measured;
  const rows = comparisons.flatMap(({ ours, rivals }) => compared(measured, ours, rivals));
  const own = new Set(comparisons.map(({ ours }) => ours));
  for (const name of figures.keys()) {
    if (!own.has(name)) rows.push(records(`${name}, ${sizeName(payloadBytes)}, ${what}`, medianOf(figures, name)));
  }
  return rows;
}

function compared({ what, payloadBytes, figures }: Measured, ours: string, rivals: readonly string[]): BenchRow[] {
  const name = `${ours}, ${sizeName(payloadBytes)}, ${what}`;
  const value = medianOf(figures, ours);
  const rows: BenchRow[] = rivals.map((rival) => ({
    ...records(name, value),
    rival,
    ratio: ratioOf(figures, ours, rival),
  }));
  if (rows.length === 0) rows.push(records(name, value));
  if (payloadBytes >= MEGABYTES_FROM) {
    rows.push({ name, metric: 'throughput', value: (value * payloadBytes) / MEGABYTE, unit: 'MB/s' });
  }
  return rows;
}

function records(name: string, value: number): BenchRow {
  return { name, metric: 'rate', value, unit: 'records/s' };
}

export function sizeName(bytes: number): string {
  return bytes < KIB ? `${bytes} B` : `${bytes / KIB} KiB`;
}
