import { randomBytes } from 'node:crypto';
import { link, open, readFile, realpath, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { isErrno, storageError } from '../../engine/files.js';
import { StateLockedError } from '../../errors.js';
import { type LockOwner, parseOwner, SYSTEM_PROCESSES, type SystemProcesses, serializeOwner } from './owner.js';
import type { LockSocket } from './socket.js';

/**
 * One process at a time in a directory. The file `lock` says who; it appears whole, by link(), which only one contender
 * can win. The lock of a process that is gone is stale and may be removed, under a second lock of its own that is named
 * after the stale one: whoever holds that one, and then still finds the stale lock in place, is the only one who
 * removes it. Tokens are never reused, so a slow contender cannot mistake a new lock for the stale one it saw.
 *
 * The lock tells processes of one machine apart, those of different containers too, if their directory lies on a file
 * system that has sockets: the holder listens on one from before its lock appears until after it is gone (lock-socket.ts).
 * A holder of which nothing can be told is taken to live. It does not guard a directory that several machines share over
 * a network.
 */

const LOCK_FILE = 'lock';
const ATTEMPTS_MAX = 100;

/** Directories locked by this very process, where the file alone would not tell a second open from the first. */
const held = new Set<string>();

export class DirectoryLock {
  private released = false;

  private constructor(
    private readonly dir: string,
    private readonly owner: LockOwner,
    private readonly socket: LockSocket | undefined,
  ) {}

  /** Locks an existing directory, or throws StateLockedError with the process that holds it. */
  static async take(dir: string, processes: SystemProcesses = SYSTEM_PROCESSES): Promise<DirectoryLock> {
    const real = await realpath(dir).catch((error: unknown) => {
      throw storageError('locking', dir, error);
    });
    if (held.has(real)) throw new StateLockedError(dir, processes.pid);
    held.add(real);
    let socket: LockSocket | undefined;
    try {
      socket = await processes.listen(real);
      const owner: LockOwner = {
        pid: processes.pid,
        started: await processes.startedAt(processes.pid),
        boot: await processes.bootId(),
        namespace: await processes.namespace(),
        socket: socket?.file,
        token: randomBytes(16).toString('hex'),
      };
      await acquire(join(real, LOCK_FILE), real, owner, processes);
      return new DirectoryLock(real, owner, socket);
    } catch (error) {
      await socket?.close();
      held.delete(real);
      throw error;
    }
  }

  async release(): Promise<void> {
    if (this.released) return;
    this.released = true;
    try {
      await removeOwn(join(this.dir, LOCK_FILE), this.owner);
      await this.socket?.close();
    } finally {
      held.delete(this.dir);
    }
  }
}

async function acquire(path: string, dir: string, owner: LockOwner, processes: SystemProcesses): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    if (await place(path, owner)) return;
    const holder = await ownerOf(path);
    if (holder === 'gone') continue;
    const verdict = await processes.judge(holder, dir);
    if (verdict === 'alive') throw new StateLockedError(dir, holder.pid);
    if (verdict === 'unknown') throw new StateLockedError(dir, holder.pid, path);
    await removeStale(path, dir, holder, owner, processes);
  }
  throw new StateLockedError(dir, 0);
}

async function removeStale(
  path: string,
  dir: string,
  stale: LockOwner,
  owner: LockOwner,
  processes: SystemProcesses,
): Promise<void> {
  const guard = `${join(dir, LOCK_FILE)}.${stale.token}`;
  await acquire(guard, dir, { ...owner, token: randomBytes(16).toString('hex') }, processes);
  try {
    const holder = await ownerOf(path);
    if (holder !== 'gone' && holder.token === stale.token) await remove(path);
    if (stale.socket !== undefined) await remove(join(dir, stale.socket.name));
  } finally {
    await remove(guard);
  }
}

/** Puts the owner's file there unless one is there already. */
async function place(path: string, owner: LockOwner): Promise<boolean> {
  const aside = `${path}.${owner.token}.tmp`;
  try {
    const file = await open(aside, 'wx');
    try {
      await file.writeFile(serializeOwner(owner));
    } finally {
      await file.close();
    }
    await link(aside, path);
    return true;
  } catch (error) {
    if (isErrno(error, 'EEXIST')) return false;
    throw storageError('locking', path, error);
  } finally {
    await remove(aside);
  }
}

async function ownerOf(path: string): Promise<LockOwner | 'gone'> {
  try {
    return parseOwner(await readFile(path, 'utf8'));
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return 'gone';
    throw storageError('reading', path, error);
  }
}

async function removeOwn(path: string, owner: LockOwner): Promise<void> {
  const holder = await ownerOf(path);
  if (holder !== 'gone' && holder.token === owner.token) await remove(path);
}

async function remove(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw storageError('removing', path, error);
  }
}
