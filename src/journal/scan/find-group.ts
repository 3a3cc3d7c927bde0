import { RECORD_ALIGNMENT } from '../../engine/record-layout.js';
import type { DiskFile } from '../disk/disk.js';
import { decodeGroupHeader, GROUP_HEADER_BYTES, GROUP_MAGIC, type GroupHeader } from '../format/format.js';
import { readBlock } from './block.js';

/** Finds where a segment is sound again behind something damaged. */

const BLOCK_BYTES = 1024 * 1024;

const MAGIC = Buffer.alloc(4);
MAGIC.writeUInt32LE(GROUP_MAGIC);

export interface FoundGroup {
  offset: number;
  header: GroupHeader;
}

/** The first header from `from` on of a group that begins behind record `after`; it may still be bad in itself. */
export async function findGroup(
  file: DiskFile,
  seed: bigint,
  { from, to, after }: { from: number; to: number; after: number },
): Promise<FoundGroup | undefined> {
  for (let offset = from; offset + GROUP_HEADER_BYTES <= to; ) {
    const block = await readBlock(file, offset, Math.min(BLOCK_BYTES, to - offset));
    for (let at = block.bytes.indexOf(MAGIC); at >= 0; at = block.bytes.indexOf(MAGIC, at + 1)) {
      if ((offset + at) % RECORD_ALIGNMENT !== 0) continue;
      const header = decodeGroupHeader(block.bytes, at, seed);
      if (header === undefined || header.first <= after) continue;
      return { offset: offset + at, header };
    }
    if (block.fileEnd >= to || block.bytes.byteLength < GROUP_HEADER_BYTES) return undefined;
    // The next block begins where a header no longer fitted into this one.
    offset = block.fileEnd - GROUP_HEADER_BYTES + RECORD_ALIGNMENT;
  }
  return undefined;
}
