import { ByteReader, ByteWriter } from '../engine/bytes.js';
import { InvalidArgumentError, ProtocolError } from '../errors.js';
import type { Journal, SequenceRange } from '../journal/journal.js';

/**
 * What a frame of zstd may refer to from its first byte on: payloads of records that both ends have in their journals,
 * end to end. Equal chains say that they are the same on both ends, so their numbers are all that crosses.
 */

export type PrefixRange = SequenceRange;

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

/** The content of a prefix of at most `bytesMax` bytes; raises what `PrefixBuilder.add` does. */
export async function readPrefix(
  journal: Pick<Journal, 'readPayloads'>,
  ranges: readonly PrefixRange[],
  bytesMax: number,
): Promise<Buffer> {
  const builder = new PrefixBuilder(journal, bytesMax);
  await builder.add(ranges);
  return builder.prefix.content;
}

/** Memory for a prefix, filled piece by piece. */
export class PrefixBuilder {
  private readonly ranges: PrefixRange[] = [];
  private readonly memory: Buffer;
  private filled = 0;

  constructor(
    private readonly journal: Pick<Journal, 'readPayloads'>,
    bytesMax: number,
    private readonly signal?: AbortSignal,
  ) {
    // Only what is filled costs anything.
    this.memory = Buffer.allocUnsafeSlow(bytesMax);
  }

  /**
   * Takes the payloads of ranges of records in rising order, or none of them: raises what the journal does when it does not
   * hold them or cannot read them, and ProtocolError when there is no room.
   */
  async add(ranges: readonly PrefixRange[]): Promise<void> {
    const { journal, memory, filled, signal } = this;
    try {
      this.filled += await journal.readPayloads(ranges, memory.subarray(filled), { signal });
    } catch (error) {
      if (!(error instanceof InvalidArgumentError)) throw error;
      throw new ProtocolError('a longer prefix', `at most ${memory.byteLength} bytes`, error);
    }
    this.ranges.push(...ranges);
  }

  get prefix(): Prefix {
    return { ranges: this.ranges, content: this.memory.subarray(0, this.filled) };
  }
}
