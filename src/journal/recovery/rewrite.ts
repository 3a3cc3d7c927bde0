import type { DiskFile } from '../disk/disk.js';
import { decodeGroupHeader } from '../format/format.js';
import type { Segment } from '../format/segment.js';
import { readBlock } from '../scan/block.js';
import { GroupWalk, type WalkPosition } from '../scan/group-walk.js';
import type { Scan } from '../scan/scan.js';

/** Writing once more, in its place, what an open has read. */

const BLOCK_BYTES = 1024 * 1024;

/**
 * Writes the groups from that of a record to the end of the log again. The page they were read from may be gone by now,
 * and what the disk has in its place is another thing: so they are checked again, and the bytes that were checked are
 * those that are written. False when they are no longer what the scan found; nothing bad is written then.
 */
export async function rewriteGroups(file: DiskFile, segment: Segment, from: number, scan: Scan): Promise<boolean> {
  let { offset } = segment.near(from);
  let position: WalkPosition | undefined;
  while (offset < scan.end) {
    const { bytes } = await readGroups(file, segment, offset, scan.end);
    position ??= startOf(bytes, segment, offset);
    if (position === undefined) return false;
    const read = { read: async (into: Uint8Array, at: number) => bytes.copy(into, 0, at - offset) };
    const walk = new GroupWalk(read, segment.seed, position, {});
    await walk.to(offset + bytes.byteLength);
    const sound = position.offset - offset;
    if (sound === 0) return false;
    await file.write([bytes.subarray(0, sound)], offset);
    offset = position.offset;
  }
  return position === undefined || (position.last === scan.last && position.chain === scan.chain);
}

/** A block of groups, or a single one that is larger. */
async function readGroups(file: DiskFile, segment: Segment, offset: number, end: number) {
  const block = await readBlock(file, offset, Math.min(BLOCK_BYTES, end - offset));
  const groupBytes = decodeGroupHeader(block.bytes, 0, segment.seed)?.bytes ?? 0;
  if (groupBytes <= block.bytes.byteLength) return block;
  return readBlock(file, offset, Math.min(groupBytes, end - offset));
}

/** The first group says itself what comes before it; whether that is true shows at the end of the log. */
function startOf(bytes: Buffer, segment: Segment, offset: number): WalkPosition | undefined {
  const header = decodeGroupHeader(bytes, 0, segment.seed);
  return header && { offset, last: header.first - 1, chain: header.chain, epoch: 0 };
}

/**
 * Writes zeros over what an earlier use of the file left behind the log. A group of this use may lie among it that was
 * torn so that nothing of it showed; should the next one be torn so that only its start lands, the two would make one.
 */
export async function clearBehind(file: DiskFile, { end, usedEnd }: Scan): Promise<void> {
  const zeros = Buffer.alloc(Math.max(0, Math.min(BLOCK_BYTES, usedEnd - end)));
  for (let offset = end; offset < usedEnd; offset += BLOCK_BYTES) {
    await file.write([zeros.subarray(0, usedEnd - offset)], offset);
  }
}
