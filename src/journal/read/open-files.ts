import { SequenceGoneError } from '../../errors.js';
import type { DiskFile } from '../disk/disk.js';
import type { Segment } from '../format/segment.js';
import type { JournalState } from '../state/state.js';
import { openSegment } from './locate.js';

/** The most files that stay open while nobody uses them. A process may often have no more than 1024. */
export const OPEN_FILES_MAX = 128;

interface OpenFile {
  /** Undefined when the segment was freed before it could be opened. */
  file: Promise<DiskFile | undefined>;
  /** Calls that are using it. */
  users: number;
}

/** Files of segments that are read from here and there: those used last stay open. */
export class OpenFiles {
  /** In the order of their last use, the oldest first. */
  private readonly files = new Map<Segment, OpenFile>();

  constructor(private readonly state: JournalState) {}

  /** Opens a file for as long as the work lasts, or longer; `sequence` names what is gone when the segment is. */
  async use<T>(segment: Segment, sequence: number, work: (file: DiskFile) => Promise<T>): Promise<T> {
    const { state, files } = this;
    const entry = files.get(segment) ?? { file: openSegment(state, segment), users: 0 };
    files.delete(segment);
    files.set(segment, entry);
    entry.users++;
    try {
      const file = await entry.file.catch((error: unknown) => {
        // The next call tries again.
        if (files.get(segment) === entry) files.delete(segment);
        throw error;
      });
      if (file === undefined) throw new SequenceGoneError(sequence, state.first, state.last);
      return await work(file);
    } finally {
      entry.users--;
      await this.trim(segment);
    }
  }

  /** Closes files of segments that the journal no longer has, unless they are used: then their last user does. */
  async closeFreed(): Promise<void> {
    for (const segment of [...this.files.keys()]) if (!this.state.segments.has(segment)) await this.closeIdle(segment);
  }

  /** Closes all; nobody may use one any more. */
  async close(): Promise<void> {
    for (const segment of [...this.files.keys()]) await this.closeIdle(segment);
  }

  private async trim(used: Segment): Promise<void> {
    if (!this.state.segments.has(used)) await this.closeIdle(used);
    if (this.files.size <= OPEN_FILES_MAX) return;
    for (const segment of [...this.files.keys()]) {
      if (this.files.size <= OPEN_FILES_MAX) break;
      await this.closeIdle(segment);
    }
  }

  private async closeIdle(segment: Segment): Promise<void> {
    const entry = this.files.get(segment);
    if (entry === undefined || entry.users > 0) return;
    this.files.delete(segment);
    await (await entry.file)?.close();
  }
}
