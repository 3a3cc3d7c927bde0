import { Journal, type JournalCursor } from '../../../src/index.js';
import type { Contender, ReadableStore } from '../store.js';
import { type Group, Workload } from '../workload.js';

/** The journal with its defaults, and the journal once its segments come round again. */

const MIB = 1024 * 1024;
const GROUPS_A_SEGMENT = 8;
const SEGMENT_BYTES_MIN = 8 * MIB;
const SEGMENT_BYTES_MAX = 64 * MIB;
/** Written before measuring: the segment in use, the history, and what has been freed behind them. */
const SEGMENTS_WRITTEN = 4;
const CURSOR_STEPS_A_SEGMENT = 8;
/** Larger payloads than those measured get through the segments sooner. */
const FILLING = { payloadBytes: 16 * 1024, groupRecords: 64 };

export const journal: Contender<ReadableStore> = {
  name: 'journal',
  async open(dir) {
    return new JournalStore(await Journal.open({ dir }));
  },
};

/** A cursor follows the appends, so that segments are freed and used again while measuring. */
export const recycled: Contender = {
  name: 'journal, recycled',
  async open(dir, { payloadBytes, groupRecords }) {
    const wanted = GROUPS_A_SEGMENT * groupRecords * payloadBytes;
    const segmentBytes = Math.min(Math.max(wanted, SEGMENT_BYTES_MIN), SEGMENT_BYTES_MAX);
    const store = new RecycledStore(
      await Journal.open({ dir, segmentBytes, historyBytes: segmentBytes }),
      segmentBytes,
    );
    const feed = new Workload(FILLING.payloadBytes, FILLING.groupRecords).feed();
    for (let written = 0; written < SEGMENTS_WRITTEN * segmentBytes; ) {
      const group = feed.group();
      await store.appendMany(group);
      written += group.bytes.byteLength;
    }
    return store;
  },
};

class JournalStore implements ReadableStore {
  readonly concurrent = true;

  constructor(protected readonly journal: Journal) {}

  append(payload: Uint8Array): Promise<unknown> {
    return this.journal.append(payload);
  }

  appendMany({ payloads }: Group): Promise<unknown> {
    return this.journal.appendMany(payloads);
  }

  async read(from: number, visit: (payload: Uint8Array) => void): Promise<void> {
    for await (const batch of this.journal.readBatches(from)) for (const { payload } of batch) visit(payload);
  }

  async close(): Promise<void> {
    await this.journal.close();
  }
}

class RecycledStore extends JournalStore {
  #cursor: JournalCursor;
  #bytes = 0;
  #moving: Promise<void> | undefined;

  constructor(
    journal: Journal,
    private readonly segmentBytes: number,
  ) {
    super(journal);
    this.#cursor = journal.cursor('reader');
  }

  override async append(payload: Uint8Array): Promise<void> {
    this.#passed(await this.journal.append(payload), payload.byteLength);
  }

  override async appendMany({ payloads, bytes }: Group): Promise<void> {
    this.#passed(await this.journal.appendMany(payloads), bytes.byteLength);
  }

  override async close(): Promise<void> {
    await this.#moving;
    await super.close();
  }

  /** Moves in steps and one step at a time, as a reader that confirms what it has worked through. */
  #passed(sequence: number, bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes < this.segmentBytes / CURSOR_STEPS_A_SEGMENT || this.#moving !== undefined) return;
    this.#bytes = 0;
    this.#moving = this.#cursor.advance(sequence).finally(() => {
      this.#moving = undefined;
    });
  }
}
