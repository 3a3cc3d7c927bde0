import { basename, dirname } from 'node:path';
import type { JournalFileSystem } from '../../src/journal/journal.js';

/**
 * A disk in memory that knows what is synced and what is not. When its power is cut, names and sectors that were not
 * synced are kept or lost one by one, as a random source decides; what was synced stays.
 */

const SECTOR_BYTES = 512;

class Inode {
  data = Buffer.alloc(0);
  synced = Buffer.alloc(0);
}

interface Directory {
  now: Map<string, Inode>;
  synced: Map<string, Inode>;
}

export class MemoryDisk {
  private readonly directories = new Map<string, Directory>();
  private callsLeft = Number.POSITIVE_INFINITY;
  dead = false;

  /** Cuts the power after so many more calls. */
  cutAfter(calls: number): void {
    this.callsLeft = calls;
  }

  /** Power is back: what was not synced is decided by `keep`. */
  restart(keep: () => boolean): void {
    for (const directory of this.directories.values()) {
      const names = new Set([...directory.now.keys(), ...directory.synced.keys()]);
      const kept = new Map<string, Inode>();
      for (const name of [...names].sort()) {
        const [now, synced] = [directory.now.get(name), directory.synced.get(name)];
        const inode = now === synced || keep() ? now : synced;
        if (inode !== undefined) kept.set(name, inode);
      }
      directory.now = kept;
      directory.synced = new Map(kept);
    }
    for (const directory of this.directories.values()) {
      for (const inode of directory.now.values()) settle(inode, keep);
    }
    this.revive();
  }

  /** Only the process had ended: all that was written is there, synced or not. */
  revive(): void {
    this.callsLeft = Number.POSITIVE_INFINITY;
    this.dead = false;
  }

  readonly fs = {
    open: async (path: string, flags: string) => {
      await this.call();
      if (this.directories.has(path)) return this.directoryHandle(path);
      const { now } = this.directory(dirname(path));
      let inode = now.get(basename(path));
      if (inode === undefined && flags.startsWith('r')) throw failure('ENOENT', path);
      if (inode !== undefined && flags.includes('x')) throw failure('EEXIST', path);
      inode ??= new Inode();
      now.set(basename(path), inode);
      if (flags === 'w') inode.data = Buffer.alloc(0);
      return this.fileHandle(inode);
    },
    mkdir: async (path: string) => {
      await this.call();
      if (this.directories.has(path)) return undefined;
      // Directories are durable at once: making them is not what is tested here.
      for (let each = path; each !== dirname(each); each = dirname(each)) {
        if (!this.directories.has(each)) this.directories.set(each, { now: new Map(), synced: new Map() });
      }
      return path;
    },
    readdir: async (path: string) => {
      await this.call();
      return [...this.directory(path).now.keys()];
    },
    statfs: async () => {
      await this.call();
      return { bavail: 1_000_000, bsize: 4096 };
    },
    rename: async (from: string, to: string) => {
      await this.call();
      const { now } = this.directory(dirname(from));
      const inode = now.get(basename(from));
      if (inode === undefined || dirname(from) !== dirname(to)) throw failure('ENOENT', from);
      now.delete(basename(from));
      now.set(basename(to), inode);
    },
    unlink: async (path: string) => {
      await this.call();
      if (!this.directory(dirname(path)).now.delete(basename(path))) throw failure('ENOENT', path);
    },
  } as unknown as JournalFileSystem;

  private directory(path: string): Directory {
    const directory = this.directories.get(path);
    if (directory === undefined) throw failure('ENOENT', path);
    return directory;
  }

  private async call(): Promise<void> {
    await Promise.resolve();
    if (this.callsLeft-- <= 0) this.dead = true;
    if (this.dead) throw failure('EIO', 'power cut');
  }

  private directoryHandle(path: string) {
    return {
      sync: async () => {
        await this.call();
        const directory = this.directory(path);
        directory.synced = new Map(directory.now);
      },
      close: async () => {},
    };
  }

  private fileHandle(inode: Inode) {
    const sync = async () => {
      await this.call();
      inode.synced = Buffer.from(inode.data);
    };
    const writev = async (buffers: Uint8Array[], position: number) => {
      await this.call();
      const bytes = Buffer.concat(buffers);
      const end = position + bytes.length;
      if (end > inode.data.length) inode.data = Buffer.concat([inode.data, Buffer.alloc(end - inode.data.length)]);
      bytes.copy(inode.data, position);
      return { bytesWritten: bytes.length };
    };
    return {
      sync,
      datasync: sync,
      writev,
      write: (buffer: Uint8Array, at: number, length: number, position: number) =>
        writev([buffer.subarray(at, at + length)], position),
      read: async (buffer: Uint8Array, at: number, length: number, position: number) => {
        await this.call();
        return { bytesRead: inode.data.subarray(position, position + length).copy(buffer, at) };
      },
      truncate: async (bytes: number) => {
        await this.call();
        inode.data = Buffer.from(inode.data.subarray(0, bytes));
      },
      stat: async () => {
        await this.call();
        return { size: inode.data.length };
      },
      close: async () => {},
    };
  }
}

/** Each sector is as it was synced or as it was written last; the file ends in between. */
function settle(inode: Inode, keep: () => boolean): void {
  const { data, synced } = inode;
  if (data.equals(synced)) return;
  const length = keep() ? data.length : keep() ? synced.length : Math.floor((data.length + synced.length) / 2);
  const settled = Buffer.alloc(length);
  for (let at = 0; at < length; at += SECTOR_BYTES) {
    const source = keep() ? data : synced;
    settled.set(source.subarray(at, Math.min(at + SECTOR_BYTES, length)), at);
  }
  inode.data = settled;
  inode.synced = Buffer.from(settled);
}

function failure(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code });
}
