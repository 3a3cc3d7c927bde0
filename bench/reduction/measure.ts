import { mkdir, rm } from 'node:fs/promises';
import type { StageCounts } from '../../src/index.js';
import { type Copier, type CopyRun, longhaulCopier } from '../kit/copiers.js';
import { changesBetween, readTree, sizeOf, type Tree } from '../kit/tree.js';
import type { Workspace } from '../kit/workspace.js';
import type { ChangeSet, Step } from './change-set.js';
import { RecordCopier } from './record-copier.js';
import type { Rival } from './rivals.js';

/** What one step of a change set cost, ours and theirs. */
export interface Measured {
  set: string;
  step: string;
  /** Of the directory after the step. */
  directoryBytes: number;
  /** Of the files that are new or changed, or of the records that were sent in their place. */
  sourceBytes: number;
  mine: CopyRun;
  rivals: RivalRun[];
}

export interface RivalRun {
  name: string;
  /** No program that replicates: what could be reached. */
  limit: boolean;
  wireBytes: number;
  seconds?: number;
}

interface Talk {
  say(line: string): void;
}

/** Every step of a set, in a workspace of its own. */
export async function measureSet(
  work: Workspace,
  set: ChangeSet,
  rivals: readonly Rival[],
  { say }: Talk,
): Promise<Measured[]> {
  const source = work.at('source');
  const ours = await openOurs(work, source, set);
  const theirs: Theirs[] = [];
  for (const rival of rivals) theirs.push({ ...rival, copier: await rival.open(work, source) });
  await ours.reset();
  for (const { copier } of theirs) await copier.reset();
  const found: Measured[] = [];
  let before: Tree = new Map();
  for (const step of set.steps) {
    say(`${set.name}: ${step.name}`);
    const rounds: Measured[] = [];
    for (let round = 0; round < (step.times ?? 1); round++) {
      await step.make(source);
      const tree = await readTree(source);
      const sizes = { directoryBytes: sizeOf(tree).bytes, sourceBytes: sizeOf(changesBetween(before, tree)).bytes };
      before = tree;
      const mine = await ours.run(step);
      rounds.push({ set: set.name, step: step.name, ...sizes, ...mine, rivals: await runAll(theirs) });
    }
    const limits = rivals.some(({ limit }) => limit) ? await limitsOf(work, step) : [];
    const sum = together(rounds);
    found.push({ ...sum, rivals: [...sum.rivals, ...limits] });
  }
  await ours.finish();
  return found;
}

interface Theirs {
  name: string;
  limit?: true;
  copier: Copier;
}

async function runAll(theirs: readonly Theirs[]): Promise<RivalRun[]> {
  const runs: RivalRun[] = [];
  for (const { name, limit = false, copier } of theirs) {
    const { wireBytes, seconds } = await copier.run();
    runs.push({ name, limit, wireBytes, seconds });
  }
  return runs;
}

interface Ours {
  reset(): Promise<void>;
  run(step: Step): Promise<{ mine: CopyRun; sourceBytes?: number }>;
  finish(): Promise<void>;
}

async function openOurs(work: Workspace, source: string, set: ChangeSet): Promise<Ours> {
  if (set.steps.every(({ records }) => records === undefined)) return ofDirectory(await longhaulCopier(work, source));
  const copier = new RecordCopier(work);
  let fresh = true;
  return {
    async reset() {
      await copier.reset();
      fresh = true;
    },
    async run({ name, records }) {
      const file = await records?.(source);
      if (file === undefined) throw new Error(`${set.name}, ${name} has no records, and other steps have some`);
      if (set.restarts && !fresh) await copier.restart();
      fresh = false;
      const { payloadBytes, ...mine } = await copier.run(file);
      return { mine, sourceBytes: payloadBytes };
    },
    finish: () => copier.finish(),
  };
}

function ofDirectory(copier: Copier): Ours {
  return { reset: () => copier.reset(), run: async () => ({ mine: await copier.run() }), finish: async () => {} };
}

async function limitsOf(work: Workspace, { limits = [] }: Step): Promise<RivalRun[]> {
  const runs: RivalRun[] = [];
  for (const { name, bytes } of limits) {
    const scratch = work.at('limit');
    await mkdir(scratch);
    runs.push({ name, limit: true, wireBytes: await bytes(scratch) });
    await rm(scratch, { recursive: true });
  }
  return runs;
}

/** The rounds of a step as one: everything is added up, but for the directory and for peaks. */
export function together([first, ...others]: Measured[]): Measured {
  if (first === undefined) throw new Error('a step that never happens');
  return others.reduce(both, first);
}

function both(sum: Measured, round: Measured): Measured {
  const rivals = sum.rivals.map(({ name, limit, wireBytes, seconds = 0 }, i) => {
    const other = round.rivals[i];
    return { name, limit, wireBytes: wireBytes + (other?.wireBytes ?? 0), seconds: seconds + (other?.seconds ?? 0) };
  });
  return {
    ...round,
    sourceBytes: sum.sourceBytes + round.sourceBytes,
    mine: bothRuns(sum.mine, round.mine),
    rivals,
  };
}

function bothRuns(a: CopyRun, b: CopyRun): CopyRun {
  const peakBytes = Math.max(a.usage?.peakBytes ?? 0, b.usage?.peakBytes ?? 0);
  const cpuSeconds = (a.usage?.cpuSeconds ?? 0) + (b.usage?.cpuSeconds ?? 0);
  return {
    seconds: a.seconds + b.seconds,
    wireBytes: a.wireBytes + b.wireBytes,
    stages: bothStages(a.stages ?? {}, b.stages ?? {}),
    usage: peakBytes > 0 ? { cpuSeconds, peakBytes } : { cpuSeconds },
  };
}

function bothStages(a: StageCounts, b: StageCounts): StageCounts {
  const names = [...new Set([...Object.keys(a), ...Object.keys(b)])];
  const none = { bytesIn: 0, bytesOut: 0, milliseconds: 0 };
  const sums = names.map((name) => {
    const [one, other] = [a[name] ?? none, b[name] ?? none];
    const sum = {
      bytesIn: one.bytesIn + other.bytesIn,
      bytesOut: one.bytesOut + other.bytesOut,
      milliseconds: one.milliseconds + other.milliseconds,
    };
    return [name, sum] as const;
  });
  return Object.fromEntries(sums);
}
