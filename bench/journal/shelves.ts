import { rm } from 'node:fs/promises';
import type { BenchOptions, BenchRow } from '../bench.js';
import { dropPageCache } from '../kit/page-cache.js';
import { realDisk } from '../kit/real-disk.js';
import { Workspace } from '../kit/workspace.js';
import { journal } from './contenders/longhaul.js';
import { installedRivals } from './contenders/rivals.js';
import { report, sizeName } from './report.js';
import { inTurn } from './rounds.js';
import { scaleOf } from './scale.js';
import { fill, type Shelf } from './shelf.js';
import { Workload } from './workload.js';

/** One way to read what is stored. */
export interface Way {
  what: string;
  /** Whether the page cache is emptied before; such ways are left out where that cannot be. */
  forget: boolean;
}

/** Fills every store with the same records, and has each of them read in every way. */
export async function readShelves<W extends Way>(
  { tiny, say, dir }: BenchOptions,
  waysFor: (seconds: number) => readonly W[],
  recordsPerSecond: (shelf: Shelf, way: W) => Promise<number>,
): Promise<BenchRow[]> {
  const scale = scaleOf(tiny);
  const work = await Workspace.open('bench', realDisk(dir, say));
  try {
    const rivals = installedRivals(say);
    const comparisons = [{ ours: journal.name, rivals: rivals.map(({ name }) => name) }];
    // A smoke run has no business with the memory of the whole machine.
    const cold = !tiny && dropPageCache();
    if (!cold) say('the page cache stays as it is: everything is read from memory');
    const ways = waysFor(scale.seconds).filter(({ forget }) => cold || !forget);
    const rows: BenchRow[] = [];
    for (const payloadBytes of scale.payloadBytes) {
      say(`reading ${sizeName(payloadBytes)}`);
      const workload = new Workload(payloadBytes, scale.groupRecords);
      const shelves: Shelf[] = [];
      for (const contender of [journal, ...rivals]) shelves.push(await fill(work, contender, workload, scale));
      for (const way of ways) {
        const figures = await inTurn(shelves, scale.rounds, (shelf) => recordsPerSecond(shelf, way));
        rows.push(...report({ what: way.what, payloadBytes, figures }, comparisons));
      }
      for (const { dir: filled } of shelves) await rm(filled, { recursive: true });
    }
    return rows;
  } finally {
    await work.close();
  }
}
