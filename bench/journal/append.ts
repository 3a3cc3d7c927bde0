import { mkdir, rm } from 'node:fs/promises';
import type { Bench, BenchRow } from '../bench.js';
import { settleDisk } from '../kit/page-cache.js';
import { realDisk } from '../kit/real-disk.js';
import { Workspace } from '../kit/workspace.js';
import { journal, recycled } from './contenders/longhaul.js';
import { raw, rawAsync } from './contenders/raw.js';
import { installedRivals } from './contenders/rivals.js';
import { type Pattern, patterns } from './patterns.js';
import { report, sizeName } from './report.js';
import { inTurn } from './rounds.js';
import { scaleOf } from './scale.js';
import type { Contender } from './store.js';
import { Workload } from './workload.js';

/** How many records a second become durable, beside the bare system calls and other stores on the same disk. */
export const journalAppend: Bench = {
  name: 'journal-append',
  describe: 'durable appends by payload size and pattern, compared with write + fdatasync and other stores',
  async run({ tiny, say, dir }) {
    const { payloadBytes, groupRecords, inFlight, rounds, seconds } = scaleOf(tiny);
    const work = await Workspace.open('bench', realDisk(dir, say));
    try {
      const rivals = installedRivals(say);
      const contenders = [raw, rawAsync, journal, recycled, ...rivals];
      const comparisons = [
        { ours: journal.name, rivals: [raw, rawAsync, ...rivals].map(({ name }) => name) },
        { ours: recycled.name, rivals: [raw.name, rawAsync.name] },
      ];
      const rows: BenchRow[] = [];
      for (const bytes of payloadBytes) {
        const workload = new Workload(bytes, groupRecords);
        for (const pattern of patterns(workload, inFlight)) {
          say(`${sizeName(bytes)}, ${pattern.name}`);
          const slot = { dir: work.at('store'), pattern, workload, seconds, settle: tiny ? () => {} : settleDisk };
          const figures = await inTurn(contenders, rounds, (contender) => recordsPerSecond(contender, slot));
          rows.push(...report({ what: pattern.name, payloadBytes: bytes, figures }, comparisons));
        }
      }
      return rows;
    } finally {
      await work.close();
    }
  },
};

interface Slot {
  dir: string;
  pattern: Pattern;
  workload: Workload;
  seconds: number;
  /** Comes before: what the one before has left, removed files included, is not to be paid for by the next. */
  settle: () => void;
}

/** In a new store, after one step that is not counted. */
async function recordsPerSecond(contender: Contender, slot: Slot): Promise<number> {
  const { dir, pattern, workload, seconds } = slot;
  slot.settle();
  await mkdir(dir);
  const store = await contender.open(dir, workload);
  try {
    const feed = workload.feed();
    await pattern.run(store, feed, () => true);
    const begun = performance.now();
    const records = await pattern.run(store, feed, () => performance.now() - begun >= seconds * 1000);
    return (records * 1000) / (performance.now() - begun);
  } finally {
    await store.close();
    await rm(dir, { recursive: true, maxRetries: 5 });
  }
}
