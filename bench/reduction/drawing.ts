import type { BarGroup, Chart } from '../kit/chart.js';
import type { Measured } from './measure.js';

/** The bytes that each contender sends, as a chart. */
export function chartOf(results: readonly Measured[]): Chart {
  return { title: 'Bytes sent for the same change', unit: 'MB', groups: results.map(groupOf) };
}

function groupOf({ set, step, sourceBytes, mine, rivals }: Measured): BarGroup {
  return {
    name: `${set}, ${step}`,
    note: `${(sourceBytes / 1e6).toFixed(1)} MB of source`,
    bars: [
      { name: 'longhaul', value: mine.wireBytes / 1e6, role: 'own' },
      ...rivals.map(({ name, limit, wireBytes }) => ({
        name,
        value: wireBytes / 1e6,
        role: limit ? ('limit' as const) : ('rival' as const),
      })),
    ],
  };
}
