import { join } from 'node:path';
import { Journal } from '../../src/index.js';
import type { Bench } from '../bench.js';
import { BUILT } from '../kit/built.js';
import { dropPageCache } from '../kit/page-cache.js';
import { realDisk } from '../kit/real-disk.js';
import { median } from '../kit/timing.js';
import { Workspace } from '../kit/workspace.js';

const MIB = 1024 * 1024;
const FULL = { bytes: 1024 * MIB, more: 16 * MIB, rounds: 5, name: '1 GiB' };
const TINY = { bytes: 4 * MIB, more: MIB, rounds: 1, name: '4 MiB' };
const WRITER = join(BUILT, 'bench', 'journal', 'writer.js');

/** How long a program that was killed waits before it can append again. */
export const journalOpen: Bench = {
  name: 'journal-open',
  describe: 'opening a journal of 1 GiB whose writer was killed',
  async run({ tiny, say, dir }) {
    const size = tiny ? TINY : FULL;
    const work = await Workspace.open('bench', realDisk(dir, say));
    try {
      const cold = !tiny && dropPageCache();
      if (!cold) say('the page cache stays as it is: the journal is read from memory');
      const milliseconds: number[] = [];
      for (let round = 0; round < size.rounds; round++) {
        const acknowledged = await writeAndKill(work, round === 0 ? size.bytes : size.more);
        if (cold) dropPageCache();
        milliseconds.push(await timeToOpen(work.at('journal'), acknowledged));
      }
      const name = `journal of ${size.name}, writer killed${cold ? ', from disk' : ''}`;
      return [{ name, metric: 'time to open', value: median(milliseconds), unit: 'ms' }];
    } finally {
      await work.close();
    }
  },
};

/** Resolves with the newest number that the writer is known to have been promised. */
async function writeAndKill(work: Workspace, bytes: number): Promise<number> {
  const writer = work.run('the writer', process.execPath, [WRITER, work.at('journal'), String(bytes)]);
  const [, acknowledged] = await writer.line(/^written (\d+)$/);
  process.kill(writer.pid, 'SIGKILL');
  await writer.ended;
  return Number(acknowledged);
}

async function timeToOpen(dir: string, acknowledged: number): Promise<number> {
  const begun = performance.now();
  const journal = await Journal.open({ dir });
  const milliseconds = performance.now() - begun;
  const { last } = journal;
  await journal.close();
  if (last < acknowledged) throw new Error(`record ${acknowledged} was acknowledged, and the last one held is ${last}`);
  return milliseconds;
}
