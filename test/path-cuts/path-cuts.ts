import { setTimeout as pause } from 'node:timers/promises';
import { makeIdentities } from '../../bench/kit/identities.js';
import type { Program } from '../../bench/kit/program.js';
import type { Workspace } from '../../bench/kit/workspace.js';
import { runScript } from '../../bench/wan/script.js';
import { TunLink } from '../../bench/wan/tun-link.js';
import type { Random } from '../../fuzz/random.js';
import type { ReceiverSetup } from './receiver-main.js';
import type { SenderSetup } from './sender-main.js';

/** Two paths that share the load and a spare one, which lose packets and are cut at random while records go over them. */

export interface PathCutsOptions {
  cuts: number;
  seed: number;
  random: Random;
  say: (line: string) => void;
}

export interface PathCutsReport {
  records: number;
  problems: string[];
}

const PATHS = 3;
const CONDITIONS = { rateMbit: 50, roundTripMs: 20, lossPercent: 0.5 };
const HEARTBEATS = { heartbeatMs: 100, peerTimeoutMs: 600 };
/** Some cuts end before anybody notices, others last until connections are given up, and the dial after them fails too. */
const CUT_MS = [20, 200, 700, 2000];
const BETWEEN_MS = [5, 100, 700];
/** Of all paths at once, the longest way back is a backoff and a handshake on each. */
const END_MS = 60_000;
const CUTS_PER_LINE = 50;

export async function cutPaths(work: Workspace, o: PathCutsOptions): Promise<PathCutsReport> {
  const { seed, random, say, cuts } = o;
  const problems: string[] = [];
  const link = await TunLink.start(work, CONDITIONS, { paths: PATHS, seed });
  const identities = await makeIdentities(work);
  const receiving: ReceiverSetup = {
    options: { dir: work.at('receiver'), listen: { host: '0.0.0.0', port: 0 }, ...HEARTBEATS, ...identities.far },
    seed,
  };
  const receiver = runScript(link, 'far', 'test/path-cuts/receiver-main', JSON.stringify(receiving));
  const port = Number((await receiver.line(/^listening on (\d+)$/))[1]);
  const at = (path: number) => ({ host: link.address('far', path), port });
  const sending: SenderSetup = {
    options: {
      dir: work.at('sender'),
      peers: [{ name: 'far', ...at(0), paths: [at(1), { ...at(2), spare: true }] }],
      ...HEARTBEATS,
      ...identities.near,
    },
    seed,
  };
  const sender = runScript(link, 'near', 'test/path-cuts/sender-main', JSON.stringify(sending));
  for (const program of [sender, receiver]) watch(program, problems);
  await sender.line(/^ready$/);
  for (let cut = 1; cut <= cuts && problems.length === 0; cut++) {
    await cutOnce(link, random);
    if (cut % CUTS_PER_LINE === 0) say(`${cut} cuts`);
  }
  const records = await finish(sender, receiver, problems);
  return { records, problems };
}

/** One path, two or all three, for a moment or until it is given up. */
async function cutOnce(link: TunLink, random: Random): Promise<void> {
  const count = random.pick([1, 1, 1, 2, PATHS]);
  const first = random.below(PATHS);
  const cut = Array.from({ length: count }, (_, index) => (first + index) % PATHS);
  for (const path of cut) await link.down(path);
  await pause(random.below(random.pick(CUT_MS)));
  for (const path of cut) await link.up(path);
  await pause(random.below(random.pick(BETWEEN_MS)));
}

/** All that was appended is applied; resolves with how much that was. */
async function finish(sender: Program, receiver: Program, problems: string[]): Promise<number> {
  const late = pause(END_MS, undefined, { ref: false }).then(() => undefined);
  const appended = sender.line(/^appended (\d+)$/);
  sender.write('stop');
  const told = await Promise.race([appended, late]);
  if (told === undefined) {
    problems.push(`not all was applied within ${END_MS} ms`);
    return 0;
  }
  const applied = receiver.line(/^applied (\d+)$/);
  receiver.write('stop');
  const [sent, got] = [Number(told[1]), Number((await applied)[1])];
  if (sent !== got) problems.push(`${sent} records were appended and ${got} applied`);
  return got;
}

function watch(program: Program, problems: string[]): void {
  void program.line(/^broken (.*)$/).then(
    ([, problem = '']) => {
      problems.push(problem);
      watch(program, problems);
    },
    () => {},
  );
}
