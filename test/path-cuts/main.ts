import { parseArgs } from 'node:util';
import { Workspace } from '../../bench/kit/workspace.js';
import { TunLink } from '../../bench/wan/tun-link.js';
import { Random } from '../../fuzz/random.js';
import { cutPaths } from './path-cuts.js';

/** `npm run test:path-cuts -- [--cuts 1000] [--seed N]`: Linux, as root. Exits 1 with every broken promise it found. */

const { values } = parseArgs({ options: { cuts: { type: 'string' }, seed: { type: 'string' } } });
const cuts = Number(values.cuts ?? 1000);
const seed = Number(values.seed ?? Date.now() % 1_000_000);
const missing = TunLink.missing();
if (missing !== undefined) throw new Error(`paths cannot be cut here: ${missing}`);

console.log(`seed ${seed}; again with: npm run test:path-cuts -- --cuts ${cuts} --seed ${seed}`);
const work = await Workspace.open('path-cuts');
try {
  const report = await cutPaths(work, { cuts, seed, random: new Random(seed), say: (line) => console.log(line) });
  for (const problem of report.problems) console.log(`BROKEN: ${problem}`);
  const kept = report.problems.length === 0;
  console.log(kept ? `${cuts} cuts, ${report.records} records, each once and in order` : `broken, seed ${seed}`);
  process.exitCode = kept ? 0 : 1;
} finally {
  await work.close();
}
