import { basename, dirname, join } from 'node:path';
import type { Disk, DiskFile } from './disk.js';

/** Bytes that were cut off a journal, kept aside for inspection. */

/** How many are kept; the oldest go first. */
const TAILS_MAX = 8;
const SUFFIX = '.tail';

export function tailPath(segmentPath: string, offset: number): string {
  return `${segmentPath}.${offset}${SUFFIX}`;
}

/** Copies bytes of a segment into a file of their own, durably; returns its path. */
export async function keepTail(disk: Disk, file: DiskFile, from: number, to: number): Promise<string> {
  const path = tailPath(file.path, from);
  const bytes = Buffer.alloc(to - from);
  const filled = await file.read(bytes, from);
  await disk.placeFile(`${path}.tmp`, path, bytes.subarray(0, filled));
  await disk.syncDirectory(dirname(path));
  await pruneTails(disk, path);
  return path;
}

/** Removes the oldest tails beyond those that are kept, but never the one just made. */
export async function pruneTails(disk: Disk, made: string): Promise<void> {
  const dir = dirname(made);
  const tails = (await disk.list(dir)).filter((name) => name.endsWith(SUFFIX)).sort(byPlace);
  const surplus = tails.slice(0, Math.max(0, tails.length - TAILS_MAX));
  for (const name of surplus) if (name !== basename(made)) await disk.remove(join(dir, name));
}

/** The order in which tails were cut, as far as their names tell: by segment, then by offset. */
function byPlace(a: string, b: string): number {
  const [segmentA = '', , offsetA = ''] = a.split('.');
  const [segmentB = '', , offsetB = ''] = b.split('.');
  if (segmentA !== segmentB) return segmentA < segmentB ? -1 : 1;
  return Number(offsetA) - Number(offsetB);
}
