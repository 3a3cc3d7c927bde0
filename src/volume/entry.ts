import type { BigIntStats } from 'node:fs';
import type { VolumePath } from './path.js';

/** What a volume holds at one path. Hard links are separate files; sockets, devices and pipes are no entries at all. */

export type EntryKind = 'directory' | 'file' | 'symlink';
export const ENTRY_KINDS: readonly EntryKind[] = ['directory', 'file', 'symlink'];

export interface Attributes {
  /** Permission bits, set-user-id, set-group-id and sticky included. */
  mode: number;
  /** Modification time in microseconds since 1970; may be negative. */
  mtime: number;
  uid: number;
  gid: number;
}

/**
 * What tells that a file was not touched since its content was last read, without reading it again: any write changes
 * the time of the last change of the inode, which no user can set.
 */
export interface Signature {
  inode: number;
  /** Nanoseconds since 1970 in units of 256, which is what a double tells apart. */
  changed: number;
}

export interface Entry {
  path: VolumePath;
  kind: EntryKind;
  attributes: Attributes;
  /** Bytes of a file's content; 0 for other kinds. */
  size: number;
  /** Digest of a file's content; absent when it is not known. */
  digest?: Buffer;
  /** Where a symbolic link points, as bytes. */
  target?: Buffer;
  signature?: Signature;
}

const PERMISSION_BITS = 0o7777;
const SAFE_BITS = BigInt(Number.MAX_SAFE_INTEGER);

/** The entry that a path has on disk, without digest and link target; undefined for what Longhaul does not carry. */
export function entryFromStats(path: VolumePath, stats: BigIntStats): Entry | undefined {
  const kind = kindOf(stats);
  if (kind === undefined) return undefined;
  return {
    path,
    kind,
    attributes: attributesFromStats(stats),
    size: kind === 'file' ? Number(stats.size) : 0,
    signature: signatureFromStats(stats),
  };
}

export function kindOf(stats: BigIntStats): EntryKind | undefined {
  if (stats.isFile()) return 'file';
  if (stats.isDirectory()) return 'directory';
  return stats.isSymbolicLink() ? 'symlink' : undefined;
}

export function attributesFromStats(stats: BigIntStats): Attributes {
  return {
    // A symbolic link has no permissions of its own worth carrying.
    mode: stats.isSymbolicLink() ? 0o777 : Number(stats.mode) & PERMISSION_BITS,
    mtime: microseconds(stats.mtimeNs),
    uid: Number(stats.uid),
    gid: Number(stats.gid),
  };
}

export function signatureFromStats(stats: BigIntStats): Signature {
  return { inode: Number(stats.ino & SAFE_BITS), changed: Math.max(0, Number(stats.ctimeNs / 256n)) };
}

/** Rounded down, also before 1970, and kept to safe integers: the years 1684 to 2255. */
function microseconds(nanoseconds: bigint): number {
  const quotient = nanoseconds / 1000n;
  const floor = nanoseconds < 0n && quotient * 1000n !== nanoseconds ? quotient - 1n : quotient;
  return Math.max(-Number.MAX_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, Number(floor)));
}

export function sameSignature(a: Signature | undefined, b: Signature | undefined): boolean {
  return a !== undefined && b !== undefined && a.inode === b.inode && a.changed === b.changed;
}

export function sameAttributes(a: Attributes, b: Attributes): boolean {
  return a.mode === b.mode && a.mtime === b.mtime && a.uid === b.uid && a.gid === b.gid;
}

/** Same content, as far as is known: an unknown digest equals nothing. */
export function sameContent(a: Entry, b: Entry): boolean {
  if (a.kind !== b.kind || a.size !== b.size) return false;
  if (a.kind === 'directory') return true;
  if (a.kind === 'symlink') return a.target !== undefined && b.target !== undefined && a.target.equals(b.target);
  return a.digest !== undefined && b.digest !== undefined && a.digest.equals(b.digest);
}
