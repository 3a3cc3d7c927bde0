import { parseArgs } from 'node:util';
import { Random } from '../../fuzz/random.js';
import { checkImages, type ImageName } from './crash-images.js';

/**
 * The long form: `npm run test:crash-images -- [--images 10000] [--seed N] [--only RUN:BOUNDARY:DRAW]`. Exits 1 with
 * every broken promise that it found.
 */

const { values } = parseArgs({
  options: { images: { type: 'string' }, seed: { type: 'string' }, only: { type: 'string' } },
});
const images = Number(values.images ?? 10_000);
const seed = Number(values.seed ?? Random.freshSeed());

function imageName(text: string): ImageName {
  const [run = Number.NaN, boundary = Number.NaN, draw = 0] = text.split(':').map(Number);
  if (Number.isNaN(run + boundary + draw)) throw new Error(`--only ${text}: expected RUN:BOUNDARY:DRAW`);
  return { run, boundary, draw };
}

const started = performance.now();
const only = values.only === undefined ? undefined : imageName(values.only);
console.log(`seed ${seed}; again with: npm run test:crash-images -- --images ${images} --seed ${seed}`);
const report = await checkImages({ images, seed, only, log: (line) => console.log(line) });
for (const [what, count] of report.covered) console.log(`${count} times: ${what}`);
for (const [row, count] of report.rows) console.log(`${count} times recovered: ${row}`);
for (const problem of report.problems) console.log(`BROKEN: ${problem}`);
const broken = report.problems.length;
console.log(
  `${report.images} images at ${report.boundaries} boundaries of ${report.runs} runs, ${report.interruptions} recoveries ` +
    `cut off, ${report.sides} side files, ${((performance.now() - started) / 1000).toFixed(1)} s, seed ${seed}: ` +
    `${broken === 0 ? 'every promise kept' : `${broken} promises broken; one image again with --only RUN:BOUNDARY:DRAW`}`,
);
process.exitCode = broken === 0 ? 0 : 1;
