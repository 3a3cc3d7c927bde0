import { kernels } from '../../engine/engine.js';
import { PAGE_BYTES } from '../format/format.js';
import type { DiskFile } from './disk.js';

/**
 * The page of a segment in which the log ends. Groups follow each other without gaps, but whole pages are what a disk
 * takes without reading first, and what can go past the page cache: so a group is written with what stands before it in
 * its first page, unchanged, and with zeros behind it.
 */

/** A stretch of memory that goes to the file. Before it there is room for what stands before it in its page. */
export interface Part {
  bytes: Buffer;
  start: number;
  end: number;
}

export class LastPage {
  private readonly page = kernels.allocatePages(PAGE_BYTES);
  /** Where it lies in the file; undefined when it has to be read. */
  private offset: number | undefined;

  /** Gets the page that a group at `groupOffset` begins in, as far as it is not known. */
  async before(groupOffset: number, file: DiskFile): Promise<void> {
    const used = groupOffset % PAGE_BYTES;
    const offset = groupOffset - used;
    if (used === 0 || this.offset === offset) return;
    const filled = await file.read(this.page, offset);
    if (filled < used) throw new Error(`${file.path} ends at ${offset + filled}, before ${groupOffset}`);
    this.offset = offset;
  }

  /** The pages in which parts lie that follow each other from `groupOffset`. They are good until the next call. */
  pages(parts: readonly Part[], groupOffset: number): Uint8Array[] {
    const { page } = this;
    const pages: Uint8Array[] = [];
    let offset = groupOffset;
    for (const { bytes, start, end } of parts) {
      const lead = offset % PAGE_BYTES;
      offset += end - start;
      const whole = end - (offset % PAGE_BYTES);
      page.copy(bytes, start - lead, 0, lead);
      bytes.copy(page, 0, whole, end);
      if (whole > start - lead) pages.push(bytes.subarray(start - lead, whole));
    }
    const used = offset % PAGE_BYTES;
    if (used > 0) pages.push(page.fill(0, used));
    this.offset = offset - used;
    return pages;
  }
}
