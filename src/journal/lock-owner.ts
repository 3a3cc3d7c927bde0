import { readFile } from 'node:fs/promises';
import { isErrno } from '../engine/files.js';

/** Who holds a lock, told apart from a later process that happens to have the same number. */

export interface LockOwner {
  pid: number;
  /** Start time of the process in clock ticks since boot, where the system tells. */
  started: string | undefined;
  /** Names this run of the system, where it tells. */
  boot: string | undefined;
  token: string;
}

/** What the lock asks of the system; tests pass their own. */
export interface SystemProcesses {
  readonly pid: number;
  startedAt(pid: number): Promise<string | undefined>;
  bootId(): Promise<string | undefined>;
  isAlive(owner: LockOwner): Promise<boolean>;
}

export function serializeOwner(owner: LockOwner): string {
  return `${JSON.stringify(owner)}\n`;
}

/**
 * Reads a lock file. A live process's file is always whole, since it appears by link(): what cannot be read was cut off
 * by a power cut and belongs to nobody.
 */
export function parseOwner(text: string): LockOwner {
  try {
    const { pid, started, boot, token } = JSON.parse(text) as Partial<LockOwner>;
    if (Number.isSafeInteger(pid) && typeof token === 'string' && /^[0-9a-f]+$/.test(token)) {
      return { pid: pid as number, started, boot, token };
    }
  } catch {
    // Not JSON: the same as JSON of another shape.
  }
  return { pid: 0, started: undefined, boot: undefined, token: 'unreadable' };
}

/** Builds the judgement on an owner from what the system tells. */
export async function isAlive(
  owner: LockOwner,
  processes: Omit<SystemProcesses, 'isAlive'>,
  runs: (pid: number) => boolean,
): Promise<boolean> {
  if (owner.pid <= 0) return false;
  const boot = await processes.bootId();
  if (owner.boot !== undefined && boot !== undefined && owner.boot !== boot) return false;
  if (!runs(owner.pid)) return false;
  const started = await processes.startedAt(owner.pid);
  return owner.started === undefined || started === undefined || owner.started === started;
}

export const SYSTEM_PROCESSES: SystemProcesses = {
  pid: process.pid,
  async startedAt(pid) {
    const stat = await readOptional(`/proc/${pid}/stat`);
    // The name in parentheses may hold blanks and parentheses; the start time is field 22, the 20th after it.
    return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  },
  async bootId() {
    return (await readOptional('/proc/sys/kernel/random/boot_id'))?.trim();
  },
  isAlive(owner) {
    return isAlive(owner, this, processRuns);
  },
};

function processRuns(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return !isErrno(error, 'ESRCH');
  }
}

async function readOptional(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch {
    // Systems without /proc, and processes that are gone: nothing to tell either way.
    return undefined;
  }
}
