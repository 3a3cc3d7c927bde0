import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Journal } from '../../src/index.js';
import type { Bench, BenchRow } from '../bench.js';
import { dropPageCache } from '../kit/page-cache.js';
import { realDisk } from '../kit/real-disk.js';
import { Workspace } from '../kit/workspace.js';
import { inTurn, medianOf, ratioOf } from './rounds.js';
import { Workload } from './workload.js';

const MIB = 1024 * 1024;
const FULL = { bytes: 1024 * MIB, rounds: 5 };
const TINY = { bytes: 2 * MIB, rounds: 1 };
const RECORDS = { payloadBytes: 8 * 1024, groupRecords: 256 };
const RIVAL = 'reading its files';

/** How fast everything is read and checked, beside a program that only reads. */
export const journalScrub: Bench = {
  name: 'journal-scrub',
  describe: 'a full scrub of a journal of 1 GiB, compared with reading its files',
  async run({ tiny, say, dir }) {
    const { bytes, rounds } = tiny ? TINY : FULL;
    const work = await Workspace.open('bench', realDisk(dir, say));
    try {
      const journal = work.own(await Journal.open({ dir: work.at('journal'), scrubBytesPerSecond: 0 }));
      const feed = new Workload(RECORDS.payloadBytes, RECORDS.groupRecords).feed();
      for (let written = 0; written < bytes; ) {
        const group = feed.group();
        await journal.appendMany(group.payloads);
        written += group.bytes.byteLength;
      }
      const cold = !tiny && dropPageCache();
      if (!cold) say('the page cache stays as it is: everything is read from memory');
      const rows: BenchRow[] = [];
      for (const fromDisk of cold ? [true, false] : [false]) {
        const ways = [
          { name: 'scrub', run: () => scrubbed(journal) },
          { name: RIVAL, run: () => bytesOf(journal.dir) },
        ];
        const figures = await inTurn(ways, rounds, async ({ run }) => {
          if (fromDisk) dropPageCache();
          const begun = performance.now();
          return (await run()) / 1000 / (performance.now() - begun);
        });
        rows.push({
          name: `scrub${fromDisk ? ', from disk' : ''}`,
          metric: 'throughput',
          value: medianOf(figures, 'scrub'),
          unit: 'MB/s',
          rival: RIVAL,
          ratio: ratioOf(figures, 'scrub', RIVAL),
        });
      }
      return rows;
    } finally {
      await work.close();
    }
  },
};

async function scrubbed(journal: Journal): Promise<number> {
  const { bytes, damage } = await journal.scrub();
  if (damage.length > 0) throw new Error(`${damage[0]?.segment} is damaged: ${damage[0]?.found}`);
  return bytes;
}

/** Reads every segment from end to end, in pieces as large as the journal's own. */
async function bytesOf(dir: string): Promise<number> {
  const buffer = Buffer.alloc(MIB);
  let bytes = 0;
  for (const name of await readdir(dir)) {
    if (!name.endsWith('.log')) continue;
    const file = await open(join(dir, name), 'r');
    try {
      for (;;) {
        const { bytesRead } = await file.read(buffer, 0, buffer.byteLength);
        if (bytesRead === 0) break;
        bytes += bytesRead;
      }
    } finally {
      await file.close();
    }
  }
  return bytes;
}
