import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Random } from '../../fuzz/random.js';
import { crashDirectory } from './directory.js';
import { crashStream } from './stream.js';

/** The long form: `npm run test:crash -- [--kills 50] [--seed N]`. Exits 1 with every broken promise it found. */

const { values } = parseArgs({ options: { kills: { type: 'string' }, seed: { type: 'string' } } });
const kills = Number(values.kills ?? 50);
const seed = Number(values.seed ?? Date.now() % 1_000_000);
const dir = mkdtempSync(join(tmpdir(), 'longhaul-crash-'));
const log = (line: string): void => console.log(line);

console.log(`seed ${seed}; again with: npm run test:crash -- --kills ${kills} --seed ${seed}`);
try {
  const problems = [
    ...(await crashStream({ dir: join(dir, 'stream'), random: new Random(seed), kills, lifeMsMax: 600, log })),
    ...(await crashDirectory({
      ...{ dir: join(dir, 'directory'), random: new Random(seed + 1), kills, log },
      ...{ entries: 3000, largeBytes: 100_000_000, lifeMsMax: 3000 },
    })),
  ];
  for (const problem of problems) console.log(`BROKEN: ${problem}`);
  console.log(
    problems.length === 0
      ? `${2 * kills} kills, every promise kept`
      : `${problems.length} promises broken, seed ${seed}`,
  );
  process.exitCode = problems.length === 0 ? 0 : 1;
} finally {
  rmSync(dir, { recursive: true, force: true });
}
