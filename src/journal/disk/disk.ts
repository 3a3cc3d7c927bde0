import * as promises from 'node:fs/promises';
import { dirname } from 'node:path';
import { engine, kernels } from '../../engine/engine.js';
import { isErrno, storageError } from '../../engine/files.js';
import { unwritten } from '../../engine/gathered.js';

/**
 * The file operations that a journal uses. The functions beneath are passed in, so that tests can make any of them
 * fail; every failure comes back as a StorageError or DiskFullError that names the operation and the path.
 */

type FileHandle = promises.FileHandle;

export type JournalFileSystem = Pick<typeof promises, 'open' | 'mkdir' | 'readdir' | 'rename' | 'unlink' | 'statfs'> & {
  /** Writes all of the buffers and, if asked, makes them durable, in one call; otherwise writev and datasync serve. */
  writeDurable?: (handle: FileHandle, buffers: Uint8Array[], position: number, sync: boolean) => Promise<void>;
  /** Has what is written in whole pages go past the page cache, where that is possible. */
  bypassCache?: (handle: FileHandle) => void;
  /** Gives a file all its blocks up to a size; false where that is not supported. */
  preallocate?: (handle: FileHandle, bytes: number) => Promise<boolean>;
  /** Writes zeros to whole pages that nobody else touches, past the page cache; false where that is not supported. */
  writeZeros?: (handle: FileHandle, from: number, to: number) => Promise<boolean>;
  /**
   * Reads spans, each a position and a length, into memory, one behind the other; false when the file ends before that.
   * Otherwise one read after another serves.
   */
  readSpans?: (handle: FileHandle, spans: Float64Array, into: Uint8Array) => Promise<boolean>;
};

const NODE_FILE_SYSTEM: JournalFileSystem = {
  ...promises,
  readSpans: ({ fd }, spans, into) => kernels.readSpans(fd, spans, into),
  ...(engine.name === 'native' && {
    writeDurable: ({ fd }, buffers, position, sync) => kernels.writeDurable(fd, buffers, position, sync),
    bypassCache: ({ fd }) => kernels.bypassCache(fd),
    preallocate: ({ fd }, bytes) => kernels.preallocate(fd, bytes),
    writeZeros: ({ fd }, from, to) => kernels.writeZeros(fd, from, to),
  }),
};

export class Disk {
  constructor(private readonly fs: JournalFileSystem = NODE_FILE_SYSTEM) {}

  async open(path: string, flags: 'r' | 'r+' | 'w' | 'w+'): Promise<DiskFile> {
    try {
      return new DiskFile(path, await this.fs.open(path, flags), this.fs);
    } catch (error) {
      throw storageError('opening', path, error);
    }
  }

  /** Makes a directory and those above it, durably. */
  async makeDirectory(path: string): Promise<void> {
    const highest = await guard('making directory', path, this.fs.mkdir(path, { recursive: true }));
    if (highest === undefined) return;
    for (let made = path; made.length >= highest.length; made = dirname(made)) await this.syncDirectory(dirname(made));
  }

  list(path: string): Promise<string[]> {
    return guard('listing', path, this.fs.readdir(path));
  }

  rename(from: string, to: string): Promise<void> {
    return guard('renaming', from, this.fs.rename(from, to));
  }

  async remove(path: string): Promise<void> {
    try {
      await this.fs.unlink(path);
    } catch (error) {
      if (!isErrno(error, 'ENOENT')) throw storageError('removing', path, error);
    }
  }

  /** How many bytes the file system still has for this process. */
  async freeBytes(path: string): Promise<number> {
    const { bavail, bsize } = await guard('looking at the file system of', path, this.fs.statfs(path));
    return bavail * bsize;
  }

  async syncDirectory(path: string): Promise<void> {
    const directory = await this.open(path, 'r');
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
  }

  /** Writes a small file beside its place, syncs it and renames it there: it exists whole or not at all. */
  async placeFile(aside: string, path: string, content: Uint8Array): Promise<void> {
    const file = await this.open(aside, 'w');
    try {
      await file.write([content], 0);
      await file.sync();
    } finally {
      await file.close();
    }
    await this.rename(aside, path);
  }
}

export class DiskFile {
  constructor(
    /** Where the file is now, for what errors say. */
    public path: string,
    private readonly handle: FileHandle,
    private readonly fs: JournalFileSystem,
  ) {}

  /** Writes all of the buffers, which lie one after the other from `position`. */
  async write(buffers: Uint8Array[], position: number): Promise<void> {
    let rest = buffers;
    let at = position;
    try {
      while (rest.length > 0) {
        const single = rest.length === 1 ? rest[0] : undefined;
        const { bytesWritten } =
          single === undefined
            ? await this.handle.writev(rest, at)
            : await this.handle.write(single, 0, single.byteLength, at);
        at += bytesWritten;
        rest = unwritten(rest, bytesWritten);
      }
    } catch (error) {
      throw storageError('writing', this.path, error);
    }
  }

  /** Writes all of the buffers and, if asked, makes them durable. */
  async writeDurable(buffers: Uint8Array[], position: number, sync: boolean): Promise<void> {
    if (this.fs.writeDurable !== undefined) {
      return guard('writing', this.path, this.fs.writeDurable(this.handle, buffers, position, sync));
    }
    await this.write(buffers, position);
    if (sync) await this.datasync();
  }

  /** Has what is written from now on in whole pages go past the page cache, where that is possible. */
  bypassCache(): void {
    this.fs.bypassCache?.(this.handle);
  }

  /** Gives the file all its blocks up to a size; false where that is not supported. */
  async preallocate(bytes: number): Promise<boolean> {
    if (this.fs.preallocate === undefined) return false;
    return guard('allocating', this.path, this.fs.preallocate(this.handle, bytes));
  }

  /** Whether it is worth trying to write zeros ahead. */
  get writesZeros(): boolean {
    return this.fs.writeZeros !== undefined;
  }

  /** Writes zeros to whole pages that nobody else touches, past the page cache; false where that is not supported. */
  async writeZeros(from: number, to: number): Promise<boolean> {
    if (this.fs.writeZeros === undefined) return false;
    return guard('writing', this.path, this.fs.writeZeros(this.handle, from, to));
  }

  /** Reads until the buffer is full or the file ends; returns the number of bytes read. */
  async read(buffer: Uint8Array, position: number): Promise<number> {
    let filled = 0;
    try {
      while (filled < buffer.byteLength) {
        const { bytesRead } = await this.handle.read(buffer, filled, buffer.byteLength - filled, position + filled);
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
    } catch (error) {
      throw storageError('reading', this.path, error);
    }
    return filled;
  }

  /**
   * Reads spans, each a position and a length, into memory that has room for them, one behind the other; false when the
   * file ends before that.
   */
  async readSpans(spans: Float64Array, into: Uint8Array): Promise<boolean> {
    if (this.fs.readSpans !== undefined) {
      return guard('reading', this.path, this.fs.readSpans(this.handle, spans, into));
    }
    let at = 0;
    for (let index = 0; index < spans.length; index += 2) {
      const [position = 0, length = 0] = spans.subarray(index, index + 2);
      if ((await this.read(into.subarray(at, at + length), position)) < length) return false;
      at += length;
    }
    return true;
  }

  datasync(): Promise<void> {
    return guard('syncing', this.path, this.handle.datasync());
  }

  sync(): Promise<void> {
    return guard('syncing', this.path, this.handle.sync());
  }

  truncate(bytes: number): Promise<void> {
    return guard('truncating', this.path, this.handle.truncate(bytes));
  }

  async size(): Promise<number> {
    return (await guard('looking at', this.path, this.handle.stat())).size;
  }

  close(): Promise<void> {
    return guard('closing', this.path, this.handle.close());
  }
}

async function guard<T>(operation: string, path: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw storageError(operation, path, error);
  }
}
