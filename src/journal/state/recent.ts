import { chainOfRecordAt, sequenceAt, timestampAt } from '../format/record.js';

/** Chain, end and time of the newest records, in a ring: what cursors near the tail ask for without touching the disk. */

const RECENT_RECORDS = 16_384;

export class RecentRecords {
  private readonly chains = new BigUint64Array(RECENT_RECORDS);
  private readonly ends = new Float64Array(RECENT_RECORDS);
  private readonly groups = new Float64Array(RECENT_RECORDS);
  private readonly timestamps = new Float64Array(RECENT_RECORDS);
  private first = 1;
  private newest = 0;

  /** Forgets everything; `next` is the record that comes next. */
  restart(next: number): void {
    this.first = next;
    this.newest = next - 1;
  }

  /** Takes the sealed record at `at` of the bytes, which ends at `endAddress`; its group starts at `group`. */
  add(view: DataView, at: number, endAddress: number, group: number): void {
    const sequence = sequenceAt(view, at);
    if (sequence !== this.newest + 1) this.restart(sequence);
    const slot = sequence % RECENT_RECORDS;
    this.chains[slot] = chainOfRecordAt(view, at);
    this.ends[slot] = endAddress;
    this.groups[slot] = group;
    this.timestamps[slot] = timestampAt(view, at);
    this.newest = sequence;
    if (sequence - this.first >= RECENT_RECORDS) this.first = sequence - RECENT_RECORDS + 1;
  }

  chainOf(sequence: number): bigint | undefined {
    return this.has(sequence) ? this.chains[sequence % RECENT_RECORDS] : undefined;
  }

  /** The address right after the record. */
  endOf(sequence: number): number | undefined {
    return this.has(sequence) ? this.ends[sequence % RECENT_RECORDS] : undefined;
  }

  /** The address of its group. */
  groupOf(sequence: number): number | undefined {
    return this.has(sequence) ? this.groups[sequence % RECENT_RECORDS] : undefined;
  }

  timestampOf(sequence: number): number | undefined {
    return this.has(sequence) ? this.timestamps[sequence % RECENT_RECORDS] : undefined;
  }

  private has(sequence: number): boolean {
    return sequence >= this.first && sequence <= this.newest;
  }
}
