import { readFileSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { startReceiver, startSender } from './agents.js';
import type { Program } from './program.js';
import { startRsync, startRsyncDaemon } from './rsync.js';
import type { Workspace } from './workspace.js';

/** Programs that bring a replica of one directory up to date, and what a run of them costs. */

export interface CopyRun {
  seconds: number;
  /** Both ways. */
  wireBytes: number;
  /** Resident, of the end that sends; undefined where nobody tells. */
  peakBytes?: number;
}

export interface Copier {
  /** Starts from nothing. */
  reset(): Promise<void>;
  run(): Promise<CopyRun>;
}

/** `longhaul send --once`. Both ends are compared in every run; the receiver keeps running between two of them. */
export async function longhaulCopier(work: Workspace, source: string): Promise<Copier> {
  const dirs = ['send', 'receive', 'replica'].map((name) => work.at(name));
  const peakMemory = work.at('peak');
  let receiver: Awaited<ReturnType<typeof startReceiver>> | undefined;
  return {
    async reset() {
      await receiver?.program.stop();
      for (const dir of dirs) await rm(dir, { recursive: true, force: true });
      receiver = await startReceiver(work, { state: work.at('receive'), into: work.at('replica') });
    },
    async run() {
      const o = { state: work.at('send'), from: source, port: receiver?.port ?? 0, args: ['--json'], peakMemory };
      const run = await timed(
        () => startSender(work, o),
        (program) => {
          const summary = JSON.parse(program.output.trimEnd().split('\n').at(-1) ?? '') as Record<string, number>;
          return (summary.wireBytesSent ?? 0) + (summary.wireBytesReceived ?? 0);
        },
      );
      return { ...run, ...peakIn(peakMemory) };
    },
  };
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
      return timed(
        () => startRsync(work, args),
        ({ output }) => counted(output, 'sent') + counted(output, 'received'),
      );
    },
  };
}

async function timed(start: () => Program, wireBytes: (program: Program) => number): Promise<CopyRun> {
  const begun = performance.now();
  const program = start();
  await program.succeeded();
  return { seconds: (performance.now() - begun) / 1000, wireBytes: wireBytes(program) };
}

function counted(stats: string, direction: string): number {
  const digits = new RegExp(`Total bytes ${direction}: ([\\d,.]+)`).exec(stats)?.[1];
  if (digits === undefined) throw new Error(`rsync --stats does not tell the bytes ${direction}`);
  return Number(digits.replace(/\D/g, ''));
}

function peakIn(file: string): { peakBytes?: number } {
  try {
    return { peakBytes: Number(readFileSync(file, 'utf8')) };
  } catch {
    return {};
  }
}
