import { RECORD_HEADER_BYTES } from './format.js';
import type { RecentRecords } from './recent.js';
import { type Entry, HeaderEncoder } from './record.js';
import type { Segment } from './segment.js';

/** Payloads up to this size are copied beside their header; larger ones go to the disk from where they are. */
const COPIED_BYTES_MAX = 16 * 1024;

const STAGING_BYTES_MIN = 64 * 1024;
const GROUP_BYTES_MAX = 8 * 1024 * 1024;
/** What one gathered write takes on any system. */
const GROUP_BUFFERS_MAX = 1000;

/** Where a group goes and what comes before it. */
export interface GroupStart {
  segment: Segment;
  /** Its place in the segment. */
  offset: number;
  chain: bigint;
  /** The newest record that is sure to be synced when the group is written. */
  durableThrough: number;
  segmentBytesMax: number;
}

/**
 * The records of one commit, encoded as they come: headers, keys, padding and small payloads lie in one staging buffer
 * that later groups reuse, so that the whole is few buffers for one gathered write.
 */
export class Group {
  bytes = 0;
  /** The newest record, its chain and epoch. */
  last = 0;
  chain = 0n;
  epoch = 0;
  private start: GroupStart | undefined;
  private readonly header = new HeaderEncoder();
  private staging = new Uint8Array(STAGING_BYTES_MIN);
  /** How much of the staging buffer is filled, and how much of that is in `buffers` already. */
  private filled = 0;
  private listed = 0;
  private buffers: Uint8Array[] = [];

  constructor(private readonly recent: RecentRecords) {}

  get empty(): boolean {
    return this.bytes === 0;
  }

  get place(): GroupStart {
    if (this.start === undefined) throw new Error('a group is begun before it is used');
    return this.start;
  }

  begin(start: GroupStart): void {
    this.start = start;
    this.bytes = 0;
    this.chain = start.chain;
    this.filled = 0;
    this.listed = 0;
    this.buffers = [];
  }

  /** Whether a record fits the group and its segment; the first of an empty segment always does. */
  fits(entry: Entry): boolean {
    const { offset, segment, segmentBytesMax } = this.place;
    const end = offset + this.bytes + entry.bytes;
    if (this.empty) return end <= segmentBytesMax || segment.headerOnlyAt(offset);
    return (
      end <= segmentBytesMax && this.bytes + entry.bytes <= GROUP_BYTES_MAX && this.buffers.length < GROUP_BUFFERS_MAX
    );
  }

  add(entry: Entry): void {
    const { segment, offset, durableThrough } = this.place;
    const payloadLength = entry.payload.byteLength;
    const copied = payloadLength <= COPIED_BYTES_MAX;
    this.reserve(copied ? entry.bytes : entry.bytes - payloadLength);
    segment.note(entry.sequence, offset + this.bytes, entry.timestamp);
    this.chain = this.header.encode(entry, this.chain, durableThrough, segment.seed);
    this.put(this.header.bytes);
    if (entry.key !== undefined) this.put(entry.key);
    if (copied) {
      this.put(entry.payload);
    } else {
      this.list();
      this.buffers.push(entry.payload);
    }
    const padding = entry.bytes - RECORD_HEADER_BYTES - (entry.key?.byteLength ?? 0) - payloadLength;
    if (padding > 0) {
      this.staging.fill(0, this.filled, this.filled + padding);
      this.filled += padding;
    }
    this.bytes += entry.bytes;
    this.last = entry.sequence;
    this.epoch = entry.epoch;
    this.recent.add(entry.sequence, this.chain, segment.address + offset + this.bytes, entry.timestamp);
  }

  /** The encoded records, in order; the group takes no more after this. */
  finish(): Uint8Array[] {
    this.list();
    return this.buffers;
  }

  private put(bytes: Uint8Array): void {
    this.staging.set(bytes, this.filled);
    this.filled += bytes.byteLength;
  }

  private list(): void {
    if (this.filled > this.listed) this.buffers.push(this.staging.subarray(this.listed, this.filled));
    this.listed = this.filled;
  }

  /** Makes room. What is listed stays in the buffer it lies in; the rest moves to the larger one. */
  private reserve(bytes: number): void {
    if (this.filled + bytes <= this.staging.byteLength) return;
    let size = this.staging.byteLength * 2;
    while (size < this.filled + bytes) size *= 2;
    const larger = new Uint8Array(size);
    larger.set(this.staging.subarray(this.listed, this.filled), this.listed);
    this.staging = larger;
  }
}
