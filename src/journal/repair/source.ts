import { RepairRefusedError } from '../../errors.js';
import { type ReplicatedRecord, replicatedEntry } from '../arguments.js';
import type { Entry } from '../format/record.js';

/**
 * Where a repair gets records from: the records from..to in order, or a function that is asked for the stretches that
 * are missing, as few as there are. What a Journal's `read` gives fits.
 */
export type RepairSource =
  | AsyncIterable<ReplicatedRecord>
  | ((from: number, to: number) => AsyncIterable<ReplicatedRecord>);

/** Gives the records that are asked for, each checked in itself. */
export class RepairRecords {
  /** How many records were taken. */
  taken = 0;
  /** Of the one source, which goes on from stretch to stretch. */
  private shared: AsyncIterator<ReplicatedRecord> | undefined;

  constructor(
    private readonly source: RepairSource,
    private readonly from: number,
    private readonly to: number,
  ) {}

  /** The records from `first` to `last`, for a segment. */
  async *stretch(segment: string, first: number, last: number): AsyncGenerator<Entry, void, undefined> {
    if (first < this.from || last > this.to) {
      const found = `the repair is for records ${this.from} to ${this.to}`;
      throw new RepairRefusedError(segment, first, last, found, 'a range with all of these');
    }
    const records = this.begin(first, last);
    for (let sequence = first; sequence <= last; sequence++) {
      const record = await this.next(records, sequence);
      const refuse = (found: string, expected: string, cause?: unknown) =>
        new RepairRefusedError(segment, sequence, last, found, expected, cause);
      if (record === undefined) throw refuse('the source ends before them', `record ${sequence}`);
      if (record.sequence !== sequence)
        throw refuse(`the source gives record ${record.sequence}`, `record ${sequence}`);
      let entry: Entry;
      try {
        entry = replicatedEntry(record, 0);
      } catch (error) {
        throw refuse(`record ${sequence} of the source is not sound`, 'a record as a journal gives it', error);
      }
      this.taken++;
      yield entry;
    }
    if (records !== this.shared) await records.return?.();
  }

  async close(): Promise<void> {
    await this.shared?.return?.();
  }

  private begin(first: number, last: number): AsyncIterator<ReplicatedRecord> {
    const { source } = this;
    if (typeof source === 'function') return source(first, last)[Symbol.asyncIterator]();
    this.shared ??= source[Symbol.asyncIterator]();
    return this.shared;
  }

  /** The next record from `sequence` on: what comes before is sound in the journal, and not needed. */
  private async next(
    records: AsyncIterator<ReplicatedRecord>,
    sequence: number,
  ): Promise<ReplicatedRecord | undefined> {
    for (;;) {
      const { done, value } = await records.next();
      if (done) return undefined;
      if (!(value.sequence < sequence)) return value;
    }
  }
}
