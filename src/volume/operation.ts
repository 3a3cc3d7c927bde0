import { ByteReader, ByteWriter } from '../engine/bytes.js';
import { DIGEST_BYTES, digestOf } from '../engine/digest.js';
import { ProtocolError } from '../errors.js';
import type { Attributes, Entry, EntryKind } from './entry.js';
import { ENTRY_KINDS } from './entry.js';
import { readAttributes, writeAttributes } from './entry-codec.js';
import { checkPath, pathBytes, pathFromBytes, type VolumePath } from './path.js';

/**
 * Changes of a volume as records. A record's key is the path and its offset the place in the file, and content stands
 * alone at the front of the payload: what a later stage needs to recognise content that it has seen at the same place.
 * docs/protocol.md has the payload of each kind.
 */

/** Lower kinds are the embedder's. */
export const OWN_KINDS_FROM = 128;

export const OperationKind = {
  directory: 128,
  file: 129,
  begin: 130,
  part: 131,
  commit: 132,
  discard: 133,
  symlink: 134,
  remove: 135,
  rename: 136,
  attributes: 137,
  stash: 138,
  unstash: 139,
} as const;

export type Operation =
  | { type: 'directory'; path: VolumePath; attributes: Attributes }
  /** A whole file in one record. */
  | { type: 'file'; path: VolumePath; attributes: Attributes; sparse: boolean; content: Buffer }
  /** A larger file: its parts follow in order, then its commit. One at a time. */
  | { type: 'begin'; path: VolumePath; size: number; sparse: boolean; inode: number; changed: number; mtime: number }
  | { type: 'part'; path: VolumePath; offset: number; content: Buffer }
  | { type: 'commit'; path: VolumePath; attributes: Attributes; size: number; digest: Buffer }
  /** Gives up the file that is on its way, and whatever was moved aside. */
  | { type: 'discard' }
  | { type: 'symlink'; path: VolumePath; attributes: Attributes; target: Buffer }
  | { type: 'remove'; path: VolumePath; kind: EntryKind }
  | { type: 'rename'; path: VolumePath; from: VolumePath; attributes: Attributes; size: number; digest: Buffer }
  /** New attributes; a file's content is named too, so that the operation says all about the entry it leaves. */
  | { type: 'attributes'; path: VolumePath; attributes: Attributes; content?: { size: number; digest: Buffer } }
  /** Moves a file out of the way of others under a number, and back in under another path. */
  | { type: 'stash'; path: VolumePath; id: number }
  | { type: 'unstash'; path: VolumePath; id: number; attributes: Attributes; size: number; digest: Buffer };

export type OperationOf<T extends Operation['type']> = Extract<Operation, { type: T }>;

export interface OperationRecord {
  kind: number;
  key: Buffer;
  offset?: number;
  payload: Buffer;
}

/** Content at the front, what describes it behind, and the length of that in the last two bytes. */
const TRAILER_LENGTH_BYTES = 2;
const TARGET_BYTES_MAX = 4096;

export function encodeOperation(operation: Operation): OperationRecord {
  const kind = OperationKind[operation.type];
  if (operation.type === 'discard') return { kind, key: Buffer.alloc(0), payload: Buffer.alloc(0) };
  const key = pathBytes(operation.path);
  if (operation.type === 'part') return { kind, key, offset: operation.offset, payload: operation.content };
  if (operation.type === 'file') return { kind, key, offset: 0, payload: filePayload(operation) };
  return { kind, key, payload: describe(operation) };
}

/** Room that a file's description takes behind its content, at most. */
export const FILE_TRAILER_BYTES_MAX = 64;

/** Writes the description of a whole file behind its content; the buffer has FILE_TRAILER_BYTES_MAX to spare. */
function filePayload({ content, attributes, sparse }: OperationOf<'file'>): Buffer {
  const trailer = writeAttributes(new ByteWriter(FILE_TRAILER_BYTES_MAX).u8(sparse ? 1 : 0), attributes).take();
  const payload = Buffer.allocUnsafe(content.byteLength + trailer.byteLength + TRAILER_LENGTH_BYTES);
  content.copy(payload);
  trailer.copy(payload, content.byteLength);
  payload.writeUInt16LE(trailer.byteLength, content.byteLength + trailer.byteLength);
  return payload;
}

function describe(operation: Exclude<Operation, OperationOf<'discard' | 'part' | 'file'>>): Buffer {
  const writer = new ByteWriter(FILE_TRAILER_BYTES_MAX);
  switch (operation.type) {
    case 'directory':
      return writeAttributes(writer, operation.attributes).take();
    case 'begin':
      writer.u8(operation.sparse ? 1 : 0);
      return writer
        .varint(operation.size)
        .varint(operation.inode)
        .varint(operation.changed)
        .u64(BigInt.asUintN(64, BigInt(operation.mtime)))
        .take();
    case 'commit':
      return writeAttributes(writer, operation.attributes).varint(operation.size).raw(operation.digest).take();
    case 'symlink':
      return writeAttributes(writer, operation.attributes).bytes(operation.target).take();
    case 'remove':
      return writer.u8(ENTRY_KINDS.indexOf(operation.kind)).take();
    case 'rename':
      writeAttributes(writer.bytes(pathBytes(operation.from)), operation.attributes);
      return writer.varint(operation.size).raw(operation.digest).take();
    case 'attributes':
      writeAttributes(writer, operation.attributes).u8(operation.content === undefined ? 0 : 1);
      return operation.content === undefined
        ? writer.take()
        : writer.varint(operation.content.size).raw(operation.content.digest).take();
    case 'stash':
      return writer.varint(operation.id).take();
    case 'unstash':
      writeAttributes(writer.varint(operation.id), operation.attributes);
      return writer.varint(operation.size).raw(operation.digest).take();
  }
}

/** Reads a record that may come from a hostile peer: every path is checked, every length bounded. */
export function decodeOperation(record: { kind: number; key?: Buffer; offset?: number; payload: Buffer }): Operation {
  const type = TYPES.get(record.kind);
  if (type === undefined) throw new ProtocolError(`record kind ${record.kind}`, 'a change of a volume');
  if (type === 'discard') return { type };
  const path = checkPath(pathFromBytes(record.key ?? Buffer.alloc(0)));
  if (path === '' && type !== 'attributes') throw new ProtocolError(`a ${type} of the root`, 'a path inside it');
  if (type === 'part') return { type, path, offset: record.offset ?? 0, content: record.payload };
  if (type === 'file') return readFile(path, record.payload);
  const reader = new ByteReader(record.payload, type);
  const operation = readDescription(type, path, reader);
  reader.end();
  return operation;
}

const TYPES = new Map(Object.entries(OperationKind).map(([type, kind]) => [kind as number, type as Operation['type']]));

function readFile(path: VolumePath, payload: Buffer): Operation {
  const lengthAt = payload.byteLength - TRAILER_LENGTH_BYTES;
  const trailerBytes = lengthAt < 0 ? -1 : payload.readUInt16LE(lengthAt);
  if (trailerBytes < 0 || trailerBytes > lengthAt)
    throw new ProtocolError(`a file of ${payload.byteLength} bytes`, 'its description');
  const reader = new ByteReader(payload.subarray(lengthAt - trailerBytes, lengthAt), 'file');
  const sparse = reader.u8() === 1;
  const attributes = readAttributes(reader);
  reader.end();
  return { type: 'file', path, attributes, sparse, content: payload.subarray(0, lengthAt - trailerBytes) };
}

function readDescription(
  type: Exclude<Operation['type'], 'discard' | 'part' | 'file'>,
  path: VolumePath,
  reader: ByteReader,
): Operation {
  switch (type) {
    case 'directory':
      return { type, path, attributes: readAttributes(reader) };
    case 'begin': {
      const sparse = reader.u8() === 1;
      const [size, inode, changed] = [reader.varint(), reader.varint(), reader.varint()];
      return { type, path, size, sparse, inode, changed, mtime: Number(BigInt.asIntN(64, reader.u64())) };
    }
    case 'commit':
      return { type, path, ...readContent(reader) };
    case 'symlink':
      return { type, path, attributes: readAttributes(reader), target: reader.bytes(TARGET_BYTES_MAX) };
    case 'remove':
      return { type, path, kind: readKind(reader) };
    case 'rename': {
      const from = checkPath(pathFromBytes(reader.bytes(TARGET_BYTES_MAX)));
      if (from === '') throw new ProtocolError('a rename of the root', 'a path inside it');
      return { type, path, from, ...readContent(reader) };
    }
    case 'attributes': {
      const attributes = readAttributes(reader);
      if (reader.u8() === 0) return { type, path, attributes };
      return { type, path, attributes, content: { size: reader.varint(), digest: readDigest(reader) } };
    }
    case 'stash':
      return { type, path, id: reader.varint() };
    case 'unstash':
      return { type, path, id: reader.varint(), ...readContent(reader) };
  }
}

function readContent(reader: ByteReader): { attributes: Attributes; size: number; digest: Buffer } {
  return { attributes: readAttributes(reader), size: reader.varint(), digest: readDigest(reader) };
}

/** Copied: catalogs keep digests long after the buffer they came in. */
function readDigest(reader: ByteReader): Buffer {
  return Buffer.from(reader.raw(DIGEST_BYTES));
}

function readKind(reader: ByteReader): EntryKind {
  const kind = ENTRY_KINDS[reader.u8()];
  if (kind === undefined) throw new ProtocolError('an unknown kind of entry', ENTRY_KINDS.join(', '));
  return kind;
}

/** The entry that an operation leaves at its path; undefined when it leaves none or concerns no entry. */
export function entryAfter(operation: Operation): Entry | undefined {
  switch (operation.type) {
    case 'directory':
      return { path: operation.path, kind: 'directory', attributes: operation.attributes, size: 0 };
    case 'attributes': {
      const { path, attributes, content } = operation;
      if (content === undefined) return { path, kind: 'directory', attributes, size: 0 };
      return { path, kind: 'file', attributes, ...content };
    }
    case 'symlink':
      return {
        path: operation.path,
        kind: 'symlink',
        attributes: operation.attributes,
        size: 0,
        target: Buffer.from(operation.target),
      };
    case 'file': {
      const { path, attributes, content } = operation;
      return { path, kind: 'file', attributes, size: content.byteLength, digest: digestOf(content) };
    }
    case 'commit':
    case 'rename':
    case 'unstash': {
      const { path, attributes, size, digest } = operation;
      return { path, kind: 'file', attributes, size, digest };
    }
    default:
      return undefined;
  }
}
