import { DATA_START, GROUP_HEADER_BYTES } from './format.js';
import { Group } from './group.js';
import { type Entry, encodeRecord } from './record.js';
import type { Segment } from './segment.js';
import type { Tail } from './tail.js';

/** Past this a group takes no more records, so that one commit does not keep the next waiting for long. */
const GROUP_BYTES_MAX = 8 * 1024 * 1024;

/** Encodes records as they get their numbers, and forms the groups that the writer commits one by one. */
export class Filler {
  private groups: Group[] = [];
  /** Where the next record goes. */
  private offset: number;
  private address: number;

  constructor(
    private readonly tail: Tail,
    /** Where the records of a segment end at the latest, unless it holds a single one. */
    private readonly recordsEndMax: number,
    active: Segment,
  ) {
    this.offset = active.bytes;
    this.address = active.endAddress;
  }

  get empty(): boolean {
    return this.groups.length === 0;
  }

  /** Goes on in another segment; nothing is waiting. */
  restart(active: Segment): void {
    this.tail.clear();
    this.groups = [];
    this.offset = active.bytes;
    this.address = active.endAddress;
  }

  add(entry: Entry): void {
    const group = this.groupFor(entry);
    const block = this.tail.blockFor(this.address, entry.bytes);
    const at = group.extend(block, entry.bytes);
    encodeRecord(block.bytes, block.view, at, entry);
    group.records++;
    group.last = entry.sequence;
    group.epoch = entry.epoch;
    this.advance(entry.bytes);
  }

  /** The oldest group; it takes no more records. */
  take(): Group | undefined {
    return this.groups.shift();
  }

  /** Forgets what has not been taken. */
  clear(): void {
    this.groups = [];
  }

  private groupFor(entry: Entry): Group {
    const open = this.groups[this.groups.length - 1];
    const fits = this.offset + entry.bytes <= this.recordsEndMax;
    if (open !== undefined && fits && open.bytes + entry.bytes <= GROUP_BYTES_MAX) return open;
    return this.begin(this.offset + GROUP_HEADER_BYTES + entry.bytes, entry.bytes);
  }

  private begin(end: number, recordBytes: number): Group {
    const startsSegment = end > this.recordsEndMax && this.offset > DATA_START;
    if (startsSegment) {
      this.offset = DATA_START;
      this.address += DATA_START;
    }
    const group = new Group(startsSegment, this.offset);
    const block = this.tail.blockFor(this.address, GROUP_HEADER_BYTES + recordBytes);
    group.extend(block, GROUP_HEADER_BYTES);
    this.advance(GROUP_HEADER_BYTES);
    this.groups.push(group);
    return group;
  }

  private advance(bytes: number): void {
    this.offset += bytes;
    this.address += bytes;
  }
}
