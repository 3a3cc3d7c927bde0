import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { Program } from './program.js';
import type { Workspace } from './workspace.js';

/** The rival: rsync as it is installed, and a private daemon of it on loopback. */

const STARTS_MAX = 5;
const PAUSE_MS = 20;

/** The installed version, such as `3.2.7`; undefined when there is none. */
export function rsyncVersion(): string | undefined {
  const { status, stdout } = spawnSync('rsync', ['--version'], { encoding: 'utf8' });
  return status === 0 ? (/version v?(\S+)/.exec(stdout)?.[1] ?? 'of unknown version') : undefined;
}

export interface RsyncDaemon {
  port: number;
  /** What `rsync` takes as the target; with the port of a link in place of the daemon's own. */
  url(port?: number): string;
}

/** A daemon that takes files into `into`, with no access for anyone but this machine. */
export async function startRsyncDaemon(work: Workspace, into: string): Promise<RsyncDaemon> {
  await mkdir(into, { recursive: true });
  for (let start = 1; ; start++) {
    const port = await freePort();
    const config = work.at(`rsyncd-${port}.conf`);
    const place = { into, pidFile: work.at(`rsyncd-${port}.pid`), host: '127.0.0.1', port };
    await writeFile(config, daemonConfiguration(place));
    const daemon = work.run('rsync --daemon', 'rsync', ['--daemon', '--no-detach', `--config=${config}`], {
      group: true,
    });
    try {
      await answering(daemon, port);
      return { port, url: (via = port) => `rsync://127.0.0.1:${via}/replica/` };
    } catch (error) {
      // Somebody else may have taken the port in between.
      if (start === STARTS_MAX) throw error;
    }
  }
}

export function startRsync(work: Workspace, args: string[]): Program {
  return work.run('rsync', 'rsync', args);
}

/** What a daemon is told that takes files into `into` from whoever is on the same network as `host`. */
export interface DaemonPlace {
  into: string;
  pidFile: string;
  host: string;
  port: number;
}

export function daemonConfiguration({ into, pidFile, host, port }: DaemonPlace): string {
  const uid = process.getuid?.() ?? 0;
  const gid = process.getgid?.() ?? 0;
  return [
    `pid file = ${pidFile}`,
    `port = ${port}`,
    `address = ${host}`,
    'use chroot = no',
    '[replica]',
    `path = ${into}`,
    'read only = no',
    `hosts allow = ${host}/24`,
    // Only root may choose whom the daemon works as.
    ...(uid === 0 ? [`uid = ${uid}`, `gid = ${gid}`] : []),
    '',
  ].join('\n');
}

/** rsync cannot be asked for a free port, so one is found for it. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function answering(daemon: Program, port: number): Promise<void> {
  const ended = daemon.ended.then((how) => {
    throw new Error(`rsync --daemon ended with ${how}: ${daemon.lastLine}`);
  });
  while (!(await Promise.race([accepts(port), ended]))) await pause(PAUSE_MS);
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
