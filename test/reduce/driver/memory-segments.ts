import type { JournalRecord } from '../../../src/journal/journal.js';

/** Records of a journal in memory, segment by segment, as those of a journal on disk. */

/** What a record takes beside its payload and key. */
const RECORD_BYTES = 64;

export interface MemorySegment {
  readonly first: number;
  /** Before its first record. */
  readonly chain: bigint;
  /** Where it starts, counted from the first record that the journal ever had. */
  readonly address: number;
  readonly records: JournalRecord[];
  /** Where each record ends. */
  readonly ends: number[];
}

export const lastOf = ({ first, records }: MemorySegment): number => first + records.length - 1;
export const endOf = ({ address, ends }: MemorySegment): number => ends[ends.length - 1] ?? address;

export class MemorySegments {
  constructor(
    private readonly segmentBytes: number,
    private all: MemorySegment[],
  ) {}

  get first(): number {
    return this.oldest.first;
  }

  get last(): number {
    return lastOf(this.active);
  }

  get oldest(): MemorySegment {
    return this.all[0] as MemorySegment;
  }

  get active(): MemorySegment {
    return this.all[this.all.length - 1] as MemorySegment;
  }

  /** Behind the newest record. */
  get chain(): bigint {
    const { records, chain } = this.active;
    return records[records.length - 1]?.chain ?? chain;
  }

  get sealed(): readonly MemorySegment[] {
    return this.all.slice(0, -1);
  }

  add(record: JournalRecord): void {
    const { active, chain } = this;
    const bytes = record.payload.byteLength + (record.key?.byteLength ?? 0) + RECORD_BYTES;
    if (active.records.length > 0 && endOf(active) + bytes > active.address + this.segmentBytes) {
      this.all.push({ first: record.sequence, chain, address: endOf(active), records: [], ends: [] });
    }
    this.active.records.push(record);
    this.active.ends.push(endOf(this.active) + bytes);
  }

  at(sequence: number): JournalRecord | undefined {
    const segment = this.holding(sequence);
    return segment?.records[sequence - segment.first];
  }

  holding(sequence: number): MemorySegment | undefined {
    let [low, high] = [0, this.all.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (lastOf(this.all[middle] as MemorySegment) < sequence) low = middle + 1;
      else high = middle;
    }
    const segment = this.all[low];
    return segment !== undefined && segment.first <= sequence ? segment : undefined;
  }

  reachingBack(through: number, bytes: number): number {
    const newest = this.holding(through);
    if (newest === undefined) return through + 1;
    const lowest = (newest.ends[through - newest.first] as number) - bytes;
    let reached = through + 1;
    for (let at = this.all.indexOf(newest); at >= 0; at--) {
      const { first, address, ends } = this.all[at] as MemorySegment;
      for (let place = Math.min(ends.length, reached - first) - 1; place >= 0; place--) {
        if ((ends[place - 1] ?? address) < lowest) return reached;
        reached = first + place;
      }
    }
    return reached;
  }

  /** Frees the oldest one. */
  shift(): MemorySegment {
    return this.all.shift() as MemorySegment;
  }

  /** A copy that later appends leave as it is. */
  copy(): MemorySegments {
    const { records, ends } = this.active;
    const open = { ...this.active, records: [...records], ends: [...ends] };
    return new MemorySegments(this.segmentBytes, [...this.sealed, open]);
  }
}
