import { mkdir, rm } from 'node:fs/promises';
import type { Bench, BenchRow } from './bench.js';
import { startReceiver, startSender } from './kit/agents.js';
import { makeManyFiles } from './kit/many-files.js';
import { memoryDisk } from './kit/memory-disk.js';
import type { Program } from './kit/program.js';
import { rsyncVersion, startRsync, startRsyncDaemon } from './kit/rsync.js';
import { median } from './kit/timing.js';
import { Workspace } from './kit/workspace.js';

const PER = 10_000;
const RIVAL = 'rsync -a to a daemon';

/** What a file costs, as opposed to a byte: the first copy of many small ones, and a run that finds nothing to do. */
export const tree: Bench = {
  name: 'tree',
  describe: '30,000 small files on tmpfs: the first copy and an unchanged second run, compared with rsync -a',
  async run({ tiny, say, dir }) {
    const files = tiny ? 300 : 30_000;
    const work = await Workspace.open('bench', dir ?? memoryDisk(say));
    try {
      await makeManyFiles(work.at('source'), files);
      const copiers = [await ours(work)];
      if (rsyncVersion() === undefined) say('rsync is not installed, so there is nothing to compare with');
      else copiers.push(await rsync(work));
      const measured = await measure(copiers, tiny ? 1 : 3);
      return rows(files, measured);
    } finally {
      await work.close();
    }
  },
};

interface Run {
  seconds: number;
  wireBytes: number;
}

interface Copier {
  /** Starts from nothing. */
  reset(): Promise<void>;
  run(): Promise<Run>;
}

/** Each copier's first and second runs. */
type Measured = { first: Run[]; second: Run[] }[];

async function measure(copiers: readonly Copier[], rounds: number): Promise<Measured> {
  const measured: Measured = copiers.map(() => ({ first: [], second: [] }));
  for (let round = 0; round < rounds; round++) {
    for (const [i, copier] of copiers.entries()) {
      await copier.reset();
      measured[i]?.first.push(await copier.run());
      measured[i]?.second.push(await copier.run());
    }
  }
  return measured;
}

/** Both ends are compared in every run; the receiver keeps running between the two. */
async function ours(work: Workspace): Promise<Copier> {
  const dirs = ['send', 'receive', 'replica'].map((name) => work.at(name));
  let receiver: Awaited<ReturnType<typeof startReceiver>> | undefined;
  return {
    async reset() {
      await receiver?.program.stop();
      for (const dir of dirs) await rm(dir, { recursive: true, force: true });
      receiver = await startReceiver(work, { state: work.at('receive'), into: work.at('replica') });
    },
    async run() {
      const o = { state: work.at('send'), from: work.at('source'), port: receiver?.port ?? 0, args: ['--json'] };
      return timed(
        () => startSender(work, o),
        (program) => {
          const summary = JSON.parse(program.output.trimEnd().split('\n').at(-1) ?? '') as Record<string, number>;
          return (summary.wireBytesSent ?? 0) + (summary.wireBytesReceived ?? 0);
        },
      );
    },
  };
}

async function rsync(work: Workspace): Promise<Copier> {
  const into = work.at('daemon');
  const daemon = await startRsyncDaemon(work, into);
  return {
    async reset() {
      await rm(into, { recursive: true });
      await mkdir(into);
    },
    async run() {
      const args = ['-a', '--stats', `${work.at('source')}/`, daemon.url()];
      return timed(
        () => startRsync(work, args),
        ({ output }) => counted(output, 'sent') + counted(output, 'received'),
      );
    },
  };
}

async function timed(start: () => Program, wireBytes: (program: Program) => number): Promise<Run> {
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

function rows(files: number, [mine, rival]: Measured): BenchRow[] {
  const parts = [
    ['first copy', mine?.first, rival?.first],
    ['unchanged', mine?.second, rival?.second],
  ] as const;
  return parts.flatMap(([part, us = [], them]) => {
    const name = `${part}, ${files} files`;
    const row = (metric: string, unit: string, of: (run: Run) => number): BenchRow => {
      const value = median(us.map(of));
      const versus = them === undefined ? {} : { rival: RIVAL, ratio: median(them.map(of)) / value };
      return { name, metric, value, unit, ...versus };
    };
    return [
      row(`time for ${PER} files`, 's', ({ seconds }) => (seconds * PER) / files),
      row('on the wire', 'kB', ({ wireBytes }) => wireBytes / 1000),
    ];
  });
}
