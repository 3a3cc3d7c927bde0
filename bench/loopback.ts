import { randomFillSync } from 'node:crypto';
import { mkdir, open, rm } from 'node:fs/promises';
import type { Bench, BenchRow } from './bench.js';
import { startReceiver, startSender } from './kit/agents.js';
import { type Known, makeIdentities } from './kit/identities.js';
import { memoryDisk } from './kit/memory-disk.js';
import { rsyncVersion, startRsync, startRsyncDaemon } from './kit/rsync.js';
import { median, seconds } from './kit/timing.js';
import { usageIn } from './kit/usage.js';
import { Workspace } from './kit/workspace.js';

const MEGABYTE = 1e6;
const PIECE_BYTES = 8 * MEGABYTE;

/** One large file from end to end, both ends on this machine and nothing reduced: what the way itself costs. */
export const loopback: Bench = {
  name: 'loopback',
  describe: '1 GB of random data from one process to another on tmpfs, with and without TLS, compared with rsync -aW',
  async run({ tiny, say, dir }) {
    const megabytes = tiny ? 16 : 1000;
    const work = await Workspace.open('bench', dir ?? memoryDisk(say));
    try {
      await makeFile(work, megabytes);
      const rounds = await measure(work, tiny ? 1 : 3);
      if (rounds.local === undefined) say('rsync is not installed, so there is nothing to compare with');
      return rows(`loopback ${tiny ? '16 MB' : '1 GB'} file`, megabytes, rounds);
    } finally {
      await work.close();
    }
  },
};

interface Rounds {
  ours: number[];
  /** With an identity at both ends. */
  secured: number[];
  local?: number[];
  daemon?: number[];
  peaks: { name: string; bytes: number }[];
}

/** Ours and the rivals in turn, so that what else the machine does strikes all alike. */
async function measure(work: Workspace, count: number): Promise<Rounds> {
  const rounds: Rounds = { ours: [], secured: [], peaks: [] };
  const identities = await identityArguments(work);
  const source = `${work.at('source')}/`;
  const daemon = rsyncVersion() === undefined ? undefined : await startRsyncDaemon(work, work.at('daemon'));
  if (daemon !== undefined) Object.assign(rounds, { local: [], daemon: [] });
  for (let round = 0; round < count; round++) {
    rounds.ours.push(await runOurs(work));
    rounds.peaks.push(...takePeaks(work));
    rounds.secured.push(await runOurs(work, identities));
    if (daemon === undefined) continue;
    rounds.local?.push(await seconds(() => startRsync(work, ['-aW', source, `${work.at('local')}/`])));
    rounds.daemon?.push(await seconds(() => startRsync(work, ['-aW', source, daemon.url()])));
    await rm(work.at('local'), { recursive: true });
    await rm(work.at('daemon', 'file'));
  }
  return rounds;
}

/** The arguments by which two ends know each other. */
interface Identities {
  send: string[];
  receive: string[];
}

async function identityArguments(work: Workspace): Promise<Identities> {
  const { near, far } = await makeIdentities(work);
  const argumentsOf = ({ identity, allow }: Known) => [
    '--identity',
    identity,
    ...allow.flatMap((id) => ['--allow', id]),
  ];
  return { send: argumentsOf(near), receive: argumentsOf(far) };
}

/** From the start of the sender until both ends have been compared. */
async function runOurs(work: Workspace, identities: Identities = { send: [], receive: [] }): Promise<number> {
  const ends = { receive: work.at('receive'), send: work.at('send') };
  const receiver = await startReceiver(work, {
    state: ends.receive,
    into: work.at('replica'),
    args: ['--once', ...identities.receive],
    usage: work.at('receive.usage'),
  });
  const taken = await seconds(() =>
    startSender(work, {
      state: ends.send,
      from: work.at('source'),
      port: receiver.port,
      args: ['--compress', 'none', ...identities.send],
      usage: work.at('send.usage'),
    }),
  );
  await receiver.program.succeeded();
  for (const dir of [ends.receive, ends.send, work.at('replica')]) await rm(dir, { recursive: true });
  return taken;
}

/** None where the system does not tell. */
function takePeaks(work: Workspace): Rounds['peaks'] {
  return ['send', 'receive'].flatMap((name) => {
    const bytes = usageIn(work.at(`${name}.usage`))?.peakBytes;
    return bytes === undefined ? [] : [{ name, bytes }];
  });
}

async function makeFile(work: Workspace, megabytes: number): Promise<void> {
  await mkdir(work.at('source'));
  const file = await open(work.at('source', 'file'), 'w');
  try {
    const piece = Buffer.alloc(PIECE_BYTES);
    for (let written = 0; written < megabytes * MEGABYTE; written += PIECE_BYTES)
      await file.writeFile(randomFillSync(piece));
  } finally {
    await file.close();
  }
}

function rows(name: string, megabytes: number, { ours, secured, local, daemon, peaks }: Rounds): BenchRow[] {
  const row = { name, metric: 'throughput', unit: 'MB/s' };
  const value = megabytes / median(ours);
  const found: BenchRow[] = [];
  for (const [rival, taken] of [
    ['rsync -aW', local],
    ['rsync -aW to a daemon', daemon],
  ] as const) {
    if (taken !== undefined) found.push({ ...row, value, rival, ratio: median(taken) / median(ours) });
  }
  if (found.length === 0) found.push({ ...row, value });
  found.push({
    ...row,
    name: `${name}, TLS`,
    value: megabytes / median(secured),
    rival: 'longhaul without',
    ratio: median(ours) / median(secured),
  });
  for (const end of ['send', 'receive']) {
    const bytes = Math.max(...peaks.filter((peak) => peak.name === end).map((peak) => peak.bytes));
    if (bytes > 0)
      found.push({ name: `longhaul ${end}, ${name}`, metric: 'peak memory', value: bytes / MEGABYTE, unit: 'MB' });
  }
  return found;
}
