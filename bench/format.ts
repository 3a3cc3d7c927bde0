import type { BenchRow } from './bench.js';

const COLUMNS = ['bench', 'what', 'metric', 'value', 'unit', 'against', 'ratio'] as const;
/** Columns of figures, which line up on the right. */
const FIGURES = new Set<number>([3, 6]);

/** The rows as an aligned table, a line each, the heading first. */
export function formatTable(rows: readonly (BenchRow & { bench: string })[]): string[] {
  const cells = rows.map((row) => [
    row.bench,
    row.name,
    row.metric,
    formatFigure(row.value),
    row.unit,
    row.rival ?? '',
    row.ratio === undefined ? '' : `${row.ratio.toFixed(2)}×`,
  ]);
  const table = [[...COLUMNS], ...cells];
  const widths = COLUMNS.map((_, column) => Math.max(...table.map((line) => line[column]?.length ?? 0)));
  return table.map((line) =>
    line
      .map((cell, column) =>
        FIGURES.has(column) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd(),
  );
}

/** Three significant digits, in full: a reader compares figures, not exponents. */
export function formatFigure(value: number): string {
  if (Math.abs(value) >= 100 || Number.isInteger(value)) return Math.round(value).toString();
  return value.toPrecision(3);
}
