import { Random } from './random.js';

/** One thing to throw random input at. A run that throws is a finding. */
export interface FuzzTarget {
  name: string;
  /** How often the tests run it: default 300. */
  smokeRuns?: number;
  /** May give a set of words for what it has reached. */
  run(random: Random): unknown;
}

export interface FuzzFailure {
  target: string;
  seed: number;
  error: unknown;
}

export interface FuzzResult {
  runs: number;
  failure?: FuzzFailure;
}

export interface FuzzLimits {
  /** Go before all others. */
  kept?: readonly number[];
  firstSeed: number;
  runsMax: number;
  /** Tells when to stop before `runsMax`. */
  isOver?: () => boolean;
}

const EVENT_LOOP_TURN_RUNS = 64;

/** Runs a target with one seed after another, and stops at the first failure: its seed alone replays it. */
export async function fuzz(target: FuzzTarget, limits: FuzzLimits): Promise<FuzzResult> {
  const { kept = [], firstSeed, runsMax, isOver } = limits;
  for (let runs = 0; runs < runsMax; runs++) {
    if (isOver?.() === true) return { runs };
    const seed = kept[runs] ?? (firstSeed + runs - kept.length) >>> 0;
    try {
      await target.run(new Random(seed));
    } catch (error) {
      return { runs: runs + 1, failure: { target: target.name, seed, error } };
    }
    // A signal to stop has to get through.
    if (runs % EVENT_LOOP_TURN_RUNS === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  return { runs: runsMax };
}
