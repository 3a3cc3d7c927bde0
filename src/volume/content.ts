import { type BigIntStats, constants } from 'node:fs';
import { Digest, digestOf } from '../engine/digest.js';
import { publish } from '../engine/events.js';
import { isErrno } from '../engine/files.js';
import { prefetched } from '../engine/prefetch.js';
import type { Transfer } from './catalog.js';
import { Descriptor } from './descriptor.js';
import { digestHandle } from './digest-file.js';
import { attributesFromStats, type Entry, type Signature, signatureFromStats } from './entry.js';
import type { Operation } from './operation.js';
import { displayPath, type VolumePath } from './path.js';
import { filledStretches } from './sparse.js';
import type { Root } from './walk.js';

/** Reads files of the source for the stream, and notices when one changes meanwhile. */

/** A file up to this size is one record; a larger one goes in parts of this size. */
export const PART_BYTES = 1024 * 1024;
/** A hole is looked for in steps of this size; smaller zero runs travel as data and become holes again over there. */
const HOLE_STEP_BYTES = 64 * 1024;
const ATTEMPTS_MAX = 4;
/**
 * A file changed less than this before it was read could change again within the same tick of its file system's clock:
 * its signature proves nothing, so it is not kept. Two seconds is the coarsest tick in use (FAT).
 */
const CLOCK_TICK_MS = 2000;

const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;

/** Takes the operations of one file; parts may be many. */
export type Emit = (operation: Operation, entry?: Entry) => Promise<void>;

export type ContentResult =
  /** The content crossed; unstable: it still changed at the last attempt. */
  | { outcome: 'sent'; unstable: boolean }
  /** The file has gone, or is no file any more. */
  | { outcome: 'gone' }
  | { outcome: 'unreadable'; detail: string };

/** The digest of a file as it is now, with the entry it belongs to; undefined when it is gone or will not hold still. */
export async function digestFile(root: Root, path: VolumePath): Promise<Entry | undefined> {
  const handle = await openFile(root, path);
  if (handle === undefined) return undefined;
  try {
    const readAtMs = Date.now();
    const before = handle.stat();
    if (!before.isFile()) return undefined;
    const digest = await digestHandle(handle, Number(before.size));
    const after = handle.stat();
    return unchanged(before, after) ? contentEntry(path, after, readAtMs, digest) : undefined;
  } finally {
    handle.close();
  }
}

/** A small file as it was read, in one piece and unchanged. */
export interface WholeFile {
  entry: Entry;
  sparse: boolean;
  content: Buffer;
}

/** Undefined when the file is too large for one record, or is not there to be read calmly: `sendFile` finds out which. */
export async function readWhole(root: Root, path: VolumePath): Promise<WholeFile | undefined> {
  const handle = await openFile(root, path);
  if (handle === undefined) return undefined;
  try {
    const stats = handle.stat();
    if (!stats.isFile() || stats.size > PART_BYTES) return undefined;
    const { steady, ...whole } = await new FileSource(path, handle, stats).readWhole();
    return steady ? whole : undefined;
  } finally {
    handle.close();
  }
}

export function wholeOperation({ entry, sparse, content }: WholeFile): Operation {
  return { type: 'file', path: entry.path, attributes: entry.attributes, sparse, content };
}

/** Sends the content of a file, again while it changes, and at last as it was found. */
export async function sendFile(
  root: Root,
  path: VolumePath,
  emit: Emit,
  resume: Transfer | undefined,
): Promise<ContentResult> {
  for (let attempt = 1; ; attempt++) {
    let handle: Descriptor | undefined;
    try {
      handle = await openFile(root, path);
    } catch (error) {
      return { outcome: 'unreadable', detail: error instanceof Error ? error.message : String(error) };
    }
    if (handle === undefined) return { outcome: 'gone' };
    try {
      const stats = handle.stat();
      if (!stats.isFile()) return { outcome: 'gone' };
      const source = new FileSource(path, handle, stats);
      const last = attempt === ATTEMPTS_MAX;
      const steady =
        stats.size <= PART_BYTES
          ? await source.sendWhole(emit, last)
          : await source.sendParts(emit, last, attempt === 1 ? resume : undefined);
      if (steady || last) return { outcome: 'sent', unstable: !steady };
      publish('unstable', { path: displayPath(path), attempt });
    } catch (error) {
      if (!(error instanceof UnreadableError)) throw error;
      return { outcome: 'unreadable', detail: error.message };
    } finally {
      handle.close();
    }
  }
}

/** The disk does not give a file's content. */
class UnreadableError extends Error {}

class FileSource {
  readonly #path: VolumePath;
  readonly #handle: Descriptor;
  readonly #stats: BigIntStats;
  readonly #readAtMs = Date.now();

  constructor(path: VolumePath, handle: Descriptor, stats: BigIntStats) {
    this.#path = path;
    this.#handle = handle;
    this.#stats = stats;
  }

  async readWhole(): Promise<WholeFile & { steady: boolean }> {
    const content = await this.#read(0, Number(this.#stats.size));
    const steady = this.#isSteady(content.byteLength === Number(this.#stats.size));
    const entry = this.#entry(digestOf(content), steady, content.byteLength);
    return { steady, entry, sparse: this.#isSparse, content };
  }

  /** Sends the file as one record; false when it changed, and then nothing was sent unless it is the last attempt. */
  async sendWhole(emit: Emit, last: boolean): Promise<boolean> {
    const { steady, ...whole } = await this.readWhole();
    if (steady || last) await emit(wholeOperation(whole), whole.entry);
    return steady;
  }

  /** Sends the file in parts, from where an earlier run stopped if the file is still the same. */
  async sendParts(emit: Emit, last: boolean, resume: Transfer | undefined): Promise<boolean> {
    const size = Number(this.#stats.size);
    const from = this.#resumeAt(resume);
    if (from === 0) await this.#begin(emit, size);
    const digest = new Digest();
    let at = 0;
    for await (const part of prefetched(this.#parts(size), () => {})) {
      digest.update(part);
      // What lies below the resumption point is read for the digest alone.
      if (at >= from) await this.#sendPart(emit, at, part);
      at += part.byteLength;
    }
    const steady = this.#isSteady(at === size);
    if (!steady && !last) {
      await emit({ type: 'discard' });
      return false;
    }
    const entry = this.#entry(digest.finish(), steady, at);
    await emit(
      {
        type: 'commit',
        path: this.#path,
        attributes: entry.attributes,
        size: at,
        digest: entry.digest ?? Buffer.alloc(0),
      },
      entry,
    );
    return steady;
  }

  async #begin(emit: Emit, size: number): Promise<void> {
    const { inode, changed } = signatureFromStats(this.#stats);
    const { mtime } = attributesFromStats(this.#stats);
    await emit({ type: 'begin', path: this.#path, size, sparse: this.#isSparse, inode, changed, mtime });
  }

  #resumeAt(resume: Transfer | undefined): number {
    if (resume === undefined || resume.path !== this.#path || resume.size !== Number(this.#stats.size)) return 0;
    const { inode, changed } = signatureFromStats(this.#stats);
    const same =
      resume.inode === inode && resume.changed === changed && resume.mtime === attributesFromStats(this.#stats).mtime;
    return same ? resume.offset - (resume.offset % PART_BYTES) : 0;
  }

  /** Sends a part; of a file with holes only the stretches that hold something. */
  async #sendPart(emit: Emit, at: number, part: Buffer): Promise<void> {
    if (!this.#isSparse) return emit({ type: 'part', path: this.#path, offset: at, content: part });
    for (const [from, to] of filledStretches(part, HOLE_STEP_BYTES)) {
      await emit({ type: 'part', path: this.#path, offset: at + from, content: part.subarray(from, to) });
    }
  }

  get #isSparse(): boolean {
    return this.#stats.blocks * 512n < this.#stats.size;
  }

  /** The file from front to back; ends early when it has become shorter. */
  async *#parts(size: number): AsyncGenerator<Buffer> {
    for (let at = 0; at < size; ) {
      const part = await this.#read(at, Math.min(PART_BYTES, size - at));
      if (part.byteLength === 0) return;
      yield part;
      at += part.byteLength;
    }
  }

  async #read(at: number, length: number): Promise<Buffer> {
    const buffer = Buffer.allocUnsafeSlow(length);
    const filled = await this.#handle.read(buffer, at).catch((error: unknown) => {
      throw new UnreadableError(error instanceof Error ? error.message : String(error), { cause: error });
    });
    return buffer.subarray(0, filled);
  }

  #isSteady(complete: boolean): boolean {
    return complete && unchanged(this.#stats, this.#handle.stat());
  }

  #entry(digest: Buffer, steady: boolean, size = Number(this.#stats.size)): Entry {
    const entry = contentEntry(this.#path, this.#stats, this.#readAtMs, digest);
    entry.size = size;
    if (!steady) delete entry.signature;
    return entry;
  }
}

function contentEntry(path: VolumePath, stats: BigIntStats, readAtMs: number, digest: Buffer): Entry {
  const signature = settledSignature(stats, readAtMs);
  return {
    path,
    kind: 'file',
    attributes: attributesFromStats(stats),
    size: Number(stats.size),
    digest,
    ...(signature === undefined ? {} : { signature }),
  };
}

function settledSignature(stats: BigIntStats, readAtMs: number): Signature | undefined {
  const ageMs = readAtMs - Number(stats.ctimeNs / 1_000_000n);
  return ageMs > CLOCK_TICK_MS ? signatureFromStats(stats) : undefined;
}

function unchanged(before: BigIntStats, after: BigIntStats): boolean {
  return before.size === after.size && before.mtimeNs === after.mtimeNs && before.ctimeNs === after.ctimeNs;
}

async function openFile(root: Root, path: VolumePath): Promise<Descriptor | undefined> {
  try {
    return await Descriptor.open(root.at(path), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO', 'EISDIR')) return undefined;
    throw error;
  }
}
