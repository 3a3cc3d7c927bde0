import { rm } from 'node:fs/promises';
import type { Bench, BenchRow } from '../bench.js';
import { dropPageCache } from '../kit/page-cache.js';
import { realDisk } from '../kit/real-disk.js';
import { Workspace } from '../kit/workspace.js';
import { journal } from './contenders/longhaul.js';
import { installedRivals } from './contenders/rivals.js';
import { report, sizeName } from './report.js';
import { inTurn } from './rounds.js';
import { scaleOf } from './scale.js';
import { fill, type Shelf } from './shelf.js';
import type { ReadableStore } from './store.js';
import { Workload } from './workload.js';

/** How fast records come back in order: all of them from the disk and from memory, and the newest alone. */
export const journalRead: Bench = {
  name: 'journal-read',
  describe: 'sequential reads by payload size, from the disk, from memory and near the end, compared with other stores',
  async run({ tiny, say, dir }) {
    const scale = scaleOf(tiny);
    const work = await Workspace.open('bench', realDisk(dir, say));
    try {
      const rivals = installedRivals(say);
      const comparisons = [{ ours: journal.name, rivals: rivals.map(({ name }) => name) }];
      // A smoke run has no business with the memory of the whole machine.
      const cold = !tiny && dropPageCache();
      if (!cold) say('the page cache stays as it is: everything is read from memory');
      const rows: BenchRow[] = [];
      for (const payloadBytes of scale.payloadBytes) {
        say(`reading ${sizeName(payloadBytes)}`);
        const workload = new Workload(payloadBytes, scale.groupRecords);
        const shelves: Shelf[] = [];
        for (const contender of [journal, ...rivals]) shelves.push(await fill(work, contender, workload, scale));
        const all: Way = { what: 'read all', part: 1, forget: false, seconds: scale.seconds };
        const ways: Way[] = [all, { ...all, what: 'read the newest eighth', part: 1 / 8 }];
        if (cold) ways.unshift({ what: 'read all, from disk', part: 1, forget: true, seconds: 0 });
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
  },
};

/** From the disk once; from memory over and over, for that many seconds at least. */
interface Way {
  what: string;
  /** The share that is read, the newest of it. */
  part: number;
  /** Whether the page cache is emptied before. */
  forget: boolean;
  seconds: number;
}

async function recordsPerSecond(shelf: Shelf, { part, forget, seconds }: Way): Promise<number> {
  const store = await shelf.contender.open(shelf.dir, shelf.workload);
  try {
    const records = Math.round(shelf.records * part);
    if (forget) dropPageCache();
    const begun = performance.now();
    let read = 0;
    do {
      await readNewest(store, shelf, records);
      read += records;
    } while (performance.now() - begun < seconds * 1000);
    return (read * 1000) / (performance.now() - begun);
  } finally {
    await store.close();
  }
}

async function readNewest(store: ReadableStore, shelf: Shelf, wanted: number): Promise<void> {
  let records = 0;
  let bytes = 0;
  await store.read(shelf.records - wanted + 1, (payload) => {
    records++;
    bytes += payload.byteLength;
  });
  if (records !== wanted || bytes !== wanted * shelf.workload.payloadBytes) {
    throw new Error(`${shelf.name} gave ${records} records of ${wanted}, ${bytes} bytes`);
  }
}
