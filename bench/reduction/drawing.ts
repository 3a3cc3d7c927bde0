import type { BarGroup, Chart } from '../kit/chart.js';
import type { Measured } from './measure.js';

/** The bytes that each contender sends for each change; first copies are left out where something follows on them. */
export function chartOf(results: readonly Measured[]): Chart {
  const changes = results.filter(({ set }, i) => results[i - 1]?.set === set || results[i + 1]?.set !== set);
  return { title: 'Bytes sent for the same change', unit: 'MB', groups: changes.map(groupOf) };
}

function groupOf({ set, step, sourceBytes, mine, rivals }: Measured): BarGroup {
  return {
    name: set,
    note: `${step}: ${(sourceBytes / 1e6).toFixed(1)} MB`,
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
