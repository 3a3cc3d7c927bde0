import { chmod, lchown, lutimes, stat, utimes } from 'node:fs/promises';
import { type Attributes, attributesFromStats, type EntryKind, sameAttributes } from './entry.js';

/**
 * Owners and the bits that lend an owner's rights (set-user-id, set-group-id) are set only where this process may give
 * files away; without the owner such a bit would lend the rights of somebody else.
 */

const LENDING_BITS = 0o6000;

export const mayGiveAway = process.geteuid?.() === 0;

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
  // An adopted file may have the bits that would not be set anew.
  return onDisk.mtime === wanted.mtime && (onDisk.mode === wanted.mode || onDisk.mode === effectiveMode(wanted));
}

function sameOwner(a: Attributes, b: Attributes): boolean {
  return a.uid === b.uid && a.gid === b.gid;
}

/**
 * Node takes seconds as a double, which near today tells quarters of a microsecond apart, and cuts off what is below a
 * microsecond, towards 1970: half a microsecond away from it keeps the cut inside the right one. It takes negative
 * numbers for "now", but not negative numbers in a string.
 */
export function seconds(microseconds: number): number | string {
  return microseconds < 0 ? String((microseconds - 0.5) / 1e6) : (microseconds + 0.5) / 1e6;
}

/** Does something in a directory and gives it its modification time back. */
export async function keepingTime(directory: string, work: () => Promise<void>): Promise<void> {
  const before = await stat(directory, { bigint: true });
  await work();
  const time = seconds(attributesFromStats(before).mtime);
  await utimes(directory, time, time);
}
