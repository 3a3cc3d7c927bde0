import { spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import type { Workspace } from '../kit/workspace.js';
import type { Link } from './link.js';

/** iperf3 as it is installed: what TCP itself carries over a link, with nothing stored. */

export interface IperfOptions {
  connections: number;
  congestionControl: string;
  seconds: number;
  /** Before the seconds that count. */
  warmUpSeconds: number;
}

export interface IperfResult {
  /** Received at the far end. */
  mbit: number;
  retransmits: number;
}

const PORT = 5201;
const CONNECT_TIMEOUT_MS = 10_000;

/** The installed version; undefined when there is none. */
export function iperfVersion(): string | undefined {
  const { status, stdout } = spawnSync('iperf3', ['--version'], { encoding: 'utf8' });
  return status === 0 ? (/iperf (\S+)/.exec(stdout)?.[1] ?? 'of unknown version') : undefined;
}

/** The congestion controls that this machine has. */
export async function congestionControls(): Promise<string[]> {
  const text = await readFile('/proc/sys/net/ipv4/tcp_available_congestion_control', 'utf8').catch(() => '');
  return text.split(/\s+/).filter((name) => name !== '');
}

export async function runIperf(work: Workspace, link: Link, o: IperfOptions): Promise<IperfResult> {
  const server = link.run('far', 'iperf3 -s', 'iperf3', ['-s', '-1', '-p', `${PORT}`, '--forceflush']);
  await server.line(/Server listening/);
  const { host, port } = await link.reach(PORT);
  const log = work.at(`iperf-${o.congestionControl}-${o.connections}.json`);
  const times = ['-t', `${o.seconds}`, '-O', `${o.warmUpSeconds}`, '--connect-timeout', `${CONNECT_TIMEOUT_MS}`];
  const load = ['-P', `${o.connections}`, '-C', o.congestionControl];
  const target = ['-c', host, '-p', `${port}`];
  const client = link.run('near', 'iperf3 -c', 'iperf3', [...target, ...times, ...load, '-J', '--logfile', log]);
  await client.succeeded();
  await server.stop();
  const { end } = JSON.parse(await readFile(log, 'utf8')) as IperfReport;
  return { mbit: end.sum_received.bits_per_second / 1e6, retransmits: end.sum_sent.retransmits };
}

interface IperfReport {
  end: { sum_received: { bits_per_second: number }; sum_sent: { retransmits: number } };
}
