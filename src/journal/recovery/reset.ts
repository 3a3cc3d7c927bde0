import { join } from 'node:path';
import { FormatVersionError, StateDamagedError } from '../../errors.js';
import type { Disk } from '../disk/disk.js';
import { createSegment, type SegmentFile } from '../disk/segment-file.js';
import { Spares } from '../disk/spares.js';
import {
  decodeSegmentHeader,
  encodeSegmentHeader,
  FORMAT_VERSION,
  firstOfName,
  SEGMENT_HEADER_BYTES,
  type SegmentHeader,
} from '../format/format.js';
import { moveStored, type StoredCursor } from '../retention/cursors.js';
import { removeSides } from '../side/remove.js';

/**
 * Dropping everything and starting anew at a given number, safely under a crash. The file `reset` is the decision; it
 * holds the header of the first segment of the new journal. While it exists, whoever opens the directory carries on:
 * remove every segment, move the cursors, make the new segment, and only then remove `reset`, which ends the matter.
 */

const RESET_FILE = 'reset';

export async function decideReset(disk: Disk, dir: string, header: SegmentHeader): Promise<void> {
  const path = join(dir, RESET_FILE);
  await disk.placeFile(`${path}.tmp`, path, encodeSegmentHeader(header).bytes);
  await disk.syncDirectory(dir);
}

/** Carries on with a reset that was decided and not finished, if there is one. */
export async function resumeReset(
  disk: Disk,
  dir: string,
  cursors: readonly StoredCursor[],
  segmentBytes: number,
): Promise<void> {
  const header = await pendingReset(disk, dir);
  if (header === undefined) return;
  // Only the process may have ended: the decision has to be on the disk before anything follows from it.
  await disk.syncDirectory(dir);
  const moveCursors = async () => {
    const start = { sequence: header.first - 1, chain: header.chain, detached: false };
    for (const cursor of cursors) await moveStored(disk, cursor, start);
  };
  const file = await finishReset(disk, dir, header, { moveCursors, spares: new Spares(disk, dir, 0), segmentBytes });
  await file.close();
}

async function pendingReset(disk: Disk, dir: string): Promise<SegmentHeader | undefined> {
  const names = await disk.list(dir);
  if (names.includes(`${RESET_FILE}.tmp`)) await disk.remove(join(dir, `${RESET_FILE}.tmp`));
  if (!names.includes(RESET_FILE)) return undefined;
  const path = join(dir, RESET_FILE);
  const file = await disk.open(path, 'r');
  try {
    const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
    await file.read(bytes, 0);
    const decoded = decodeSegmentHeader(bytes);
    if (decoded.state === 'valid') return decoded.header;
    if (decoded.state === 'other') throw new FormatVersionError(path, decoded.version, FORMAT_VERSION);
  } finally {
    await file.close();
  }
  throw new StateDamagedError(path, 'the decision to reset is damaged', 'remove the whole journal directory');
}

/** Carries out what was decided; returns the new segment, open for writing. */
export async function finishReset(
  disk: Disk,
  dir: string,
  header: SegmentHeader,
  o: { moveCursors: () => Promise<void>; spares: Spares; segmentBytes: number },
): Promise<SegmentFile> {
  const names = await disk.list(dir);
  await removeSides(disk, dir, names, () => true);
  for (const name of names) {
    if (firstOfName(name) !== undefined) await disk.remove(join(dir, name));
  }
  await o.moveCursors();
  const file = await createSegment(disk, dir, o.spares, header, o.segmentBytes);
  try {
    await disk.remove(join(dir, RESET_FILE));
    await disk.syncDirectory(dir);
  } catch (error) {
    await file.close();
    throw error;
  }
  return file;
}
