import { join } from 'node:path';
import { kernels } from '../../engine/engine.js';
import { DiskFullError } from '../../errors.js';
import { encodeFooter } from '../format/footer.js';
import { encodeSegmentHeader, PAGE_BYTES, roundUp, type SegmentHeader } from '../format/format.js';
import { newSegment, type Segment } from '../format/segment.js';
import type { Disk, DiskFile } from './disk.js';
import { Groundwork } from './groundwork.js';
import { LastPage, type Part } from './last-page.js';
import type { Spares } from './spares.js';

/** The file of the segment that is written to. */

/** What the first segment of a journal gets at first; it doubles until it is full, so that small journals stay small. */
const FIRST_ALLOCATION_BYTES = 1024 * 1024;

const NEW_FILE = 'segment.tmp';

export class SegmentFile {
  private readonly groundwork: Groundwork;
  private readonly lastPage = new LastPage();
  private begun = false;

  constructor(
    readonly segment: Segment,
    private readonly file: DiskFile,
    /** What the file grows to at most before its footer comes. */
    private readonly fileBytesMax: number,
  ) {
    this.groundwork = new Groundwork(file, segment, fileBytesMax);
  }

  /**
   * Writes a group, whose parts lie one after the other from `offset`. Synced writes go past the page cache where that
   * can be: they take less time, and the readers that are close behind find their records in the journal's own memory.
   */
  async write(parts: readonly Part[], offset: number, sync: boolean): Promise<void> {
    const end = parts.reduce((sum, part) => sum + part.end - part.start, offset);
    const pageEnd = roundUp(end, PAGE_BYTES);
    await this.reserve(end);
    await this.groundwork.clear(pageEnd);
    await this.lastPage.before(offset, this.file);
    if (sync && !this.begun) {
      this.begun = true;
      this.file.bypassCache();
    }
    await this.file.writeDurable(this.lastPage.pages(parts, offset), offset - (offset % PAGE_BYTES), sync);
    this.segment.fileBytes = Math.max(this.segment.fileBytes, pageEnd);
    if (sync) this.groundwork.follow(end, end - offset);
  }

  /** Writes the footer at the end of the file, and makes the file durable. */
  async seal(chain: bigint, epoch: number, lastTimestamp: number): Promise<void> {
    const { segment, file } = this;
    await this.groundwork.idle();
    const { first, last, bytes: end, index } = segment;
    const footer = encodeFooter({ first, last, chain, epoch, end, lastTimestamp, index }, segment.seed);
    const pages = kernels.allocatePages(roundUp(footer.byteLength, PAGE_BYTES)).fill(0);
    footer.copy(pages, pages.byteLength - footer.byteLength);
    const least = roundUp(end, PAGE_BYTES) + pages.byteLength;
    segment.fileBytes = roundUp(Math.max(segment.fileBytes, least), PAGE_BYTES);
    await file.writeDurable([pages], segment.fileBytes - pages.byteLength, true);
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
    // What writes ahead may have got further meanwhile.
    if (await file.preallocate(wanted)) segment.fileBytes = Math.max(segment.fileBytes, wanted);
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
