import { basename, dirname, join } from 'node:path';
import type { Disk, DiskFile } from './disk.js';

/** Bytes that were cut off a journal, kept aside for inspection. */

/** How many are kept; the oldest go first. */
const TAILS_MAX = 8;
const SUFFIX = '.tail';
const COPY_BYTES = 1024 * 1024;

export function tailPath(segmentPath: string, offset: number): string {
  return `${segmentPath}.${offset}${SUFFIX}`;
}

/** Copies bytes of a segment into a file of their own, durably; returns its path. */
export async function keepTail(disk: Disk, file: DiskFile, from: number, to: number): Promise<string> {
  const path = await copyTail(disk, file, from, to);
  await pruneTails(disk, dirname(path), (name) => name === basename(path));
  return path;
}

/** Like keepTail, but leaves all other tails where they are. */
export async function copyTail(disk: Disk, file: DiskFile, from: number, to: number): Promise<string> {
  const path = tailPath(file.path, from);
  await copyFile(disk, file, { from, to, path });
  return path;
}

/** Copies bytes of a file into a new file, which exists whole and durably or not at all. */
export async function copyFile(
  disk: Disk,
  file: DiskFile,
  { from, to, path }: { from: number; to: number; path: string },
): Promise<void> {
  const aside = `${path}.tmp`;
  const copy = await disk.open(aside, 'w');
  try {
    const buffer = Buffer.alloc(Math.min(COPY_BYTES, to - from));
    for (let at = from; at < to; ) {
      const filled = await file.read(buffer.subarray(0, Math.min(buffer.byteLength, to - at)), at);
      if (filled === 0) break;
      await copy.write([buffer.subarray(0, filled)], at - from);
      at += filled;
    }
    await copy.sync();
  } finally {
    await copy.close();
  }
  await disk.rename(aside, path);
  await disk.syncDirectory(dirname(path));
}

/** Removes the oldest tails beyond those that are kept, but none that `stays`. */
export async function pruneTails(disk: Disk, dir: string, stays: (name: string) => boolean): Promise<void> {
  const tails = (await disk.list(dir)).filter((name) => name.endsWith(SUFFIX)).sort(byPlace);
  const surplus = tails.slice(0, Math.max(0, tails.length - TAILS_MAX));
  for (const name of surplus) if (!stays(name)) await disk.remove(join(dir, name));
}

/** The order in which tails were cut, as far as their names tell: by segment, then by offset. */
function byPlace(a: string, b: string): number {
  const [segmentA = '', , offsetA = ''] = a.split('.');
  const [segmentB = '', , offsetB = ''] = b.split('.');
  if (segmentA !== segmentB) return segmentA < segmentB ? -1 : 1;
  return Number(offsetA) - Number(offsetB);
}
