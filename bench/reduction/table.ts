import type { StageCounts } from '../../src/index.js';
import type { Measured, RivalRun } from './measure.js';

/** The results as tables in Markdown, for docs/benchmarks.md. */

const DASH = '–';

/** Bytes on the wire, ours and theirs, and what they cost; then what each stage took in and gave out. */
export function markdownTables(results: readonly Measured[]): string {
  return `${bytesTable(results)}\n\n${stagesTable(results)}\n`;
}

function bytesTable(results: readonly Measured[]): string {
  const names = [...new Set(results.flatMap(({ rivals }) => rivals.map(({ name }) => name)))];
  const heading = ['change', 'source', 'longhaul', '%', ...names, 'MB/s per core', 'peak memory'];
  const lines = results.map(({ set, step, sourceBytes, mine, rivals }) => [
    `${set}, ${step}`,
    megabytes(sourceBytes),
    `**${megabytes(mine.wireBytes)}**`,
    figure((100 * mine.wireBytes) / sourceBytes),
    ...names.map((name) => theirs(rivals, name)),
    mine.usage === undefined ? DASH : figure(sourceBytes / 1e6 / mine.usage.cpuSeconds),
    mine.usage?.peakBytes === undefined ? DASH : figure(mine.usage.peakBytes / 1e6),
  ]);
  return table(heading, lines);
}

function stagesTable(results: readonly Measured[]): string {
  const names = [...new Set(results.flatMap(({ mine }) => Object.keys(mine.stages ?? {})))];
  const lines = results.map(({ set, step, mine }) => [
    `${set}, ${step}`,
    ...names.map((name) => inAndOut(mine.stages ?? {}, name)),
  ]);
  return table(['change', ...names], lines);
}

function inAndOut(stages: StageCounts, name: string): string {
  const stage = stages[name];
  if (stage === undefined) return DASH;
  // Some stages only add to what is sent.
  return stage.bytesIn === 0 ? megabytes(stage.bytesOut) : `${megabytes(stage.bytesIn)} → ${megabytes(stage.bytesOut)}`;
}

function theirs(rivals: readonly RivalRun[], name: string): string {
  const run = rivals.find((rival) => rival.name === name);
  return run === undefined ? DASH : megabytes(run.wireBytes);
}

function table(heading: readonly string[], lines: readonly string[][]): string {
  const rule = heading.map((_, column) => (column === 0 ? '---' : '---:'));
  return [heading, rule, ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

function megabytes(bytes: number): string {
  return figure(bytes / 1e6);
}

/** Three significant digits, in full. */
function figure(value: number): string {
  if (value >= 100) return String(Math.round(value));
  return value < 0.001 ? value.toFixed(4) : value.toPrecision(3);
}
