import { ByteReader, ByteWriter } from '../engine/bytes.js';
import { ProtocolError, SequenceGoneError } from '../errors.js';
import type { Journal } from '../journal/journal.js';

/**
 * What a frame of zstd may refer to from its first byte on: payloads of records that both ends have in their journals,
 * end to end. Equal chains say that they are the same on both ends, so their numbers are all that crosses.
 */

/** Records in a row, the first and the last one included. */
export interface PrefixRange {
  from: number;
  to: number;
}

/** A prefix and the records that it is made of. */
export interface Prefix {
  ranges: readonly PrefixRange[];
  content: Buffer;
}

export const NO_PREFIX: Prefix = { ranges: [], content: Buffer.alloc(0) };

/** The most ranges of one prefix, and the most records in them. */
export const RANGES_MAX = 512;
export const RECORDS_MAX = 1024 * 1024;

export function recordsIn({ from, to }: PrefixRange): number {
  return to - from + 1;
}

/** Count, then for each the distance from the end of the one before, and the number of its records. */
export function encodeRanges(ranges: readonly PrefixRange[]): Buffer {
  const writer = new ByteWriter().varint(ranges.length);
  let end = 0;
  for (const { from, to } of ranges) {
    writer.varint(from - end).varint(to - from + 1);
    end = to + 1;
  }
  return writer.take();
}

/** Reads the ranges at the start of `bytes`; returns them with what follows. */
export function decodeRanges(bytes: Buffer): { ranges: PrefixRange[]; rest: Buffer } {
  const reader = new ByteReader(bytes, 'prefix');
  const count = reader.varint(RANGES_MAX);
  let end = 0;
  let total = 0;
  const ranges = Array.from({ length: count }, () => {
    const from = end + reader.varint();
    const records = reader.varint();
    end = from + records;
    total += records;
    if (from < 1 || records < 1 || total > RECORDS_MAX || !Number.isSafeInteger(end)) {
      throw new ProtocolError(
        `a prefix of ${records} records from ${from}`,
        `records in rising order, ${RECORDS_MAX} at most`,
      );
    }
    return { from, to: end - 1 };
  });
  return { ranges, rest: bytes.subarray(reader.position) };
}

/** In order, those that touch or overlap made one. */
export function merged(ranges: readonly PrefixRange[]): PrefixRange[] {
  const all: PrefixRange[] = [];
  for (const { from, to } of [...ranges].sort((a, b) => a.from - b.from)) {
    const before = all[all.length - 1];
    if (before !== undefined && from <= before.to + 1) before.to = Math.max(before.to, to);
    else all.push({ from, to });
  }
  return all;
}

/** Memory for a prefix, filled range by range. */
export class PrefixBuilder {
  private readonly ranges: PrefixRange[] = [];
  private readonly memory: Buffer;
  private filled = 0;

  constructor(
    private readonly journal: Pick<Journal, 'readBatches'>,
    bytesMax: number,
    private readonly signal?: AbortSignal,
  ) {
    // Only what is filled costs anything.
    this.memory = Buffer.allocUnsafeSlow(bytesMax);
  }

  /**
   * Takes the payloads of a range of records, or none of them: raises what the journal does when it does not hold them or
   * cannot read them, and ProtocolError when there is no room.
   */
  async add({ from, to }: PrefixRange): Promise<void> {
    let next = from;
    let end = this.filled;
    for await (const records of this.journal.readBatches(from, { batchRecordsMax: Math.min(4096, to - from + 1) })) {
      this.signal?.throwIfAborted();
      for (const { sequence, payload } of records) {
        if (sequence > to) break;
        if (end + payload.byteLength > this.memory.byteLength) {
          const { byteLength } = this.memory;
          throw new ProtocolError(`a prefix of ${end + payload.byteLength} bytes and more`, `at most ${byteLength}`);
        }
        end += payload.copy(this.memory, end);
        next = sequence + 1;
      }
      if (next > to) break;
    }
    if (next <= to) throw new SequenceGoneError(next, from, next - 1);
    this.filled = end;
    this.ranges.push({ from, to });
  }

  get prefix(): Prefix {
    return { ranges: this.ranges, content: this.memory.subarray(0, this.filled) };
  }
}
