import { mkdir, rm } from 'node:fs/promises';
import type { StageCounts } from '../../src/index.js';
import { startReceiver, startSender } from './agents.js';
import type { Program } from './program.js';
import { startRsync, startRsyncDaemon } from './rsync.js';
import { type Usage, usageIn } from './usage.js';
import type { Workspace } from './workspace.js';

/** Programs that bring a replica of one directory up to date, and what a run of them costs. */

export interface CopyRun {
  seconds: number;
  /** Both ways. */
  wireBytes: number;
  /** Of the process that sends; undefined where nobody tells. */
  usage?: Usage;
  /** What each stage took in and gave out; undefined for those who have none. */
  stages?: StageCounts;
}

export interface Copier {
  /** Starts from nothing. */
  reset(): Promise<void>;
  run(): Promise<CopyRun>;
}

/** `longhaul send --once`. Both ends are compared in every run; the receiver keeps running between two of them. */
export async function longhaulCopier(work: Workspace, source: string): Promise<Copier> {
  const dirs = ['send', 'receive', 'replica'].map((name) => work.at(name));
  const usage = work.at('usage');
  let receiver: Awaited<ReturnType<typeof startReceiver>> | undefined;
  return {
    async reset() {
      await receiver?.program.stop();
      for (const dir of dirs) await rm(dir, { recursive: true, force: true });
      receiver = await startReceiver(work, { state: work.at('receive'), into: work.at('replica') });
    },
    async run() {
      const o = { state: work.at('send'), from: source, port: receiver?.port ?? 0, args: ['--json'], usage };
      const program = startSender(work, o);
      const seconds = await timed(program);
      const summary = JSON.parse(program.output.trimEnd().split('\n').at(-1) ?? '') as Summary;
      const used = usageIn(usage);
      return {
        seconds,
        wireBytes: summary.wireBytesSent + summary.wireBytesReceived,
        stages: summary.stages,
        ...(used === undefined ? {} : { usage: used }),
      };
    },
  };
}

/** The parts of the command's summary that are used here. */
interface Summary {
  wireBytesSent: number;
  wireBytesReceived: number;
  stages: StageCounts;
}

/** rsync, by its own daemon. */
export async function rsyncCopier(work: Workspace, source: string, options: readonly string[]): Promise<Copier> {
  const into = work.at('daemon');
  const daemon = await startRsyncDaemon(work, into);
  return {
    async reset() {
      await rm(into, { recursive: true });
      await mkdir(into);
    },
    async run() {
      const args = [...options, '--stats', `${source}/`, daemon.url()];
      const program = startRsync(work, args);
      const seconds = await timed(program);
      return { seconds, wireBytes: counted(program.output, 'sent') + counted(program.output, 'received') };
    },
  };
}

/** Seconds from now until it has ended as it should. */
export async function timed(program: Program): Promise<number> {
  const begun = performance.now();
  await program.succeeded();
  return (performance.now() - begun) / 1000;
}

function counted(stats: string, direction: string): number {
  const digits = new RegExp(`Total bytes ${direction}: ([\\d,.]+)`).exec(stats)?.[1];
  if (digits === undefined) throw new Error(`rsync --stats does not tell the bytes ${direction}`);
  return Number(digits.replace(/\D/g, ''));
}
