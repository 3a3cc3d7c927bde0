import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Bench, BenchOptions } from '../bench.js';
import { cached } from '../kit/cache.js';
import { barChart } from '../kit/chart.js';
import { Workspace } from '../kit/workspace.js';
import type { Preparation } from './change-set.js';
import { changeSets } from './change-sets.js';
import { chartOf } from './drawing.js';
import { type Measured, measureSet } from './measure.js';
import { rivalsHere } from './rivals.js';
import { rowsOf } from './rows.js';
import { markdownTables } from './table.js';

/** How few bytes a change needs. */
export const reduction: Bench = {
  name: 'reduction',
  describe: 'bytes on the wire for real changes of directories and databases, compared with others',
  async run(o) {
    // It would be a pity to learn at the end that there is no such directory.
    for (const file of [o.chart, o.table]) if (file !== undefined) await mkdir(dirname(file), { recursive: true });
    const results = await measure(o);
    if (o.chart !== undefined) await writeFile(o.chart, barChart(chartOf(results)));
    if (o.table !== undefined) await writeFile(o.table, markdownTables(results));
    return results.flatMap(rowsOf);
  },
};

async function measure({ tiny, say, dir, only = '', alone = false }: BenchOptions): Promise<Measured[]> {
  const scratch = await Workspace.open('bench', dir);
  try {
    const rivals = alone ? [] : rivalsHere(say);
    const results: Measured[] = [];
    for (const set of await changeSets(preparation(scratch, tiny, say), only)) {
      const work = await Workspace.open('bench', dir);
      try {
        results.push(...(await measureSet(work, set, rivals, { say })));
      } finally {
        await work.close();
      }
    }
    return results;
  } finally {
    await scratch.close();
  }
}

/** What a tiny run prepares is not worth keeping. */
function preparation(work: Workspace, tiny: boolean, say: (line: string) => void): Preparation {
  const scratch = async (name: string): Promise<string> => {
    await mkdir(work.at(name));
    return work.at(name);
  };
  return {
    tiny,
    say,
    scratch,
    async prepared(name, make) {
      if (!tiny) return cached(name, make);
      const dir = await scratch(name);
      await make(dir);
      return dir;
    },
  };
}
