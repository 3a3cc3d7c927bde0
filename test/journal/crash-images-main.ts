import { parseArgs } from 'node:util';
import { Random } from '../../fuzz/random.js';
import { checkImages } from './crash-images.js';

/**
 * The long form: `npm run test:crash-images -- [--images 10000] [--seed N] [--only IMAGE]`. Exits 1 with every broken
 * promise that it found.
 */

const { values } = parseArgs({
  options: { images: { type: 'string' }, seed: { type: 'string' }, only: { type: 'string' } },
});
const images = Number(values.images ?? 10_000);
const seed = Number(values.seed ?? Random.freshSeed());
const only = values.only === undefined ? undefined : Number(values.only);

console.log(`seed ${seed}; again with: npm run test:crash-images -- --images ${images} --seed ${seed}`);
const report = await checkImages({ images, seed, only, log: (line) => console.log(line) });
for (const [row, count] of report.rows) console.log(`${count} times: ${row}`);
for (const problem of report.problems) console.log(`BROKEN: ${problem}`);
console.log(
  report.problems.length === 0
    ? `${report.images} images of ${report.runs} runs, ${report.recycled} segments recycled, every promise kept`
    : `${report.problems.length} promises broken; one image again with --only IMAGE`,
);
process.exitCode = report.problems.length === 0 ? 0 : 1;
