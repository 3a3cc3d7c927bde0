import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { NativeTarget } from './native-target.js';
import { root } from './native-units.js';

/** Runs the programs of native targets, with libFuzzer's arguments. */

export interface NativeLimits {
  seed: number;
  runs?: number;
  seconds?: number;
}

export interface NativeResult {
  ok: boolean;
  runs: number;
  /** How many places of the code were reached, where that is counted. */
  coverage?: number;
  /** The input that was kept because it failed. */
  input?: string;
  /** What the program said about a failure. */
  said: string;
}

// None of the targets needs more.
const ALLOCATION_MEGABYTES_MAX = 64;
const MEMORY_MEGABYTES_MAX = 2048;
const RUN_SECONDS_MAX = 20;
const SAID_LINES = 60;
// Freed memory that is kept apart; more than this finds nothing more here.
const SANITIZER_OPTIONS = { ASAN_OPTIONS: 'quarantine_size_mb=32', UBSAN_OPTIONS: 'print_stacktrace=1' };

export const corpusOf = (target: NativeTarget): string => join(root, 'fuzz', 'corpus', target.name);
/** Within a working directory: inputs that reach something new. */
export const foundIn = (workDir: string): string => join(workDir, 'corpus');

/** New inputs, the one that fails and a log stay in `workDir`; what an earlier run left there is where this one begins. */
export function fuzzNative(
  program: string,
  target: NativeTarget,
  workDir: string,
  { seed, runs, seconds }: NativeLimits,
): Promise<NativeResult> {
  mkdirSync(foundIn(workDir), { recursive: true });
  const corpora = [foundIn(workDir), corpusOf(target)].filter((dir) => existsSync(dir));
  return run(program, workDir, [
    ...limitsOf(target),
    // To libFuzzer 0 is any seed, and any time.
    `-seed=${Math.max(1, seed)}`,
    ...(runs === undefined ? [] : [`-runs=${runs}`]),
    ...(seconds === undefined ? [] : [`-max_total_time=${Math.max(1, Math.ceil(seconds))}`]),
    `-artifact_prefix=${workDir}/`,
    ...corpora,
  ]);
}

/** Runs one input as it is. */
export function replayNative(
  program: string,
  target: NativeTarget,
  workDir: string,
  input: string,
): Promise<NativeResult> {
  mkdirSync(workDir, { recursive: true });
  return run(program, workDir, [...limitsOf(target), `-artifact_prefix=${workDir}/`, input]);
}

/** Adds to a corpus few inputs of another that together reach all that is new in there. */
export function mergeNative(
  program: string,
  target: NativeTarget,
  workDir: string,
  [into, from]: readonly [string, string],
): Promise<NativeResult> {
  return run(program, workDir, [...limitsOf(target), '-set_cover_merge=1', '-use_counters=0', into, from]);
}

function limitsOf({ inputBytesMax }: NativeTarget): string[] {
  return [
    `-max_len=${inputBytesMax}`,
    `-timeout=${RUN_SECONDS_MAX}`,
    `-rss_limit_mb=${MEMORY_MEGABYTES_MAX}`,
    `-malloc_limit_mb=${ALLOCATION_MEGABYTES_MAX}`,
  ];
}

async function run(program: string, workDir: string, args: string[]): Promise<NativeResult> {
  const log = join(workDir, 'log');
  const fd = openSync(log, 'w');
  const env = { ...process.env, ...SANITIZER_OPTIONS };
  const child = spawn(program, args, { cwd: workDir, stdio: ['ignore', 'ignore', fd], env });
  const [status] = await once(child, 'close').finally(() => closeSync(fd));
  // Targets have nothing to say, so what a run of many hours leaves is still small.
  const text = readFileSync(log, 'utf8');
  const last = (pattern: RegExp): string | undefined => [...text.matchAll(pattern)].at(-1)?.[1];
  const coverage = last(/ cov: (\d+) /g);
  const input = last(/Test unit written to (.*)/g);
  return {
    ok: status === 0,
    runs: Number(last(/^Done (\d+) runs/gm) ?? 0),
    ...(coverage !== undefined && { coverage: Number(coverage) }),
    ...(input !== undefined && { input }),
    said: reportIn(text.trimEnd().split('\n')).join('\n'),
  };
}

/** From the first line that tells of a failure; before it there is only how the run went on. */
function reportIn(lines: string[]): string[] {
  const start = lines.findIndex((line) => /^check failed: |ERROR: | runtime error: /.test(line));
  return start === -1 ? lines.slice(-SAID_LINES) : lines.slice(start, start + SAID_LINES);
}
