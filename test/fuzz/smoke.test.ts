import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { canary } from '../../fuzz/canary.js';
import { KEPT_SEEDS_MAX, keptSeeds } from '../../fuzz/kept-seeds.js';
import { Random } from '../../fuzz/random.js';
import { type FuzzTarget, fuzz } from '../../fuzz/target.js';
import { targets } from '../../fuzz/targets.js';

const SEED = Number(process.env.LONGHAUL_SEED ?? Random.freshSeed());
const RUNS = 300;
const runsOf = ({ smokeRuns = RUNS }: FuzzTarget): number => smokeRuns;

const named = targets.map((target) => [target.name, runsOf(target), target] as const);
test.each(named)(`%s stands %d runs (from seed ${SEED})`, async (_name, runsMax, target) => {
  const { failure } = await fuzz(target, { kept: keptSeeds(target), firstSeed: SEED, runsMax });
  if (failure === undefined) return;
  console.error(`replay with: npm run fuzz ${failure.target} -- --seed ${failure.seed}`);
  throw failure.error;
});

test('a target that must fail is caught, and its seed replays it', async () => {
  const { runs, failure } = await fuzz(canary, { firstSeed: SEED, runsMax: 100_000 });
  expect(failure?.target).toBe('canary');
  const replay = await fuzz(canary, { firstSeed: failure?.seed ?? 0, runsMax: 1 });
  expect(replay).toEqual({ runs: 1, failure: expect.objectContaining({ seed: failure?.seed }) });
  const next = await fuzz(canary, { firstSeed: SEED, runsMax: runs - 1 });
  expect(next).toEqual({ runs: runs - 1 });
});

test('the canary is not among the targets of a normal run, and no name is used twice', () => {
  const names = targets.map((target) => target.name);
  expect(names).not.toContain(canary.name);
  expect(new Set(names).size).toBe(names.length);
});

test('kept seeds are of targets that there are, go first, and are few', async () => {
  const names = Object.keys(JSON.parse(readFileSync('fuzz/corpus/seeds.json', 'utf8')));
  expect(targets.map(({ name }) => name)).toEqual(expect.arrayContaining(names));
  for (const target of targets) expect(keptSeeds(target).length).toBeLessThanOrEqual(KEPT_SEEDS_MAX);
  const seeds: number[] = [];
  await fuzz({ name: 'quiet', run: ({ seed }) => seeds.push(seed) }, { kept: [7, 3], firstSeed: 1, runsMax: 4 });
  expect(seeds).toEqual([7, 3, 1, 2]);
});

test('a time limit ends a run', async () => {
  let asked = 0;
  const isOver = (): boolean => ++asked > 10;
  const quiet = { name: 'quiet', run: () => {} };
  expect(await fuzz(quiet, { firstSeed: 1, runsMax: 1000, isOver })).toEqual({ runs: 10 });
});

test('a seed gives the same numbers everywhere', () => {
  const random = new Random(42);
  const numbers = [random.u32(), random.u32(), random.u32()];
  expect(numbers).toEqual([new Random(42).u32(), ...numbers.slice(1)]);
  expect(new Random(43).u32()).not.toBe(numbers[0]);
  expect(numbers).toMatchInlineSnapshot(`
    [
      2837322924,
      544945897,
      479756282,
    ]
  `);
});
