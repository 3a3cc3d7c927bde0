import * as fs from 'node:fs';
import { promisify } from 'node:util';
import { effectiveMode, mayGiveAway, seconds } from './attributes.js';
import type { Attributes } from './entry.js';

/**
 * An open file. What may have to wait for a disk runs off the event loop; what only touches the inode in memory is done
 * at once, because handing it to another thread costs ten times the call itself, for each of a million small files.
 */

const openAsync = promisify(fs.open);
const readAsync = promisify(fs.read) as (
  fd: number,
  buffer: Uint8Array,
  offset: number,
  length: number,
  position: number,
) => Promise<{ bytesRead: number }>;
const writeAsync = promisify(fs.write) as (
  fd: number,
  buffer: Uint8Array,
  offset: number,
  length: number,
  position: number,
) => Promise<{ bytesWritten: number }>;
const syncAsync = promisify(fs.fsync);
const syncDataAsync = promisify(fs.fdatasync);
const truncateAsync = promisify(fs.ftruncate);

export class Descriptor {
  readonly #fd: number;

  private constructor(fd: number) {
    this.#fd = fd;
  }

  static async open(path: string | Buffer, flags: string | number, mode = 0o600): Promise<Descriptor> {
    return new Descriptor(await openAsync(path, flags, mode));
  }

  stat(): fs.BigIntStats {
    return fs.fstatSync(this.#fd, { bigint: true });
  }

  /** Fills `buffer` from `position`; gives how much of it, which is less only at the end of the file. */
  async read(buffer: Uint8Array, position: number): Promise<number> {
    let filled = 0;
    while (filled < buffer.byteLength) {
      const { bytesRead } = await readAsync(this.#fd, buffer, filled, buffer.byteLength - filled, position + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return filled;
  }

  async write(bytes: Uint8Array, position: number): Promise<void> {
    let written = 0;
    while (written < bytes.byteLength) {
      const left = bytes.byteLength - written;
      written += (await writeAsync(this.#fd, bytes, written, left, position + written)).bytesWritten;
    }
  }

  truncate(length: number): Promise<void> {
    return truncateAsync(this.#fd, length);
  }

  setAttributes(attributes: Attributes): void {
    // The owner first: a change of owner clears the bits that lend its rights.
    if (mayGiveAway) fs.fchownSync(this.#fd, attributes.uid, attributes.gid);
    fs.fchmodSync(this.#fd, effectiveMode(attributes));
    const time = seconds(attributes.mtime);
    fs.futimesSync(this.#fd, time, time);
  }

  /** Content, length and attributes. */
  sync(): Promise<void> {
    return syncAsync(this.#fd);
  }

  /** Content and length. */
  syncData(): Promise<void> {
    return syncDataAsync(this.#fd);
  }

  close(): void {
    fs.closeSync(this.#fd);
  }
}
