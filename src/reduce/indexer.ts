import { LonghaulError } from '../errors.js';
import type { Journal } from '../journal/journal.js';
import type { History } from './history.js';
import { IndexWriter, readIndex } from './index-file.js';
import type { Outline, Outliner } from './outline.js';

/**
 * Keeps the outlines of a journal's sealed segments beside them, so that after a restart only the open one is read again.
 * All peers of a journal share it.
 */

/** Without an index of theirs, so much of the newest segments is read again. */
const SCAN_BYTES_MAX = 4 * 1024 * 1024 * 1024;

/** A segment whose index would be larger has none, and is read again after a start. */
const INDEX_BYTES_MAX = 48 * 1024 * 1024;

type IndexedJournal = Pick<
  Journal,
  'readBatches' | 'sealedSegments' | 'readSide' | 'writeSide' | 'reachingBack' | 'first' | 'last'
>;

export class Indexer {
  #open: IndexWriter | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(
    private readonly journal: IndexedJournal,
    private readonly outliner: Outliner,
  ) {}

  /** Tells a history of the records up to `through` that it does not know yet, as far as they can be read. */
  async load(history: History, through: number, signal?: AbortSignal): Promise<void> {
    const { journal } = this;
    const mark = this.outliner.mark;
    const scanFrom = journal.reachingBack(through, SCAN_BYTES_MAX);
    const oldest = Math.max(history.floor, journal.first);
    for (const segment of journal.sealedSegments()) {
      const { first, last } = segment;
      if (last <= history.through || last < oldest || last > through) continue;
      signal?.throwIfAborted();
      const bytes = await journal.readSide(first);
      if (bytes !== undefined && readIndex(bytes, { ...segment, mark }, history)) continue;
      if (first >= scanFrom) await this.#scan(history, Math.max(first, history.through + 1), last, signal);
    }
    await this.#scan(history, Math.max(history.through + 1, oldest, scanFrom), through, signal);
  }

  /** Takes the outlines of records that follow each other, of whichever peer is ahead. */
  note(outlines: readonly Outline[]): void {
    let end = this.#sealedAt();
    let starts: Set<number> | undefined;
    for (const outline of outlines) {
      const { sequence } = outline;
      if (this.#open !== undefined && sequence <= this.#open.through) continue;
      if (sequence - 1 === end) this.#write();
      if (sequence - 1 !== this.#open?.through) {
        starts ??= this.#segmentStarts();
        this.#open = starts.has(sequence) ? new IndexWriter(sequence) : undefined;
        end = this.#sealedAt();
      }
      this.#open?.add(outline);
      if (this.#open !== undefined && this.#open.bytes > INDEX_BYTES_MAX) this.#open = undefined;
    }
    if (this.#open?.through === end) this.#write();
  }

  /** Resolves when nothing is being written any more. */
  async idle(): Promise<void> {
    await this.#writing;
  }

  /** The last record of the segment that is collected, if it has one yet. */
  #sealedAt(): number | undefined {
    const first = this.#open?.first;
    return first === undefined
      ? undefined
      : this.journal.sealedSegments().find((sealed) => sealed.first === first)?.last;
  }

  /** The first records of all segments, the open one included. */
  #segmentStarts(): Set<number> {
    const sealed = this.journal.sealedSegments();
    const open = (sealed[sealed.length - 1]?.last ?? this.journal.first - 1) + 1;
    return new Set([...sealed.map(({ first }) => first), open]);
  }

  /** In the background: an index that is not written is missed at the next start, and made again. */
  #write(): void {
    const done = this.#open;
    this.#open = undefined;
    if (done === undefined || done.through < done.first) return;
    const bytes = done.take(this.outliner.mark);
    this.#writing = this.#writing.then(async () => {
      await this.journal.writeSide(done.first, bytes).catch((error: unknown) => {
        if (!(error instanceof LonghaulError)) throw error;
      });
    });
  }

  async #scan(history: History, from: number, through: number, signal: AbortSignal | undefined): Promise<void> {
    if (from > through) return;
    try {
      for await (const records of this.journal.readBatches(from)) {
        signal?.throwIfAborted();
        const outlines = records
          .filter(({ sequence }) => sequence <= through)
          .map((record) => this.outliner.of(record));
        for (const outline of outlines) history.note(outline);
        this.note(outlines);
        if ((records[records.length - 1]?.sequence ?? through) >= through) return;
      }
    } catch (error) {
      // What cannot be read is not referred to.
      if (!(error instanceof LonghaulError)) throw error;
    }
  }
}
