import { type FileHandle, open } from 'node:fs/promises';
import { checksum64 } from '../engine/checksum.js';
import { storageError } from '../engine/files.js';
import type { Entry } from './entry.js';
import { type CatalogItem, EntryReader, EntryWriter } from './entry-codec.js';
import type { VolumePath } from './path.js';
import { BLOCK_BYTES, BLOCK_HEADER_BYTES, FILE_HEADER_BYTES, MAGIC, RunReader, VERSION } from './run-reader.js';

/**
 * A file of catalog items in path order, written once and read from front to back.
 *
 *   file:  magic `LHC1` (4 bytes), format version u32, then blocks
 *   block: length u32, XXH64 of the bytes u64, entries (see entry-codec.ts); a block of length 0 ends the file
 */

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
  const run = await RunReader.open(path);
  try {
    const entries = new EntryReader();
    for (;;) {
      const block = await run.readBlock();
      if (block.byteLength === 0) return;
      yield* entries.read(block);
    }
  } finally {
    await run.close();
  }
}
