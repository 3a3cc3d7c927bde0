import { Digest } from '../engine/digest.js';
import { isErrno } from '../engine/files.js';
import type { Transfer } from './catalog.js';
import { Descriptor } from './descriptor.js';
import { digestHandle } from './digest-file.js';
import type { OperationOf } from './operation.js';
import { writeSparse } from './sparse.js';

/**
 * The large file that is on its way into the replica. Its parts are written aside in order and digested on the way; what
 * the sender left out as holes counts as zeros. After a restart the digest is taken from the file itself.
 */

const STEP_BYTES = 1024 * 1024;
const ZEROS = Buffer.alloc(STEP_BYTES);

export class Incoming {
  readonly #path: string;
  #handle: Descriptor | undefined;
  #digest: { state: Digest; at: number } | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** Starts anew with an empty file. */
  async begin(): Promise<void> {
    this.close();
    this.#handle = await Descriptor.open(this.#path, 'w+');
    this.#digest = { state: new Digest(), at: 0 };
  }

  /** Writes a part; false when there is no file that it belongs to. */
  async write(transfer: Transfer, part: OperationOf<'part'>): Promise<boolean> {
    const handle = await this.#open();
    if (handle === undefined) return false;
    const writing = transfer.sparse
      ? writeSparse(handle, part.content, part.offset)
      : handle.write(part.content, part.offset);
    // Digested while the disk is at work.
    await Promise.all([writing, this.#digestPart(part)]);
    return true;
  }

  /** Gives the file its length and attributes, durably; false when its content is not what the sender read. */
  async commit(operation: OperationOf<'commit'>): Promise<boolean> {
    const handle = await this.#open();
    if (handle === undefined) return false;
    await handle.truncate(operation.size);
    const digest = await this.#finishDigest(handle, operation.size);
    if (!digest.equals(operation.digest)) return false;
    handle.setAttributes(operation.attributes);
    await handle.sync();
    this.close();
    return true;
  }

  /** A part that comes again after a restart makes the running digest useless. */
  async #digestPart(part: OperationOf<'part'>): Promise<void> {
    const digest = this.#digest;
    if (digest === undefined) return;
    if (part.offset < digest.at) {
      this.#digest = undefined;
      return;
    }
    await digestZeros(digest, part.offset);
    digest.state.update(part.content);
    digest.at += part.content.byteLength;
  }

  async sync(): Promise<void> {
    await this.#handle?.syncData();
  }

  close(): void {
    const handle = this.#handle;
    this.#handle = undefined;
    this.#digest = undefined;
    handle?.close();
  }

  /** The file, also when an earlier process began it. */
  async #open(): Promise<Descriptor | undefined> {
    try {
      this.#handle ??= await Descriptor.open(this.#path, 'r+');
    } catch (error) {
      if (!isErrno(error, 'ENOENT')) throw error;
    }
    return this.#handle;
  }

  async #finishDigest(handle: Descriptor, size: number): Promise<Buffer> {
    const running = this.#digest;
    if (running !== undefined && running.at <= size) {
      await digestZeros(running, size);
      return running.state.finish();
    }
    return digestHandle(handle, size);
  }
}

/** Holes may span terabytes: the event loop gets its turn between steps. */
async function digestZeros(digest: { state: Digest; at: number }, upTo: number): Promise<void> {
  while (digest.at < upTo) {
    const length = Math.min(STEP_BYTES, upTo - digest.at);
    digest.state.update(ZEROS.subarray(0, length));
    digest.at += length;
    await new Promise((resolve) => setImmediate(resolve));
  }
}
