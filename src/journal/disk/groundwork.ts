import { footerBytesMax } from '../format/footer.js';
import { PAGE_BYTES, roundUp } from '../format/format.js';
import type { Segment } from '../format/segment.js';
import type { DiskFile } from './disk.js';

/**
 * Writes zeros ahead of the records, in the background. Syncing a write to blocks that were written before takes about
 * half the time of one to blocks that were only allocated, whose first use the file system has to note in its journal.
 * For small groups that is most of their time; large ones would only have their bytes written twice.
 */

/** Groups larger than this gain less than the zeros cost. */
const GROUP_BYTES_MAX = 128 * 1024;
/** A journal that has written less than this is likely to stay small. */
const BEGIN_BYTES = 256 * 1024;
const STEP_BYTES = 4 * 1024 * 1024;
/** What is left to the writer while a step is under way, so that it need not wait for it. */
const LEAD_BYTES = 512 * 1024;

export class Groundwork {
  /** Up to here the file has been written before. */
  private done: number;
  private step: { from: number; running: Promise<void> } | undefined;
  private givenUp: boolean;
  /** Where a footer may end that a close has left in the file; records go over it in the end. */
  footerEnd: number;

  constructor(
    private readonly file: DiskFile,
    private readonly segment: Segment,
    private readonly fileBytesMax: number,
  ) {
    this.done = segment.header.recycled ? segment.fileBytes : segment.bytes;
    this.footerEnd = segment.fileBytes;
    this.givenUp = !file.writesZeros;
  }

  /** Resolves once nothing writes to the file below `end`. */
  async clear(end: number): Promise<void> {
    if (this.step !== undefined && end > this.step.from) await this.step.running;
  }

  async idle(): Promise<void> {
    await this.step?.running;
  }

  /** A group of so many bytes has been written up to `end`: goes on ahead of it if that will pay. */
  follow(end: number, groupBytes: number): void {
    if (this.givenUp || this.step !== undefined || groupBytes > GROUP_BYTES_MAX || end < BEGIN_BYTES) return;
    if (this.done - end > STEP_BYTES / 2) return;
    const from = Math.max(this.done, roundUp(end, PAGE_BYTES) + LEAD_BYTES);
    const to = Math.min(from + STEP_BYTES, this.fileBytesMax);
    if (to - from < LEAD_BYTES) return;
    // In a file that grows, what is left of a footer between records and zeros would look like a torn group.
    if (end < this.footerEnd && from > this.footerEnd - footerBytesMax(this.footerEnd)) return;
    this.step = { from, running: this.run(from, to) };
  }

  /** What goes wrong here is no loss: the writer meets the same trouble itself, if it lasts, and tells. */
  private async run(from: number, to: number): Promise<void> {
    try {
      const { file, segment } = this;
      if (to > segment.fileBytes && (await file.preallocate(to))) segment.fileBytes = Math.max(segment.fileBytes, to);
      this.givenUp = !(to <= segment.fileBytes && (await file.writeZeros(from, to)));
      this.done = to;
    } catch {
      this.givenUp = true;
      await this.noteSize();
    } finally {
      this.step = undefined;
    }
  }

  /** A call that fails may leave the file longer than it was; the footer belongs at its end. */
  private async noteSize(): Promise<void> {
    const { file, segment } = this;
    segment.fileBytes = Math.max(segment.fileBytes, await file.size().catch(() => 0));
  }
}
