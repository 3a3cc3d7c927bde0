import { copyFileSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { bytesIn, CORPUS_BYTES_MAX, CORPUS_FILES_MAX } from '../../fuzz/corpus.js';
import { NativeBuild } from '../../fuzz/native-build.js';
import { corpusOf, foundIn, fuzzNative, type NativeResult, replayNative } from '../../fuzz/native-run.js';
import { type NativeTarget, nativeCanary, nativeTargets } from '../../fuzz/native-target.js';
import { root } from '../../fuzz/native-units.js';
import { findClang, findGcc, type Missing, type Toolchain } from '../../fuzz/toolchain.js';
import { rounds, SEED } from '../support/seed.js';
import { newDirectory } from '../support/temp.js';

/** The kernels are free of Node, so they run alone, with sanitizers that see every byte read out of bounds. */

const BUILD_MS = 300_000;
const byName = (targets: readonly NativeTarget[]) => targets.map((target) => [target.name, target] as const);

function buildWith(toolchain: Toolchain | Missing, what: string): NativeBuild | undefined {
  if (!('missing' in toolchain)) return new NativeBuild(toolchain);
  console.warn(`skipped: ${what}, because ${toolchain.missing}`);
  return undefined;
}

const steered = buildWith(findClang(), 'fuzzing that is steered by coverage');
const plain = buildWith(findGcc(), 'fuzzing without libFuzzer');

/** Has it stand the runs of a smoke test. What it finds is kept where the command that replays it looks. */
async function stand(program: string, target: NativeTarget): Promise<void> {
  const result = await fuzzNative(program, target, newDirectory(), { seed: SEED, runs: rounds(target.smokeRuns) });
  if (result.input !== undefined) {
    const kept = join(tmpdir(), 'longhaul-fuzz', target.name, basename(result.input));
    mkdirSync(join(kept, '..'), { recursive: true });
    copyFileSync(result.input, kept);
    console.error(`replay with: npm run fuzz ${target.name} -- --input ${kept}`);
  }
  expect(result, result.said).toMatchObject({ ok: true, runs: rounds(target.smokeRuns) });
}

/** The canary given these bytes as they are. */
async function canaryOn(program: string, bytes: string): Promise<NativeResult> {
  const dir = newDirectory();
  writeFileSync(join(dir, 'input'), bytes);
  return replayNative(program, nativeCanary, dir, join(dir, 'input'));
}

const BUGS: [word: string, report: RegExp][] = [
  ['read', /AddressSanitizer: heap-buffer-overflow/],
  ['sum', /runtime error: signed integer overflow/],
  ['song', /check failed: the canary sang/],
];

async function catchBugs(build: NativeBuild): Promise<void> {
  const program = await build.program(nativeCanary);
  for (const [word, report] of BUGS) {
    const { ok, said } = await canaryOn(program, `${word}!`);
    expect({ ok, word }).toEqual({ ok: false, word });
    expect(said).toMatch(report);
  }
  expect(await canaryOn(program, 'silence')).toMatchObject({ ok: true });
}

describe.skipIf(steered === undefined)('native targets, steered by coverage', () => {
  const build = steered as NativeBuild;

  test('a target that must fail is caught from nothing, and its input replays it', { timeout: BUILD_MS }, async () => {
    const program = await build.program(nativeCanary);
    const limits = { seed: SEED, runs: nativeCanary.smokeRuns };
    const { ok, input = '' } = await fuzzNative(program, nativeCanary, newDirectory(), limits);
    expect(ok).toBe(false);
    const replay = await replayNative(program, nativeCanary, newDirectory(), input);
    expect(replay).toMatchObject({ ok: false, said: expect.stringMatching(/song|sum|read/) });
  });

  test('each kind of bug is caught', { timeout: BUILD_MS }, () => catchBugs(build));

  test.each(byName(nativeTargets))(`%s stands its runs (seed ${SEED})`, { timeout: BUILD_MS }, async (_, target) => {
    await stand(await build.program(target), target);
  });
});

describe.skipIf(plain === undefined)('native targets, without libFuzzer', () => {
  const build = plain as NativeBuild;
  // The small one shows that the targets still work this way; the rest of them is for where there is no other.
  const targets = steered === undefined ? nativeTargets : nativeTargets.filter(({ name }) => name === 'delta-native');

  test('a target that must fail is caught from a seed that is close', { timeout: BUILD_MS }, async () => {
    const program = await build.program(nativeCanary);
    const dir = newDirectory();
    mkdirSync(foundIn(dir));
    writeFileSync(join(foundIn(dir), 'close'), 'wong');
    const { ok, input = '' } = await fuzzNative(program, nativeCanary, dir, { seed: SEED, runs: 100_000 });
    expect(ok).toBe(false);
    const replay = await replayNative(program, nativeCanary, newDirectory(), input);
    expect(replay).toMatchObject({ ok: false, said: expect.stringContaining('the canary sang') });
  });

  test('each kind of bug is caught', { timeout: BUILD_MS }, () => catchBugs(build));

  test.each(byName(targets))(`%s stands its runs (seed ${SEED})`, { timeout: BUILD_MS }, async (_, target) => {
    await stand(await build.program(target), target);
  });
});

test('every target has a small corpus, and every corpus a target', () => {
  const corpora = readdirSync(join(root, 'fuzz', 'corpus'), { withFileTypes: true }).filter((entry) =>
    entry.isDirectory(),
  );
  expect(corpora.map(({ name }) => name).sort()).toEqual(nativeTargets.map(({ name }) => name).sort());
  for (const target of nativeTargets) {
    const corpus = corpusOf(target);
    expect(readdirSync(corpus).length, target.name).toBeLessThanOrEqual(CORPUS_FILES_MAX);
    expect(bytesIn(corpus), target.name).toBeLessThanOrEqual(CORPUS_BYTES_MAX);
  }
});
