import type { StageCounts } from '../../src/index.js';
import { formatFigure } from '../format.js';
import type { Measured, RivalRun } from './measure.js';

/** The results as tables in Markdown, for docs/benchmarks.md. */

const DASH = '–';

/** Bytes on the wire, ours and theirs, and what they cost; limits of single changes; what the stages took in and gave out. */
export function markdownTables(results: readonly Measured[]): string {
  const everywhere = rivalNames(results).filter((name) =>
    results.every(({ rivals }) => runOf(rivals, name) !== undefined),
  );
  const tables = [bytesTable(results, everywhere), limitsTable(results, everywhere), stagesTable(results)];
  return `${tables.filter((one) => one !== '').join('\n\n')}\n`;
}

function bytesTable(results: readonly Measured[], names: readonly string[]): string {
  const heading = ['change', 'source', 'longhaul', '%', ...names, 'MB/s per core', 'peak memory'];
  const lines = results.map(({ set, step, sourceBytes, mine, rivals }) => [
    `${set}, ${step}`,
    megabytes(sourceBytes),
    `**${megabytes(mine.wireBytes)}**`,
    formatFigure((100 * mine.wireBytes) / sourceBytes),
    ...names.map((name) => megabytes(runOf(rivals, name)?.wireBytes ?? 0)),
    mine.usage === undefined ? DASH : formatFigure(sourceBytes / 1e6 / mine.usage.cpuSeconds),
    mine.usage?.peakBytes === undefined ? DASH : formatFigure(mine.usage.peakBytes / 1e6),
  ]);
  return table(heading, lines);
}

/** What only some of the changes were compared with; empty when there is nothing of the kind. */
function limitsTable(results: readonly Measured[], everywhere: readonly string[]): string {
  const lines = results.flatMap(({ set, step, mine, rivals }) =>
    rivals
      .filter(({ name }) => !everywhere.includes(name))
      .map(({ name, wireBytes }) => [`${set}, ${step}`, name, megabytes(wireBytes), megabytes(mine.wireBytes)]),
  );
  return lines.length === 0 ? '' : table(['change', 'as', 'MB', 'longhaul'], lines);
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

function rivalNames(results: readonly Measured[]): string[] {
  return [...new Set(results.flatMap(({ rivals }) => rivals.map(({ name }) => name)))];
}

function runOf(rivals: readonly RivalRun[], name: string): RivalRun | undefined {
  return rivals.find((rival) => rival.name === name);
}

function table(heading: readonly string[], lines: readonly string[][]): string {
  const rule = heading.map((_, column) => (column === 0 ? '---' : '---:'));
  return [heading, rule, ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

function megabytes(bytes: number): string {
  return formatFigure(bytes / 1e6);
}
