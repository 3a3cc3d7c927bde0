import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open, rename, stat, unlink } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { isErrno, storageError } from '../../engine/files.js';

/**
 * Tells whether the holder of a lock lives, where its process number means nothing: from another container. The holder
 * listens on a socket in the directory. When its process ends, however it does, the kernel refuses who connects to the
 * file that is left. A process that is stopped, or busy, still answers: the kernel does that for it. Nothing is ever said.
 */

export interface SocketFile {
  /** In the directory of the lock. */
  name: string;
  /** Device and inode: a copy of the file answers for nobody. */
  inode: string;
}

export const SOCKET_NAME = /^lock\.[0-9a-f]{32}\.socket$/;

export class LockSocket {
  private constructor(
    private readonly dir: string,
    readonly file: SocketFile,
    private readonly server: Server,
  ) {}

  /** Listens in a directory; undefined where the system or the file system has no such sockets. */
  static async listen(dir: string): Promise<LockSocket | undefined> {
    if (process.platform !== 'linux') return undefined;
    const name = `lock.${randomUUID().replaceAll('-', '')}.socket`;
    const aside = `${name}.tmp`;
    const server = createServer((connection) => connection.destroy());
    try {
      await through(dir, aside, (path) => listening(server, path));
      // Under a name that the server does not know of and so never removes: what is left must refuse, not be missing.
      await rename(join(dir, aside), join(dir, name));
      return new LockSocket(dir, { name, inode: await inodeOf(join(dir, name)) }, server);
    } catch {
      // Nobody elsewhere can tell then, and is refused: safe without it.
      server.close();
      await removeFile(join(dir, aside)).catch(() => {});
      return undefined;
    }
  }

  async close(): Promise<void> {
    await new Promise((resolve) => this.server.close(resolve));
    await removeFile(join(this.dir, this.file.name));
  }
}

/** Whether somebody listens on a socket. */
export async function socketAnswers(dir: string, { name, inode }: SocketFile): Promise<'yes' | 'no' | 'unknown'> {
  try {
    if ((await inodeOf(join(dir, name))) !== inode) return 'unknown';
    return await through(dir, name, connecting);
  } catch {
    // Missing, or out of reach: nothing to tell either way.
    return 'unknown';
  }
}

function listening(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    // Exclusive: the workers of a cluster would share one socket otherwise.
    server.listen({ path, exclusive: true }, () => {
      server.off('error', reject);
      // Too many open files when somebody connects, say: the kernel has answered already.
      server.on('error', () => {});
      server.unref();
      resolve();
    });
  });
}

function connecting(path: string): Promise<'yes' | 'no' | 'unknown'> {
  return new Promise((resolve) => {
    const connection = connect(path, () => {
      connection.destroy();
      resolve('yes');
    });
    connection.on('error', (error) => {
      if (isErrno(error, 'ECONNREFUSED')) resolve('no');
      // The queue of those who connect is full.
      else resolve(isErrno(error, 'EAGAIN') ? 'yes' : 'unknown');
    });
  });
}

/** Names a file through its open directory: the address of a socket has room for 108 bytes only. */
async function through<T>(dir: string, name: string, use: (path: string) => Promise<T>): Promise<T> {
  let directory: FileHandle | undefined;
  try {
    directory = await open(dir, constants.O_RDONLY | constants.O_DIRECTORY);
    return await use(`/proc/self/fd/${directory.fd}/${name}`);
  } finally {
    await directory?.close();
  }
}

async function removeFile(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw storageError('removing', path, error);
  }
}

async function inodeOf(path: string): Promise<string> {
  const { dev, ino } = await stat(path, { bigint: true });
  return `${dev}:${ino}`;
}
