import type { FileHandle } from 'node:fs/promises';
import { chmod, lchown, lutimes, utimes } from 'node:fs/promises';
import { type Attributes, type EntryKind, sameAttributes } from './entry.js';

/**
 * Owners and the bits that lend an owner's rights (set-user-id, set-group-id) are set only where this process may give
 * files away; without the owner such a bit would lend the rights of somebody else.
 */

const LENDING_BITS = 0o6000;

export const mayGiveAway = process.geteuid?.() === 0;

export async function setFileAttributes(handle: FileHandle, attributes: Attributes): Promise<void> {
  // The owner first: a change of owner clears the lending bits.
  if (mayGiveAway) await handle.chown(attributes.uid, attributes.gid);
  await handle.chmod(effectiveMode(attributes));
  const time = seconds(attributes.mtime);
  await handle.utimes(time, time);
}

export async function setPathAttributes(path: Buffer, kind: EntryKind, attributes: Attributes): Promise<void> {
  const time = seconds(attributes.mtime);
  if (mayGiveAway) await lchown(path, attributes.uid, attributes.gid);
  if (kind === 'symlink') return lutimes(path, time, time);
  await chmod(path, effectiveMode(attributes));
  await utimes(path, time, time);
}

export function effectiveMode({ mode }: Attributes): number {
  return mayGiveAway ? mode : mode & ~LENDING_BITS;
}

/** Whether what is on disk is what the attributes ask for, as far as this process could set it. */
export function asSet(onDisk: Attributes, wanted: Attributes, kind: EntryKind): boolean {
  if (kind === 'symlink') return onDisk.mtime === wanted.mtime && (!mayGiveAway || sameOwner(onDisk, wanted));
  if (mayGiveAway) return sameAttributes(onDisk, wanted);
  return onDisk.mtime === wanted.mtime && onDisk.mode === effectiveMode(wanted);
}

function sameOwner(a: Attributes, b: Attributes): boolean {
  return a.uid === b.uid && a.gid === b.gid;
}

/**
 * Node takes seconds as a double, which near today tells quarters of a microsecond apart, and cuts off what is below a
 * microsecond, towards 1970: half a microsecond away from it keeps the cut inside the right one. It takes negative
 * numbers for "now", but not negative numbers in a string.
 */
function seconds(microseconds: number): number | string {
  return microseconds < 0 ? String((microseconds - 0.5) / 1e6) : (microseconds + 0.5) / 1e6;
}
