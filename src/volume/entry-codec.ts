import { ByteReader, ByteWriter } from '../engine/bytes.js';
import { DIGEST_BYTES } from '../engine/digest.js';
import { ProtocolError } from '../errors.js';
import { type Attributes, ENTRY_KINDS, type Entry } from './entry.js';
import { checkPath, pathBytes, pathFromBytes, type VolumePath } from './path.js';

/**
 * Entries as bytes, in catalog runs and in listings. Neighbours share most of their path, so each entry says how many
 * bytes it takes over from the one before.
 *
 *   shared path bytes varint, rest of the path (varint length, bytes), flags u8, then unless removed:
 *   attributes, size varint, digest (16 bytes) where flagged, target (varint length, bytes) where flagged,
 *   signature (inode varint, changed varint) where flagged
 *
 * Flags: bits 0 and 1 kind (0 directory, 1 file, 2 symlink), 2 digest, 3 target, 4 signature, 5 removed.
 * Attributes: mode varint (bit 12: time before 1970), time varint (microseconds), uid varint, gid varint.
 */

const KIND_MASK = 3;
const HAS_DIGEST = 4;
const HAS_TARGET = 8;
const HAS_SIGNATURE = 16;
const REMOVED = 32;
const PERMISSION_BITS = 0o7777;
const BEFORE_1970 = 0o10000;
const TARGET_BYTES_MAX = 4096;
const PATH_BYTES_MAX = 4096;

export type CatalogItem = { path: VolumePath; entry: Entry | undefined };

export class EntryWriter {
  readonly #writer = new ByteWriter(64 * 1024);
  #previous: VolumePath = '';

  get length(): number {
    return this.#writer.length;
  }

  add(path: VolumePath, entry: Entry | undefined): void {
    const shared = sharedLength(this.#previous, path);
    this.#writer.varint(shared).bytes(pathBytes(path.slice(shared)));
    this.#previous = path;
    if (entry === undefined) this.#writer.u8(REMOVED);
    else this.#entry(entry);
  }

  /** The bytes so far; what follows goes on from there. */
  take(): Buffer {
    return this.#writer.take();
  }

  #entry(entry: Entry): void {
    const { digest, target, signature } = entry;
    const flags =
      ENTRY_KINDS.indexOf(entry.kind) |
      (digest === undefined ? 0 : HAS_DIGEST) |
      (target === undefined ? 0 : HAS_TARGET) |
      (signature === undefined ? 0 : HAS_SIGNATURE);
    writeAttributes(this.#writer.u8(flags), entry.attributes).varint(entry.size);
    if (digest !== undefined) this.#writer.raw(digest);
    if (target !== undefined) this.#writer.bytes(target);
    if (signature !== undefined) this.#writer.varint(signature.inode).varint(signature.changed);
  }
}

/** Reads what an EntryWriter wrote, given in the same pieces, from the entry after `previous` on. */
export class EntryReader {
  #previous: VolumePath;

  constructor(previous: VolumePath = '') {
    this.#previous = previous;
  }

  read(bytes: Buffer): CatalogItem[] {
    const reader = new ByteReader(bytes, 'entries');
    const items: CatalogItem[] = [];
    while (reader.remaining > 0) items.push(this.#item(reader));
    return items;
  }

  #item(reader: ByteReader): CatalogItem {
    const shared = reader.varint(this.#previous.length);
    const path = checkPath(this.#previous.slice(0, shared) + pathFromBytes(reader.bytes(PATH_BYTES_MAX)));
    this.#previous = path;
    const flags = reader.u8();
    if (flags === REMOVED) return { path, entry: undefined };
    const kind = ENTRY_KINDS[flags & KIND_MASK];
    if (kind === undefined || flags >= REMOVED) throw new ProtocolError(`entry flags ${flags}`, 'known flags');
    const attributes = readAttributes(reader);
    const entry: Entry = { path, kind, attributes, size: reader.varint() };
    if (flags & HAS_DIGEST) entry.digest = reader.raw(DIGEST_BYTES);
    if (flags & HAS_TARGET) entry.target = reader.bytes(TARGET_BYTES_MAX);
    if (flags & HAS_SIGNATURE) entry.signature = { inode: reader.varint(), changed: reader.varint() };
    return { path, entry };
  }
}

export function writeAttributes(writer: ByteWriter, attributes: Attributes): ByteWriter {
  const { mode, mtime, uid, gid } = attributes;
  return writer
    .varint(mode | (mtime < 0 ? BEFORE_1970 : 0))
    .varint(Math.abs(mtime))
    .varint(uid)
    .varint(gid);
}

export function readAttributes(reader: ByteReader): Attributes {
  const mode = reader.varint(BEFORE_1970 | PERMISSION_BITS);
  const mtime = reader.varint() * (mode & BEFORE_1970 ? -1 : 1);
  return { mode: mode & PERMISSION_BITS, mtime, uid: reader.varint(0xffff_ffff), gid: reader.varint(0xffff_ffff) };
}

function sharedLength(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  let shared = 0;
  while (shared < length && a.charCodeAt(shared) === b.charCodeAt(shared)) shared++;
  return shared;
}
