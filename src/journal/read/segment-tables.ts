import type { Segment, SegmentList } from '../format/segment.js';
import { SegmentTable } from '../scan/record-table.js';

/** What all tables together may take, in bytes: three to five for each record. */
export const TABLE_BYTES_MAX = 64 * 1024 * 1024;

/** Where the payloads of segments lie that were read from: those used last stay, up to a bound. */
export class SegmentTables {
  /** In the order of their last use, the oldest first; with the bytes that each was counted with. */
  private readonly tables = new Map<Segment, { table: SegmentTable; bytes: number }>();
  private bytes = 0;

  constructor(private readonly bytesMax: number = TABLE_BYTES_MAX) {}

  of(segment: Segment): SegmentTable {
    const entry = this.tables.get(segment) ?? { table: new SegmentTable(segment), bytes: 0 };
    this.tables.delete(segment);
    this.tables.set(segment, entry);
    return entry.table;
  }

  /** To be called when the table of a segment has grown: the others may have to make room. */
  grown(segment: Segment): void {
    const entry = this.tables.get(segment);
    if (entry === undefined) return;
    this.bytes += entry.table.bytes - entry.bytes;
    entry.bytes = entry.table.bytes;
    for (const other of this.tables.keys()) {
      if (this.bytes <= this.bytesMax) break;
      if (other !== segment) this.drop(other);
    }
  }

  /** Drops the tables of segments that are no longer in the list. */
  dropFreed(segments: SegmentList): void {
    for (const segment of [...this.tables.keys()]) if (!segments.has(segment)) this.drop(segment);
  }

  private drop(segment: Segment): void {
    this.bytes -= this.tables.get(segment)?.bytes ?? 0;
    this.tables.delete(segment);
  }
}
