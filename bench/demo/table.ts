import type { Pass } from './rivals.js';

/** The demo's result as lines of text. */

export interface PassRow {
  name: string;
  /** Files that are new or changed since the pass before, and their bytes. */
  files: number;
  sourceBytes: number;
  passes: { by: string; pass: Pass }[];
}

const HEADING = ['pass', 'by', 'files', 'source', 'on the wire', 'saved', 'seconds'];
const LEFT_ALIGNED = 2;

export function passTable(rows: readonly PassRow[]): string[] {
  const cells = rows.flatMap(({ name, files, sourceBytes, passes }) =>
    passes.map(({ by, pass }, i) => [
      i === 0 ? name : '',
      by,
      i === 0 ? String(files) : '',
      i === 0 ? megabytes(sourceBytes) : '',
      megabytes(pass.wireBytes),
      `${(100 * (1 - pass.wireBytes / sourceBytes)).toFixed(1)} %`,
      pass.seconds.toFixed(1),
    ]),
  );
  const table = [HEADING, ...cells];
  const widths = HEADING.map((_, column) => Math.max(...table.map((line) => line[column]?.length ?? 0)));
  return table.map((line) =>
    line
      .map((cell, column) => pad(cell, column, widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

function pad(cell: string, column: number, width: number): string {
  return column < LEFT_ALIGNED ? cell.padEnd(width) : cell.padStart(width);
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(2)} MB`;
}
