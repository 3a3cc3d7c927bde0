import { mkdir } from 'node:fs/promises';
import { EmulatedLink } from '../../test/sim/link.js';
import { type Receiving, startReceiver, startSender } from '../kit/agents.js';
import { startRsync, startRsyncDaemon } from '../kit/rsync.js';
import type { Workspace } from '../kit/workspace.js';
import { Meter } from './meter.js';

/** The two ways to copy the source that the demo compares, each over a line of its own with the same settings. */

export interface Line {
  rateBytesPerSecond: number;
  /** One way. */
  delayMs: number;
}

/** 20 Mbit/s, a round trip of 50 ms. */
export const THIN_LINE: Line = { rateBytesPerSecond: 20e6 / 8, delayMs: 25 };

export interface Pass {
  wireBytes: number;
  seconds: number;
}

export interface Copier {
  name: string;
  replica: string;
  /** Brings the replica up to date; `label` stands before the progress. */
  pass(label: string): Promise<Pass>;
}

/** Two processes: a receiver that keeps running, and a sender that is started for each pass. */
export async function longhaul(work: Workspace, source: string, line: Line): Promise<Copier> {
  const replica = work.at('longhaul-replica');
  const receiver: Receiving = await startReceiver(work, { state: work.at('receiver-state'), into: replica });
  const link = work.own(await EmulatedLink.open({ ...line, target: { port: receiver.port } }));
  return {
    name: 'longhaul',
    replica,
    async pass() {
      const meter = new Meter(link);
      // At a terminal the sender draws its own progress bar.
      const stderr = process.stderr.isTTY ? 'inherit' : 'pipe';
      const sender = startSender(work, { state: work.at('sender-state'), from: source, port: link.port, stderr });
      await sender.succeeded();
      return { wireBytes: meter.bytes, seconds: meter.seconds };
    },
  };
}

/** A private rsync daemon, compression on, files that are gone removed. */
export async function rsync(work: Workspace, source: string, line: Line): Promise<Copier> {
  const replica = work.at('rsync-replica');
  await mkdir(replica);
  const daemon = await startRsyncDaemon(work, replica);
  const link = work.own(await EmulatedLink.open({ ...line, target: { port: daemon.port } }));
  return {
    name: 'rsync -az',
    replica,
    async pass(label) {
      const meter = new Meter(link);
      const erase = meter.draw(label);
      try {
        await startRsync(work, ['-az', '--delete', `${source}/`, daemon.url(link.port)]).succeeded();
      } finally {
        erase();
      }
      return { wireBytes: meter.bytes, seconds: meter.seconds };
    },
  };
}
