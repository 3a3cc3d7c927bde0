import { join } from 'node:path';
import { DiskFullError, StorageError } from '../../errors.js';
import type { Disk } from '../disk/disk.js';
import { firstOfName } from '../format/format.js';
import { segmentOfSide } from '../format/side-format.js';

/**
 * Side files go before the name of their segment may be given to another one. That is for the sake of order: one that
 * stays in spite of it is never taken for the other segment's, because its header says whose it is.
 */

/** Whether an error is the disk's own. For a side file it means only that there is none. */
export function isDiskTrouble(error: unknown): boolean {
  return error instanceof StorageError || error instanceof DiskFullError;
}

/** Removes a side file, if that can be done. */
export async function removeSide(disk: Disk, path: string): Promise<void> {
  try {
    await disk.remove(path);
  } catch (error) {
    if (!isDiskTrouble(error)) throw error;
  }
}

/**
 * Of the names in a directory, removes the side files of those segments that are to go, by their first record, and all
 * that were never finished. Nobody may be writing any meanwhile.
 */
export async function removeSides(
  disk: Disk,
  dir: string,
  names: readonly string[],
  goes: (first: number) => boolean,
): Promise<void> {
  for (const name of names) {
    const first = firstOfName(segmentOfSide(name) ?? '');
    if (first !== undefined && (name.endsWith('.tmp') || goes(first))) await removeSide(disk, join(dir, name));
  }
}
