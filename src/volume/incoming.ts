import { type FileHandle, open } from 'node:fs/promises';
import { Digest } from '../engine/digest.js';
import { isErrno } from '../engine/files.js';
import { setFileAttributes } from './attributes.js';
import type { Transfer } from './catalog.js';
import type { OperationOf } from './operation.js';
import { writeAll, writeSparse } from './sparse.js';

/**
 * The large file that is on its way into the replica. Its parts are written aside in order and digested on the way; what
 * the sender left out as holes counts as zeros. After a restart the digest is taken from the file itself.
 */

const READ_BYTES = 1024 * 1024;
const ZEROS = Buffer.alloc(READ_BYTES);

export class Incoming {
  readonly #path: string;
  #handle: FileHandle | undefined;
  #digest: { state: Digest; at: number } | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** Starts anew with an empty file. */
  async begin(): Promise<void> {
    await this.close();
    this.#handle = await open(this.#path, 'w+', 0o600);
    this.#digest = { state: new Digest(), at: 0 };
  }

  /** Writes a part; false when there is no file that it belongs to. */
  async write(transfer: Transfer, part: OperationOf<'part'>): Promise<boolean> {
    const handle = await this.#open();
    if (handle === undefined) return false;
    if (transfer.sparse) await writeSparse(handle, part.content, part.offset);
    else await writeAll(handle, part.content, part.offset);
    const digest = this.#digest;
    // A part that comes again after a restart makes the running digest useless, and so does a gap that is no hole.
    if (digest === undefined || part.offset < digest.at) this.#digest = undefined;
    else {
      await digestZeros(digest, part.offset);
      digest.state.update(part.content);
      digest.at += part.content.byteLength;
    }
    return true;
  }

  /** Gives the file its length and attributes, durably; false when its content is not what the sender read. */
  async commit(operation: OperationOf<'commit'>): Promise<boolean> {
    const handle = await this.#open();
    if (handle === undefined) return false;
    await handle.truncate(operation.size);
    const digest = await this.#finishDigest(handle, operation.size);
    if (!digest.equals(operation.digest)) return false;
    await setFileAttributes(handle, operation.attributes);
    await handle.sync();
    await this.close();
    return true;
  }

  async sync(): Promise<void> {
    await this.#handle?.datasync();
  }

  async close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    this.#digest = undefined;
    await handle?.close();
  }

  /** The file, also when an earlier process began it. */
  async #open(): Promise<FileHandle | undefined> {
    try {
      this.#handle ??= await open(this.#path, 'r+');
    } catch (error) {
      if (!isErrno(error, 'ENOENT')) throw error;
    }
    return this.#handle;
  }

  async #finishDigest(handle: FileHandle, size: number): Promise<Buffer> {
    const running = this.#digest;
    if (running !== undefined && running.at <= size) {
      await digestZeros(running, size);
      return running.state.finish();
    }
    return digestHandle(handle);
  }
}

export async function digestHandle(handle: FileHandle): Promise<Buffer> {
  const digest = new Digest();
  const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
  for (let at = 0; ; ) {
    const { bytesRead } = await handle.read(buffer, 0, buffer.byteLength, at);
    if (bytesRead === 0) return digest.finish();
    digest.update(buffer.subarray(0, bytesRead));
    at += bytesRead;
  }
}

/** Holes may span terabytes: the event loop gets its turn between steps. */
async function digestZeros(digest: { state: Digest; at: number }, upTo: number): Promise<void> {
  while (digest.at < upTo) {
    const length = Math.min(READ_BYTES, upTo - digest.at);
    digest.state.update(ZEROS.subarray(0, length));
    digest.at += length;
    await new Promise((resolve) => setImmediate(resolve));
  }
}
