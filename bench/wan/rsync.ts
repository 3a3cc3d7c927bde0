import { randomFillSync } from 'node:crypto';
import { mkdir, open, rm, stat, writeFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { daemonConfiguration } from '../kit/rsync.js';
import type { Workspace } from '../kit/workspace.js';
import type { Link } from './link.js';

/** rsync copies a file of random data to its own daemon at the far end, over one connection. */

export interface RsyncOptions {
  fileBytes: number;
  /** It is ended then, and what has arrived counts. */
  secondsMax: number;
}

export interface RsyncResult {
  /** From the start to the end of the program, or until it was ended. */
  mbit: number;
  seconds: number;
  complete: boolean;
}

const PORT = 8730;
const PIECE_BYTES = 8 * 1024 * 1024;
const STARTS_MAX = 100;
const PAUSE_MS = 20;

export async function runRsync(work: Workspace, link: Link, o: RsyncOptions): Promise<RsyncResult> {
  const [source, into] = [work.at('rsync-file'), work.at('rsync-into')];
  await mkdir(into);
  await makeFile(source, o.fileBytes);
  const config = work.at('rsyncd.conf');
  const { farHost: host } = link;
  await writeFile(config, daemonConfiguration({ into, pidFile: work.at('rsyncd.pid'), host, port: PORT }));
  const options = ['--daemon', '--no-detach', `--config=${config}`];
  const daemon = link.run('far', 'rsync --daemon', 'rsync', options, { group: true });
  await listening(link, daemon.ended);
  const { host: target, port } = await link.reach(PORT);
  const begun = performance.now();
  // In place, so that what has arrived can be seen.
  const client = link.run('near', 'rsync', 'rsync', ['-W', '--inplace', source, `rsync://${target}:${port}/replica/`]);
  const complete = await Promise.race([client.succeeded().then(() => true), pause(o.secondsMax * 1000, false)]);
  const seconds = (performance.now() - begun) / 1000;
  const { size } = await stat(work.at('rsync-into', 'rsync-file'));
  await client.stop();
  await daemon.stop();
  for (const path of [source, into]) await rm(path, { recursive: true });
  return { mbit: (size * 8) / 1e6 / seconds, seconds, complete };
}

/** The daemon does not tell when it listens. */
async function listening(link: Link, daemonEnded: Promise<unknown>): Promise<void> {
  let ended = false;
  daemonEnded
    .finally(() => {
      ended = true;
    })
    .catch(() => {});
  for (let start = 1; ; start++) {
    const asked = link.run('far', 'rsync', 'rsync', [`rsync://${link.farHost}:${PORT}/`]);
    if ((await asked.ended) === 0) return;
    if (ended || start === STARTS_MAX) throw new Error(`the daemon of rsync does not listen: ${asked.lastLine}`);
    await pause(PAUSE_MS);
  }
}

async function makeFile(path: string, bytes: number): Promise<void> {
  const file = await open(path, 'w');
  try {
    const piece = Buffer.alloc(PIECE_BYTES);
    for (let left = bytes; left > 0; left -= PIECE_BYTES) {
      await file.writeFile(randomFillSync(piece).subarray(0, left));
    }
  } finally {
    await file.close();
  }
}
