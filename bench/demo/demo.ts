import { setTimeout as pause } from 'node:timers/promises';
import { rsyncVersion } from '../kit/rsync.js';
import { changesBetween, differences, readTree, sizeOf, type Tree } from '../kit/tree.js';
import type { Workspace } from '../kit/workspace.js';
import { type Copier, type Line, longhaul, rsync, THIN_LINE } from './rivals.js';
import { changeSource, makeSource, PACKAGE, PACKAGE_ON_TOP } from './source.js';
import { type PassRow, passTable } from './table.js';

/** What the demo says: `out` its result, `say` what it is doing. */
export interface Talk {
  out(line: string): void;
  say(line: string): void;
}

export interface DemoOptions {
  line?: Line;
  /**
   * How old the source is when it is first copied. A file younger than two seconds could change again without a trace in
   * its times, so it is not recognised when it moves; in a directory that is in use few are that young.
   */
  ageMs?: number;
}

const AGE_MS = 2200;
const DIFFERENCES_SHOWN = 10;

export class ReplicaDiffersError extends Error {
  constructor(replica: string, found: readonly string[]) {
    const shown = found.slice(0, DIFFERENCES_SHOWN).map((line) => `\n  ${line}`);
    const more = found.length > DIFFERENCES_SHOWN ? `\n  and ${found.length - DIFFERENCES_SHOWN} more` : '';
    super(`the replica of ${replica} differs from the source in ${found.length} places:${shown.join('')}${more}`);
  }
}

/**
 * A directory is copied by two processes over a thin line, changed, and copied again; then every file is compared. Where
 * rsync is installed it does the same beside it.
 */
export async function runDemo(work: Workspace, { out, say }: Talk, options: DemoOptions = {}): Promise<void> {
  const { line = THIN_LINE, ageMs = AGE_MS } = options;
  const source = work.at('source');
  const rate = (line.rateBytesPerSecond * 8) / 1e6;
  say(
    `The source is a copy of the package ${PACKAGE}; the line carries ${rate} Mbit/s, a round trip takes ${2 * line.delayMs} ms.`,
  );
  await makeSource(source);
  await pause(ageMs);
  const copiers = [await longhaul(work, source, line)];
  if (rsyncVersion() === undefined) say('rsync is not installed, so there is nothing to compare with.');
  else copiers.push(await rsync(work, source, line));

  const first = await readTree(source);
  const rows = [await passRow('first copy', first, copiers, say)];
  await changeSource(source);
  const changed = changesBetween(first, await readTree(source));
  say(`Changed: ${PACKAGE_ON_TOP} laid on top, four files edited, others renamed and deleted.`);
  rows.push(await passRow('the change', changed, copiers, say));

  say('Comparing every file: content, permissions, time.');
  const found = await differences(source, work.at('longhaul-replica'));
  out('');
  for (const row of passTable(rows)) out(row);
  out('');
  if (found.length > 0) throw new ReplicaDiffersError('longhaul', found);
  const { files, bytes } = sizeOf(await readTree(source));
  out(`The replica is the same as the source: ${files} files, ${(bytes / 1e6).toFixed(1)} MB, compared byte by byte.`);
  out('Seconds of longhaul include its own comparison of both ends.');
}

async function passRow(name: string, carried: Tree, copiers: readonly Copier[], say: Talk['say']): Promise<PassRow> {
  const { files, bytes } = sizeOf(carried);
  const row: PassRow = { name, files, sourceBytes: bytes, passes: [] };
  for (const copier of copiers) {
    const label = `${copier.name}, ${name}`;
    say(`${label} …`);
    row.passes.push({ by: copier.name, pass: await copier.pass(label) });
  }
  return row;
}
