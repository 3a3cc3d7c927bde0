import { join } from 'node:path';
import { DiskFullError } from '../errors.js';
import type { Disk, DiskFile } from './disk.js';
import { encodeFooter } from './footer.js';
import { encodeSegmentHeader, PAGE_BYTES, roundUp, type SegmentHeader } from './format.js';
import { Groundwork } from './groundwork.js';
import { newSegment, type Segment } from './segment.js';
import type { Spares } from './spares.js';

/** The file of the segment that is written to. */

/** What the first segment of a journal gets at first; it doubles until it is full, so that small journals stay small. */
const FIRST_ALLOCATION_BYTES = 1024 * 1024;

const ZEROS = new Uint8Array(PAGE_BYTES);
const NEW_FILE = 'segment.tmp';

export class SegmentFile {
  private readonly groundwork: Groundwork;

  constructor(
    readonly segment: Segment,
    private readonly file: DiskFile,
    /** What the file grows to at most before its footer comes. */
    private readonly fileBytesMax: number,
  ) {
    this.groundwork = new Groundwork(file, segment, fileBytesMax);
  }

  /**
   * Writes a group. The rest of its last page is written as zeros, so that the page need not be read first from a file
   * that was used before, and so that nothing of that use lies right behind the group.
   */
  async write(buffers: Uint8Array[], offset: number, bytes: number, sync: boolean): Promise<void> {
    const end = offset + bytes;
    await this.reserve(end);
    await this.groundwork.clear(roundUp(end, PAGE_BYTES));
    const pageEnd = roundUp(end, PAGE_BYTES);
    if (pageEnd > end) buffers.push(ZEROS.subarray(0, pageEnd - end));
    await this.file.writeDurable(buffers, offset, sync);
    this.segment.fileBytes = Math.max(this.segment.fileBytes, pageEnd);
    if (sync) this.groundwork.follow(end, bytes);
  }

  /** Writes the footer at the end of the file, and makes the file durable. */
  async seal(chain: bigint, epoch: number, lastTimestamp: number): Promise<void> {
    const { segment, file } = this;
    await this.groundwork.idle();
    const { first, last, bytes: end, index } = segment;
    const footer = encodeFooter({ first, last, chain, epoch, end, lastTimestamp, index }, segment.seed);
    const least = roundUp(end, PAGE_BYTES) + roundUp(footer.byteLength, PAGE_BYTES);
    segment.fileBytes = Math.max(segment.fileBytes, least);
    await file.writeDurable([footer], segment.fileBytes - footer.byteLength, true);
    this.groundwork.footerEnd = segment.fileBytes;
  }

  datasync(): Promise<void> {
    return this.file.datasync();
  }

  async close(): Promise<void> {
    await this.groundwork.idle();
    await this.file.close();
  }

  /** Sees to it that the file has its blocks up to `end`, in steps. Where the system cannot, the file grows by itself. */
  private async reserve(end: number): Promise<void> {
    const { segment } = this;
    if (end <= segment.fileBytes) return;
    const step = Math.max(end, Math.min(segment.fileBytes * 2, this.fileBytesMax), FIRST_ALLOCATION_BYTES);
    await allocate(this.file, segment, Math.min(step, Math.max(end, this.fileBytesMax)), end);
  }
}

/** Allocates `wanted` bytes; on a disk that does not have them, no more than `needed`. */
async function allocate(file: DiskFile, segment: Segment, wanted: number, needed: number): Promise<void> {
  try {
    if (await file.preallocate(wanted)) segment.fileBytes = wanted;
  } catch (error) {
    if (!(error instanceof DiskFullError) || needed >= wanted) throw error;
    // A call that fails may leave the file longer than it was; the footer belongs at its end.
    segment.fileBytes = await file.size();
    if (segment.fileBytes < needed && (await file.preallocate(needed))) segment.fileBytes = needed;
  }
}

/** Makes the file of a segment, from a spare one if there is any: it gets its name once its header is durable. */
export async function createSegment(
  disk: Disk,
  dir: string,
  spares: Spares,
  fields: Omit<SegmentHeader, 'recycled'>,
  fileBytesMax: number,
): Promise<SegmentFile> {
  const spare = spares.take();
  const path = spare?.path ?? join(dir, NEW_FILE);
  const header = { ...fields, recycled: spare !== undefined };
  const segment = newSegment(dir, header);
  segment.fileBytes = Math.max(PAGE_BYTES, spare?.bytes ?? 0);
  const file = await disk.open(path, spare === undefined ? 'w+' : 'r+');
  try {
    // A journal that has filled a segment will fill the next.
    if (spare === undefined && header.previousRecords > 0) await allocate(file, segment, fileBytesMax, PAGE_BYTES);
    const page = Buffer.alloc(PAGE_BYTES);
    encodeSegmentHeader(header).bytes.copy(page);
    await file.write([page], 0);
    await file.sync();
    await disk.rename(path, segment.path);
    file.path = segment.path;
    await disk.syncDirectory(dir);
  } catch (error) {
    await file.close();
    throw error;
  }
  return new SegmentFile(segment, file, fileBytesMax);
}

/** Removes what a crash left of a segment that was being made. */
export function removeUnfinished(disk: Disk, dir: string): Promise<void> {
  return disk.remove(join(dir, NEW_FILE));
}
