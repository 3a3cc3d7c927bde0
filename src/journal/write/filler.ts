import { DATA_START, GROUP_HEADER_BYTES } from '../format/format.js';
import { type Entry, encodeRecord } from '../format/record.js';
import { nextAddress, type Segment } from '../format/segment.js';
import { Group } from '../state/group.js';
import type { Tail, TailBlock } from '../state/tail.js';

/**
 * Past this a group takes no more records: while the disk works on one group the next can be filled and sealed, and the
 * syncs of groups of this size are a small part of their time.
 */
const GROUP_BYTES_MAX = 4 * 1024 * 1024;

/** Encodes records as they get their numbers, and forms the groups that the writer commits one by one. */
export class Filler {
  /** The newest one takes records. */
  private groups: Group[] = [];
  /** Where the next record goes in its segment, and where that starts if all segments lie in a row. */
  private offset: number;
  private base: number;
  /** Where the newest group goes on, and how much it can still take there; nothing once it is taken. */
  private place: { group: Group; block: TailBlock } | undefined;
  private room = 0;

  constructor(
    private readonly tail: Tail,
    /** Where the records of a segment end at the latest, unless it holds a single one. */
    private readonly recordsEndMax: number,
    active: Segment,
  ) {
    this.offset = active.bytes;
    this.base = active.address;
  }

  /** What waits. */
  get bytes(): number {
    let bytes = 0;
    for (const group of this.groups) bytes += group.bytes;
    return bytes;
  }

  /** The group that comes next, if it takes no more records. */
  get full(): Group | undefined {
    return this.groups.length > 1 ? this.groups[0] : undefined;
  }

  /** Goes on in another segment; nothing is waiting. */
  restart(active: Segment): void {
    this.tail.clear();
    this.clear();
    this.offset = active.bytes;
    this.base = active.address;
  }

  /** Encodes a record behind those that came before. When that fails, it is as if it had not come. */
  add(entry: Entry): void {
    const { place } = this;
    if (place !== undefined && entry.bytes <= this.room) {
      encodeRecord(place.block, place.block.filled, entry);
      this.count(place.group, place.block, entry, entry.bytes);
    } else if (place !== undefined && this.fits(entry, place.group)) {
      this.goOn(entry, place.group, 0);
    } else {
      this.begin(entry);
    }
  }

  /** The oldest group; it takes no more records. */
  take(): Group | undefined {
    const group = this.groups.shift();
    if (this.groups.length === 0) this.clear();
    return group;
  }

  /** Forgets what has not been taken. */
  clear(): void {
    this.groups = [];
    this.place = undefined;
    this.room = 0;
  }

  private fits(entry: Entry, group: Group): boolean {
    return this.offset + entry.bytes <= this.recordsEndMax && group.bytes + entry.bytes <= GROUP_BYTES_MAX;
  }

  private begin(entry: Entry): void {
    const { offset, base } = this;
    const startsSegment = offset > DATA_START && offset + GROUP_HEADER_BYTES + entry.bytes > this.recordsEndMax;
    if (startsSegment) {
      this.base = nextAddress(base + offset);
      this.offset = DATA_START;
    }
    const group = new Group(startsSegment, this.offset);
    try {
      this.goOn(entry, group, GROUP_HEADER_BYTES);
    } catch (error) {
      this.offset = offset;
      this.base = base;
      throw error;
    }
    this.groups.push(group);
  }

  /** Takes the record into a group where that goes on, which may be another block. */
  private goOn(entry: Entry, group: Group, headerBytes: number): void {
    const bytes = headerBytes + entry.bytes;
    const block = this.tail.blockFor(this.base + this.offset, bytes);
    encodeRecord(block, block.filled + headerBytes, entry);
    this.count(group, block, entry, bytes);
    this.place = { group, block };
    this.room = Math.min(block.room, this.recordsEndMax - this.offset, GROUP_BYTES_MAX - group.bytes);
  }

  /** Nothing has changed before the record was encoded. */
  private count(group: Group, block: TailBlock, entry: Entry, bytes: number): void {
    group.extend(block, bytes);
    group.records++;
    group.last = entry.sequence;
    group.epoch = entry.epoch;
    this.offset += bytes;
    this.room -= bytes;
  }
}
