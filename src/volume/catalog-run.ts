import { type FileHandle, open } from 'node:fs/promises';
import { checksum64 } from '../engine/checksum.js';
import { storageError } from '../engine/files.js';
import { FormatVersionError, StateDamagedError } from '../errors.js';
import type { Entry } from './entry.js';
import { type CatalogItem, EntryReader, EntryWriter } from './entry-codec.js';
import type { VolumePath } from './path.js';

/**
 * A file of catalog items in path order, written once and read from front to back.
 *
 *   file:  magic `LHC1` (4 bytes), format version u32, then blocks
 *   block: length u32, XXH64 of the bytes u64, entries (see entry-codec.ts); a block of length 0 ends the file
 */

const MAGIC = Buffer.from('LHC1');
const VERSION = 1;
const FILE_HEADER_BYTES = 8;
const BLOCK_HEADER_BYTES = 12;
const BLOCK_BYTES = 64 * 1024;
/** A block is closed after the item that fills it, so it is at most one item longer. */
const BLOCK_BYTES_MAX = 2 * BLOCK_BYTES;

export class RunWriter {
  readonly #path: string;
  readonly #handle: FileHandle;
  readonly #entries = new EntryWriter();

  private constructor(path: string, handle: FileHandle) {
    this.#path = path;
    this.#handle = handle;
  }

  static async create(path: string): Promise<RunWriter> {
    const handle = await open(path, 'w').catch((error: unknown) => {
      throw storageError('creating', path, error);
    });
    const header = Buffer.alloc(FILE_HEADER_BYTES);
    MAGIC.copy(header);
    header.writeUInt32LE(VERSION, 4);
    const writer = new RunWriter(path, handle);
    await writer.#write(header);
    return writer;
  }

  /** Adds an item; paths must come in order. The promise is there only when something had to be written. */
  add(path: VolumePath, entry: Entry | undefined): Promise<void> | undefined {
    this.#entries.add(path, entry);
    return this.#entries.length >= BLOCK_BYTES ? this.#block() : undefined;
  }

  /** Makes the file complete and durable. */
  async finish(): Promise<void> {
    try {
      if (this.#entries.length > 0) await this.#block();
      await this.#block();
      await this.#handle.sync().catch((error: unknown) => {
        throw storageError('syncing', this.#path, error);
      });
    } finally {
      await this.#handle.close();
    }
  }

  async abandon(): Promise<void> {
    await this.#handle.close();
  }

  async #block(): Promise<void> {
    const bytes = this.#entries.take();
    const header = Buffer.alloc(BLOCK_HEADER_BYTES);
    header.writeUInt32LE(bytes.byteLength, 0);
    header.writeBigUInt64LE(checksum64(bytes), 4);
    await this.#write(Buffer.concat([header, bytes]));
  }

  async #write(bytes: Buffer): Promise<void> {
    await this.#handle.writeFile(bytes).catch((error: unknown) => {
      throw storageError('writing', this.#path, error);
    });
  }
}

/** The items of a run, in order. */
export async function* readRun(path: string): AsyncGenerator<CatalogItem> {
  const handle = await open(path, 'r').catch((error: unknown) => {
    throw storageError('opening', path, error);
  });
  try {
    const file = new RunReader(path, handle);
    await file.readHeader();
    const entries = new EntryReader();
    for (;;) {
      const block = await file.readBlock();
      if (block.byteLength === 0) return;
      yield* entries.read(block);
    }
  } finally {
    await handle.close();
  }
}

class RunReader {
  readonly #path: string;
  readonly #handle: FileHandle;
  #position = 0;

  constructor(path: string, handle: FileHandle) {
    this.#path = path;
    this.#handle = handle;
  }

  async readHeader(): Promise<void> {
    const header = await this.#read(FILE_HEADER_BYTES);
    if (!header.subarray(0, 4).equals(MAGIC)) throw this.#damaged('not a catalog');
    const version = header.readUInt32LE(4);
    if (version !== VERSION) throw new FormatVersionError(this.#path, version, VERSION);
  }

  async readBlock(): Promise<Buffer> {
    const header = await this.#read(BLOCK_HEADER_BYTES);
    const length = header.readUInt32LE(0);
    if (length > BLOCK_BYTES_MAX) throw this.#damaged(`a block of ${length} bytes at ${this.#position}`);
    const bytes = await this.#read(length);
    if (checksum64(bytes) !== header.readBigUInt64LE(4))
      throw this.#damaged(`a wrong checksum before byte ${this.#position}`);
    return bytes;
  }

  async #read(length: number): Promise<Buffer> {
    const bytes = Buffer.allocUnsafe(length);
    const { bytesRead } = await this.#handle.read(bytes, 0, length, this.#position);
    if (bytesRead !== length) throw this.#damaged(`cut short at byte ${this.#position + bytesRead}`);
    this.#position += length;
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
