import type { Bench, BenchRow } from './bench.js';
import { type Copier, type CopyRun, longhaulCopier, rsyncCopier } from './kit/copiers.js';
import { makeManyFiles } from './kit/many-files.js';
import { memoryDisk } from './kit/memory-disk.js';
import { rsyncVersion } from './kit/rsync.js';
import { median } from './kit/timing.js';
import { Workspace } from './kit/workspace.js';

const PER = 10_000;
const RIVAL = 'rsync -a to a daemon';

/** What a file costs, as opposed to a byte: the first copy of many small ones, and a run that finds nothing to do. */
export const tree: Bench = {
  name: 'tree',
  describe: '30,000 small files on tmpfs: the first copy and an unchanged second run, compared with rsync -a',
  async run({ tiny, say, dir }) {
    const files = tiny ? 300 : 30_000;
    const work = await Workspace.open('bench', dir ?? memoryDisk(say));
    try {
      await makeManyFiles(work.at('source'), files);
      const copiers = [await longhaulCopier(work, work.at('source'))];
      if (rsyncVersion() === undefined) say('rsync is not installed, so there is nothing to compare with');
      else copiers.push(await rsyncCopier(work, work.at('source'), ['-a']));
      const measured = await measure(copiers, tiny ? 1 : 3);
      return rows(files, measured);
    } finally {
      await work.close();
    }
  },
};

/** Each copier's first and second runs. */
type Measured = { first: CopyRun[]; second: CopyRun[] }[];

async function measure(copiers: readonly Copier[], rounds: number): Promise<Measured> {
  const measured: Measured = copiers.map(() => ({ first: [], second: [] }));
  for (let round = 0; round < rounds; round++) {
    for (const [i, copier] of copiers.entries()) {
      await copier.reset();
      measured[i]?.first.push(await copier.run());
      measured[i]?.second.push(await copier.run());
    }
  }
  return measured;
}

function rows(files: number, [mine, rival]: Measured): BenchRow[] {
  const parts = [
    ['first copy', mine?.first, rival?.first],
    ['unchanged', mine?.second, rival?.second],
  ] as const;
  return parts.flatMap(([part, us = [], them]) => {
    const name = `${part}, ${files} files`;
    const row = (metric: string, unit: string, of: (run: CopyRun) => number): BenchRow => {
      const value = median(us.map(of));
      const versus = them === undefined ? {} : { rival: RIVAL, ratio: median(them.map(of)) / value };
      return { name, metric, value, unit, ...versus };
    };
    return [
      row(`time for ${PER} files`, 's', ({ seconds }) => (seconds * PER) / files),
      row('on the wire', 'kB', ({ wireBytes }) => wireBytes / 1000),
    ];
  });
}
