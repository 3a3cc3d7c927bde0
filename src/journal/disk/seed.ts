import { isErrno } from '../../engine/files.js';
import { StorageError } from '../../errors.js';
import { decodeSegmentHeader, SEGMENT_HEADER_BYTES } from '../format/format.js';
import type { Disk, DiskFile } from './disk.js';

/** What the checksums in a segment file start from; it tells one segment from any other under the same name. */

/** The seed of the file at a path; `none` without a file, `bad` without a sound header in it. */
export async function seedAt(disk: Disk, path: string): Promise<bigint | 'none' | 'bad'> {
  let file: DiskFile;
  try {
    file = await disk.open(path, 'r');
  } catch (error) {
    if (error instanceof StorageError && isErrno(error.cause, 'ENOENT')) return 'none';
    throw error;
  }
  try {
    return await seedIn(file);
  } finally {
    await file.close();
  }
}

export async function seedIn(file: DiskFile): Promise<bigint | 'bad'> {
  const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
  const filled = await file.read(bytes, 0);
  const decoded = decodeSegmentHeader(bytes.subarray(0, filled));
  return decoded.state === 'valid' ? decoded.seed : 'bad';
}
