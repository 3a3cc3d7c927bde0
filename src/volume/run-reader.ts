import { type FileHandle, open } from 'node:fs/promises';
import { checksum64 } from '../engine/checksum.js';
import { storageError } from '../engine/files.js';
import { FormatVersionError, StateDamagedError } from '../errors.js';

/** The blocks of a run, checked (see catalog-run.ts for the format). */

export const MAGIC = Buffer.from('LHC1');
export const VERSION = 1;
export const FILE_HEADER_BYTES = 8;
export const BLOCK_HEADER_BYTES = 12;
export const BLOCK_BYTES = 64 * 1024;
/** A block is closed after the item that fills it, so it is at most one item longer. */
const BLOCK_BYTES_MAX = 2 * BLOCK_BYTES;

export class RunReader {
  /** Where the next block begins. */
  position = 0;
  readonly #path: string;
  readonly #handle: FileHandle;

  private constructor(path: string, handle: FileHandle) {
    this.#path = path;
    this.#handle = handle;
  }

  /** At the first block, or at one whose position is known. */
  static async open(path: string, position?: number): Promise<RunReader> {
    const handle = await open(path, 'r').catch((error: unknown) => {
      throw storageError('opening', path, error);
    });
    const reader = new RunReader(path, handle);
    try {
      if (position === undefined) await reader.#readHeader();
      else reader.position = position;
    } catch (error) {
      await handle.close();
      throw error;
    }
    return reader;
  }

  /** The next block's bytes; none at the end of the run. */
  async readBlock(): Promise<Buffer> {
    const header = await this.#read(BLOCK_HEADER_BYTES);
    const length = header.readUInt32LE(0);
    if (length > BLOCK_BYTES_MAX) throw this.#damaged(`a block of ${length} bytes at ${this.position}`);
    const bytes = await this.#read(length);
    if (checksum64(bytes) !== header.readBigUInt64LE(4))
      throw this.#damaged(`a wrong checksum before byte ${this.position}`);
    return bytes;
  }

  close(): Promise<void> {
    return this.#handle.close();
  }

  async #readHeader(): Promise<void> {
    const header = await this.#read(FILE_HEADER_BYTES);
    if (!header.subarray(0, 4).equals(MAGIC)) throw this.#damaged('not a catalog');
    const version = header.readUInt32LE(4);
    if (version !== VERSION) throw new FormatVersionError(this.#path, version, VERSION);
  }

  async #read(length: number): Promise<Buffer> {
    const bytes = Buffer.allocUnsafe(length);
    const { bytesRead } = await this.#handle.read(bytes, 0, length, this.position);
    if (bytesRead !== length) throw this.#damaged(`cut short at byte ${this.position + bytesRead}`);
    this.position += length;
    return bytes;
  }

  #damaged(found: string): StateDamagedError {
    return new StateDamagedError(
      this.#path,
      found,
      'remove the catalog directory and start with --adopt to build it anew',
    );
  }
}
