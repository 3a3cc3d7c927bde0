import type { DiskFile } from '../disk/disk.js';

/** Reads many stretches of a file at once: neighbours together, and many places in one call. */

/** Bytes that somebody wants, and what takes them. */
export interface Stretch {
  /** Where they lie in the file. */
  start: number;
  length: number;
  /** Called with a view of a larger block. */
  take(bytes: Buffer): void;
}

/** Stretches this close together are read as one: copying what lies between costs no more than another read. */
const GAP_BYTES_MAX = 1024;
/** What one block of memory holds, unless a single stretch is larger. */
const BLOCK_BYTES = 1024 * 1024;
const CALLS_AT_ONCE = 4;

/** Neighbours, first to last. */
interface Run {
  start: number;
  end: number;
  stretches: Stretch[];
}

/** Returns the first stretch that the file ends before, if there is one; nothing has to be taken then. */
export async function gather<T extends Stretch>(file: DiskFile, stretches: readonly T[]): Promise<T | undefined> {
  const calls = callsOf(runsOf(stretches));
  let next = 0;
  let whole = true;
  const work = async () => {
    for (let call = calls[next++]; call !== undefined && whole; call = calls[next++]) {
      if (!(await readCall(file, call))) whole = false;
    }
  };
  await Promise.all(Array.from({ length: Math.min(CALLS_AT_ONCE, calls.length) }, work));
  if (whole) return undefined;
  const size = await file.size();
  const missing = stretches.find(({ start, length }) => start + length > size);
  if (missing === undefined) throw new Error(`${file.path} ended early and has grown since`);
  return missing;
}

/** In the order of the file. */
function runsOf(stretches: readonly Stretch[]): Run[] {
  const runs: Run[] = [];
  for (const stretch of [...stretches].sort((a, b) => a.start - b.start)) {
    const { start } = stretch;
    const end = start + stretch.length;
    const run = runs[runs.length - 1];
    if (run !== undefined && start <= run.end + GAP_BYTES_MAX && end - run.start <= BLOCK_BYTES) {
      run.stretches.push(stretch);
      run.end = Math.max(run.end, end);
    } else {
      runs.push({ start, end, stretches: [stretch] });
    }
  }
  return runs;
}

/** Each call fills a block. */
function callsOf(runs: readonly Run[]): Run[][] {
  const calls: Run[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const run of runs) {
    bytes += run.end - run.start;
    if (bytes > BLOCK_BYTES) {
      calls.push([]);
      bytes = run.end - run.start;
    }
    calls[calls.length - 1]?.push(run);
  }
  return calls;
}

/** False when the file ends before that. */
async function readCall(file: DiskFile, runs: readonly Run[]): Promise<boolean> {
  const spans = Float64Array.from(runs.flatMap(({ start, end }) => [start, end - start]));
  const block = Buffer.allocUnsafeSlow(runs.reduce((sum, { start, end }) => sum + end - start, 0));
  if (!(await file.readSpans(spans, block))) return false;
  let at = 0;
  for (const run of runs) {
    for (const { start, length, take } of run.stretches) {
      take(block.subarray(at + start - run.start, at + start - run.start + length));
    }
    at += run.end - run.start;
  }
  return true;
}
