import { parseArgs } from 'node:util';
import { canary } from './canary.js';
import { Random } from './random.js';
import { type FuzzTarget, fuzz } from './target.js';
import { targets } from './targets.js';

/**
 * npm run fuzz [NAME…] [-- --seconds N] [--seed N]
 *
 * Runs each named target, or all of them, for N seconds (default 10). A failure prints the seed that replays it; with
 * --seed a target runs once, with that seed.
 */
async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { seconds: { type: 'string', default: '10' }, seed: { type: 'string' } },
  });
  const seconds = numberOption('seconds', values.seconds);
  const seed = values.seed === undefined ? undefined : numberOption('seed', values.seed);
  let failures = 0;
  for (const target of choose(positionals)) {
    if (!(await runTarget(target, seconds, seed))) failures++;
  }
  return failures === 0 ? 0 : 1;
}

function choose(names: string[]): readonly FuzzTarget[] {
  if (names.length === 0) return targets;
  return names.map((name) => {
    const target = [...targets, canary].find((candidate) => candidate.name === name);
    if (target === undefined) usage(`no target ${name}; there are ${targets.map((known) => known.name).join(', ')}`);
    return target;
  });
}

async function runTarget(target: FuzzTarget, seconds: number, seed: number | undefined): Promise<boolean> {
  const deadline = performance.now() + seconds * 1000;
  const { runs, failure } = await fuzz(target, {
    firstSeed: seed ?? Random.freshSeed(),
    runsMax: seed === undefined ? Number.POSITIVE_INFINITY : 1,
    isOver: () => performance.now() > deadline,
  });
  if (failure === undefined) {
    console.log(`${target.name}: ${runs} runs, no failure`);
    return true;
  }
  console.error(
    `${target.name}: failed in run ${runs}; replay with: npm run fuzz ${target.name} -- --seed ${failure.seed}`,
  );
  console.error(failure.error);
  return false;
}

function numberOption(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value < 0) usage(`--${name} is ${text}; expected a number from 0`);
  return value;
}

function usage(problem: string): never {
  console.error(problem);
  process.exit(2);
}

process.exitCode = await main();
