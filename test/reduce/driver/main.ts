import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Random } from '../../../fuzz/random.js';
import '../../support/spoil-bodies.js';
import { Run } from './run.js';

/**
 * The long form: `npm run test:reduction -- [--batches 1000000] [--seed N] [--codec zstd|lz4] [--pace 1] [--calm]`. Exits 1 with
 * every broken promise that it found.
 */

const { values } = parseArgs({
  options: {
    batches: { type: 'string' },
    seed: { type: 'string' },
    codec: { type: 'string' },
    pace: { type: 'string' },
    calm: { type: 'boolean' },
  },
});
const batches = Number(values.batches ?? 1_000_000);
const seed = Number(values.seed ?? Random.freshSeed());
const codec = values.codec === 'lz4' ? 'lz4' : 'zstd';
const pace = Number(values.pace ?? 1);
const calm = values.calm ?? false;

const started = performance.now();
const seconds = () => ((performance.now() - started) / 1000).toFixed(1);
const dir = mkdtempSync(join(tmpdir(), 'longhaul-reduction-'));
const command = `--batches ${batches} --seed ${seed} --codec ${codec} --pace ${pace}${calm ? ' --calm' : ''}`;
console.log(`seed ${seed}; again with: npm run test:reduction -- ${command}`);
try {
  const run = new Run({ batches, seed, codec, pace, calm, dir, log: (line) => console.log(`${seconds()} s: ${line}`) });
  const { counts, problems } = await run.go();
  for (const [what, count] of [...counts].sort()) console.log(`${count} times: ${what}`);
  for (const problem of problems) console.log(`BROKEN: ${problem}`);
  const verdict = problems.length === 0 ? 'every byte restored' : `${problems.length} promises broken`;
  console.log(`${counts.get('batches') ?? 0} batches, ${codec}, ${seconds()} s, seed ${seed}: ${verdict}`);
  process.exitCode = problems.length === 0 ? 0 : 1;
} finally {
  rmSync(dir, { recursive: true, force: true });
}
