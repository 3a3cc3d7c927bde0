import type { Bench, BenchRow } from '../bench.js';
import { type CopyRun, longhaulCopier, rsyncCopier } from '../kit/copiers.js';
import { rsyncVersion } from '../kit/rsync.js';
import { readTree, sizeOf } from '../kit/tree.js';
import { Workspace } from '../kit/workspace.js';
import { changeSets } from './change-sets.js';

const RIVAL = 'rsync -az --delete';

/** How few bytes a change needs. */
export const reduction: Bench = {
  name: 'reduction',
  describe: 'bytes on the wire for real changes of a directory, compared with rsync -az',
  async run({ tiny, say, dir }) {
    const rivals = rsyncVersion() !== undefined;
    if (!rivals) say('rsync is not installed, so there is nothing to compare with');
    const rows: BenchRow[] = [];
    for (const { name, steps } of changeSets(tiny, say)) {
      const work = await Workspace.open('bench', dir);
      try {
        const source = work.at('source');
        const ours = await longhaulCopier(work, source);
        const theirs = rivals ? await rsyncCopier(work, source, ['-az', '--delete']) : undefined;
        await ours.reset();
        for (const step of steps) {
          say(`${name}: ${step.name}`);
          await step.make(source);
          const { bytes } = sizeOf(await readTree(source));
          rows.push(...compared(`${name}, ${step.name}`, bytes, await ours.run(), await theirs?.run()));
        }
      } finally {
        await work.close();
      }
    }
    return rows;
  },
};

function compared(name: string, bytes: number, mine: CopyRun, theirs: CopyRun | undefined): BenchRow[] {
  const versus = (of: (run: CopyRun) => number) =>
    theirs === undefined ? {} : { rival: RIVAL, ratio: of(theirs) / of(mine) };
  return [
    { name, metric: 'directory', value: bytes / 1e6, unit: 'MB' },
    { name, metric: 'on the wire', value: mine.wireBytes / 1e6, unit: 'MB', ...versus(({ wireBytes }) => wireBytes) },
    { name, metric: 'time', value: mine.seconds, unit: 's', ...versus(({ seconds }) => seconds) },
    ...(mine.peakBytes === undefined ? [] : [{ name, metric: 'peak memory', value: mine.peakBytes / 1e6, unit: 'MB' }]),
  ];
}
