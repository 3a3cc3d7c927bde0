import { basename, dirname } from 'node:path';
import type { JournalFileSystem } from '../../src/journal/journal.js';
import { Directory } from './memory-directory.js';
import { type Coin, Inode } from './memory-inode.js';

/**
 * A disk in memory whose power can be cut. What was synced stays; of the rest, sectors and directory entries are kept or
 * lost as a random source decides. Everything that changes it is an operation, which can be recorded and done again on
 * another disk.
 */

export type DiskOperation =
  | { kind: 'directory'; path: string }
  | { kind: 'create'; directory: string; name: string }
  | { kind: 'write'; file: number; position: number; bytes: Uint8Array }
  | { kind: 'resize'; file: number; size: number }
  | { kind: 'sync'; file: number }
  | { kind: 'rename'; directory: string; from: string; to: string }
  | { kind: 'unlink'; directory: string; name: string }
  | { kind: 'syncDirectory'; directory: string };

export interface MemoryDiskOptions {
  /** Whether files get their blocks beforehand. */
  preallocate?: boolean;
  /** Whether a write and its sync are one call. */
  writeDurable?: boolean;
  /** Whether zeros can be written ahead of the records. */
  writeZeros?: boolean;
}

/** How much longer than other calls it takes to write zeros, so that appends overtake it. */
const ZEROS_TURNS = 100;

export class MemoryDisk {
  /** Told of everything that happens. */
  onOperation: (operation: DiskOperation) => void = () => {};
  dead = false;
  /** How many turns of the event loop's microtasks a call takes beyond the first, so that calls overtake each other. */
  latency: () => number = () => 0;
  /** What a new file may take before the disk is full; preallocation counts. */
  bytesFree = Number.POSITIVE_INFINITY;
  readonly fs: JournalFileSystem;
  private readonly directories = new Map<string, Directory>();
  private readonly files: Inode[] = [];
  private callsLeft = Number.POSITIVE_INFINITY;

  constructor(private readonly options: MemoryDiskOptions = {}) {
    this.fs = this.fileSystem(options);
  }

  /** Another disk in the same state, which goes its own way from here on. */
  fork(): MemoryDisk {
    const copy = new MemoryDisk(this.options);
    const twins = new Map(this.files.map((inode) => [inode, inode.fork()]));
    copy.files.push(...twins.values());
    for (const [path, directory] of this.directories) copy.directories.set(path, directory.fork(twins));
    return copy;
  }

  /** Whether a power cut could leave this disk in more than one state. */
  get unsettled(): boolean {
    return [...this.directories.values(), ...this.files].some((each) => each.unsettled);
  }

  /** Cuts the power after so many more calls. */
  cutAfter(calls: number): void {
    this.callsLeft = calls;
  }

  /** Power is back: what was not synced is decided by lot. */
  restart(coin: Coin): void {
    for (const directory of this.directories.values()) directory.settle(coin);
    for (const file of this.files) file.settle(coin);
    this.revive();
  }

  /** Only the process had ended: all that was written is there, synced or not. */
  revive(): void {
    this.callsLeft = Number.POSITIVE_INFINITY;
    this.dead = false;
  }

  /** The names in a directory and the sizes of the files, for what tests want to know. */
  list(path: string): Map<string, number> {
    return new Map([...this.directory(path).now].map(([name, inode]) => [name, inode.size]));
  }

  do(operation: DiskOperation): void {
    this.onOperation(operation);
    switch (operation.kind) {
      case 'directory':
        // Directories are durable at once: making them is not what is tested here.
        this.directories.set(operation.path, new Directory());
        break;
      case 'create': {
        const inode = new Inode();
        this.files.push(inode);
        this.directory(operation.directory).change({ add: { name: operation.name, inode } });
        break;
      }
      case 'write':
        this.inode(operation.file).write(operation.position, operation.bytes);
        break;
      case 'resize':
        this.inode(operation.file).resize(operation.size);
        break;
      case 'sync':
        this.inode(operation.file).sync();
        break;
      case 'rename': {
        const { directory, from, to } = operation;
        this.directory(directory).change({ remove: from, add: { name: to, inode: this.named(directory, from) } });
        break;
      }
      case 'unlink':
        this.directory(operation.directory).change({ remove: operation.name });
        break;
      case 'syncDirectory':
        this.directory(operation.directory).sync();
        break;
    }
  }

  private directory(path: string): Directory {
    const directory = this.directories.get(path);
    if (directory === undefined) throw failure('ENOENT', path);
    return directory;
  }

  private inode(file: number): Inode {
    const inode = this.files[file];
    if (inode === undefined) throw new Error(`no file ${file}`);
    return inode;
  }

  private named(directory: string, name: string): Inode {
    const inode = this.directory(directory).now.get(name);
    if (inode === undefined) throw failure('ENOENT', `${directory}/${name}`);
    return inode;
  }

  private async call(turnsMore = 0): Promise<void> {
    for (let turns = this.latency() + turnsMore; turns >= 0; turns--) await Promise.resolve();
    if (this.callsLeft-- <= 0) this.dead = true;
    if (this.dead) throw failure('EIO', 'power cut');
  }

  private fileSystem(o: MemoryDiskOptions): JournalFileSystem {
    const of = (handle: object) => handle as ReturnType<MemoryDisk['fileHandle']>;
    const all = {
      open: async (path: string, flags: string) => {
        await this.call();
        return this.directories.has(path) ? this.directoryHandle(path) : this.open(path, flags);
      },
      mkdir: async (path: string) => {
        await this.call();
        if (this.directories.has(path)) return undefined;
        const missing: string[] = [];
        for (let each = path; each !== dirname(each); each = dirname(each)) {
          if (!this.directories.has(each)) missing.unshift(each);
        }
        for (const each of missing) this.do({ kind: 'directory', path: each });
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
        if (dirname(from) !== dirname(to)) throw failure('EXDEV', from);
        this.named(dirname(from), basename(from));
        this.do({ kind: 'rename', directory: dirname(from), from: basename(from), to: basename(to) });
      },
      unlink: async (path: string) => {
        await this.call();
        this.named(dirname(path), basename(path));
        this.do({ kind: 'unlink', directory: dirname(path), name: basename(path) });
      },
    };
    const preallocate = (handle: object, bytes: number) => of(handle).preallocate(bytes);
    const writeDurable = async (handle: object, buffers: Uint8Array[], position: number, sync: boolean) => {
      const bytes = Buffer.concat(buffers);
      for (let at = 0; at < bytes.length; ) {
        at += (await of(handle).writev([bytes.subarray(at)], position + at)).bytesWritten;
      }
      if (sync) await of(handle).sync();
    };
    const writeZeros = (handle: object, from: number, to: number) => of(handle).writeZeros(from, to);
    return {
      ...all,
      ...(o.preallocate === true ? { preallocate } : {}),
      ...(o.writeDurable === true ? { writeDurable } : {}),
      ...(o.writeZeros === true ? { writeZeros } : {}),
    } as unknown as JournalFileSystem;
  }

  private open(path: string, flags: string) {
    const [directory, name] = [dirname(path), basename(path)];
    const { now } = this.directory(directory);
    const existing = now.get(name);
    if (existing === undefined && flags.startsWith('r')) throw failure('ENOENT', path);
    if (existing === undefined) this.do({ kind: 'create', directory, name });
    const file = this.files.indexOf(this.named(directory, name));
    if (existing !== undefined && flags.startsWith('w')) this.resize(file, 0);
    return this.fileHandle(file);
  }

  private resize(file: number, size: number): void {
    if (this.inode(file).size !== size) this.do({ kind: 'resize', file, size });
  }

  /** Takes space for a file that grows; returns the end that it can have, which is lower when the disk gets full. */
  private take(file: number, end: number): number {
    const { size } = this.inode(file);
    const more = Math.min(Math.max(0, end - size), this.bytesFree);
    this.bytesFree -= more;
    return Math.min(end, size + more);
  }

  private directoryHandle(path: string) {
    const sync = async () => {
      await this.call();
      this.do({ kind: 'syncDirectory', directory: path });
    };
    return {
      sync,
      datasync: sync,
      close: async () => {},
    };
  }

  private fileHandle(file: number) {
    const sync = async () => {
      await this.call();
      this.do({ kind: 'sync', file });
    };
    const writev = async (buffers: Uint8Array[], position: number) => {
      await this.call();
      const all = Buffer.concat(buffers);
      const bytes = all.subarray(0, Math.max(0, this.take(file, position + all.length) - position));
      if (bytes.length === 0 && all.length > 0) throw failure('ENOSPC', `file ${file}`);
      this.do({ kind: 'write', file, position, bytes });
      return { bytesWritten: bytes.length };
    };
    return {
      sync,
      datasync: sync,
      failSync: () => this.inode(file).failSync(),
      writev,
      write: (buffer: Uint8Array, at: number, length: number, position: number) =>
        writev([buffer.subarray(at, at + length)], position),
      read: async (buffer: Uint8Array, at: number, length: number, position: number) => {
        await this.call();
        return { bytesRead: this.inode(file).read(position, buffer.subarray(at, at + length)) };
      },
      truncate: async (bytes: number) => {
        await this.call();
        this.resize(file, bytes);
      },
      preallocate: async (bytes: number) => {
        await this.call();
        const end = this.take(file, bytes);
        this.resize(file, Math.max(this.inode(file).size, end));
        // As much as there was stays with the file.
        if (end < bytes) throw failure('ENOSPC', `file ${file}`);
        return true;
      },
      writeZeros: async (from: number, to: number) => {
        await this.call(ZEROS_TURNS);
        if (this.take(file, to) < to) throw failure('ENOSPC', `file ${file}`);
        this.do({ kind: 'write', file, position: from, bytes: Buffer.alloc(to - from) });
        return true;
      },
      stat: async () => {
        await this.call();
        return { size: this.inode(file).size };
      },
      close: async () => {},
    };
  }
}

function failure(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code });
}
