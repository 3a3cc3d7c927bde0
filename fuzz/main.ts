import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { canary } from './canary.js';
import { keepSeeds, keptSeeds } from './kept-seeds.js';
import { NativeCommand } from './native-command.js';
import { type NativeTarget, nativeCanary, nativeTargets } from './native-target.js';
import { Random } from './random.js';
import { writeSeeds } from './seeds.js';
import { type FuzzTarget, fuzz } from './target.js';
import { targets } from './targets.js';

const USAGE = `npm run fuzz [NAME…] [-- OPTIONS]

Runs each named target, or all of them.

  --help         prints this
  --list         names the targets
  --seconds N    how long each one runs (10)
  --seed N       a target in TypeScript runs once, with this seed; a native one begins with it
  --input FILE   runs a native target once, with this input
  --work DIR     where native targets leave what they find, and begin with what they found before
                 (longhaul-fuzz in the directory for temporary files)
  --minimise     adds to fuzz/corpus/ what native targets have found there and reaches something new, as far as it is small;
                 a target in TypeScript runs, and seeds that reach something new are kept
  --write-seeds  runs nothing; writes the inputs of fuzz/corpus/ that are made, not found

A failure prints the command that replays it.`;

type Target = FuzzTarget | NativeTarget;

const isNative = (target: Target): target is NativeTarget => 'kernels' in target;
const all: readonly Target[] = [...targets, ...nativeTargets];

async function main(): Promise<number> {
  const { values, positionals } = options();
  if (values.help) console.log(USAGE);
  else if (values.list) console.log(all.map(({ name }) => name).join('\n'));
  else if (values['write-seeds']) await writeSeeds();
  else return runAll(choose(positionals), values);
  return 0;
}

type Values = ReturnType<typeof options>['values'];

function options() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        help: { type: 'boolean', default: false },
        list: { type: 'boolean', default: false },
        seconds: { type: 'string', default: '10' },
        seed: { type: 'string' },
        input: { type: 'string' },
        work: { type: 'string', default: join(tmpdir(), 'longhaul-fuzz') },
        minimise: { type: 'boolean', default: false },
        'write-seeds': { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    usage((error as Error).message);
  }
}

function choose(names: string[]): readonly Target[] {
  if (names.length === 0) return all;
  return names.map((name) => {
    const target = [...all, canary, nativeCanary].find((candidate) => candidate.name === name);
    if (target === undefined) usage(`no target ${name}; there are ${all.map((known) => known.name).join(', ')}`);
    return target;
  });
}

async function runAll(chosen: readonly Target[], values: Values): Promise<number> {
  const seconds = numberOption('seconds', values.seconds);
  const seed = values.seed === undefined ? undefined : numberOption('seed', values.seed);
  const command = new NativeCommand(values.work);
  if (values.input !== undefined) {
    const [target] = chosen;
    if (chosen.length !== 1 || target === undefined || !isNative(target)) usage('--input goes with one native target');
    return (await command.replay(target, values.input)) ? 0 : 1;
  }
  let failures = 0;
  for (const target of chosen) {
    let passed = true;
    if (values.minimise) passed = isNative(target) ? await command.minimise(target) : await keep(target, seconds);
    else if (isNative(target)) passed = await command.fuzz(target, { seconds, seed: seed ?? Random.freshSeed() });
    else passed = await runTarget(target, seconds, seed);
    if (!passed) failures++;
  }
  return failures === 0 ? 0 : 1;
}

async function keep(target: FuzzTarget, seconds: number): Promise<boolean> {
  const deadline = performance.now() + seconds * 1000;
  console.log(await keepSeeds(target, () => performance.now() > deadline));
  return true;
}

async function runTarget(target: FuzzTarget, seconds: number, seed: number | undefined): Promise<boolean> {
  const deadline = performance.now() + seconds * 1000;
  const { runs, failure } = await fuzz(target, {
    kept: seed === undefined ? keptSeeds(target) : [],
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
  console.error(`${problem}\n\n${USAGE}`);
  process.exit(2);
}

process.exitCode = await main();
