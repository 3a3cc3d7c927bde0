import { type Channel, channel } from 'node:diagnostics_channel';

/** What Longhaul tells the embedder as it happens, on `node:diagnostics_channel` channels named `longhaul:<name>`. */
export interface Events {
  /** A peer's link changed state, or has a problem. */
  peer: { peer: string; state: string; problem?: Error };
  /** A session at the receiver began, ended, or was finished by a verified sender. */
  session: { peer: string; state: 'open' | 'closed' | 'finished'; problem?: Error };
  /**
   * A stranger was refused at a receiver's port: who, why, and how many refusals were kept quiet since the last one that
   * was told. The same code from the same address is told once a minute.
   */
  refused: { address: string; problem: Error; quiet: number };
  /** A journal was full and went on without a cursor, which held back everything from `position` on. */
  detached: { dir: string; cursor: string; position: number };
  /** A scrub found records of a journal that cannot be read any more. */
  damage: {
    dir: string;
    segment: string;
    offset: number;
    fromSequence: number;
    toSequence: number;
    found: string;
  };
  /** The apply callback failed and is tried again after `retryMs`. */
  apply: { sequence: number; problem: Error; retryMs: number };
  /** An entry of the volume that does not cross: a socket, a device, a pipe, an unreadable one. */
  skipped: { path: string; reason: string };
  /** A file that changed while it was read, and is read again. */
  unstable: { path: string; attempt: number };
  /** How far a synchronisation has come. */
  progress: { phase: string; files: number; filesTotal: number; bytes: number; bytesTotal: number };
}

/**
 * Held for as long as the process lives. A channel that nobody holds is collected, and in older releases of Node the one
 * that takes its name next is then forgotten with its subscribers (nodejs/node#59910): they would hear nothing any more.
 */
const channels: Record<keyof Events, Channel> = {
  peer: channel('longhaul:peer'),
  session: channel('longhaul:session'),
  refused: channel('longhaul:refused'),
  detached: channel('longhaul:detached'),
  damage: channel('longhaul:damage'),
  apply: channel('longhaul:apply'),
  skipped: channel('longhaul:skipped'),
  unstable: channel('longhaul:unstable'),
  progress: channel('longhaul:progress'),
};

export function publish<K extends keyof Events>(name: K, event: Events[K]): void {
  const target = channels[name];
  if (target.hasSubscribers) target.publish(event);
}
