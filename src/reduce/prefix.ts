import type { Journal } from '../journal/journal.js';

/**
 * What the stream of a session may refer to from its first byte on: the payloads of the newest records that both ends
 * have had in their journals before, end to end. Equal chains say that they are the same on both ends.
 */

/** The first and the last record of it; none when `to` is below `from`. */
export interface PrefixRange {
  from: number;
  to: number;
}

/** Gets it when the stream begins. */
export type PrefixLoader = () => Promise<Buffer>;

/** So much of a window is given to it; the rest is for the stream itself before the oldest of it goes out of reach. */
const WINDOW_PART = 3 / 4;

export function prefixBytesMax(windowLog: number): number {
  return 2 ** windowLog * WINDOW_PART;
}

/** As many of the records up to `to` as fit, and as both ends hold: none before `floor`. */
export function prefixRange(
  journal: Pick<Journal, 'reachingBack'>,
  to: number,
  floor: number,
  windowLog: number,
): PrefixRange {
  return { from: Math.max(journal.reachingBack(to, prefixBytesMax(windowLog)), floor), to };
}

/** Raises what the journal does when it no longer has the records; `tooLarge` makes the error for more than `bytesMax`. */
export async function loadPrefix(
  journal: Pick<Journal, 'readBatches'>,
  { from, to }: PrefixRange,
  bytesMax: number,
  tooLarge: () => Error,
): Promise<Buffer> {
  const payloads: Buffer[] = [];
  if (from > to) return Buffer.alloc(0);
  let bytes = 0;
  for await (const records of journal.readBatches(from)) {
    for (const { sequence, payload } of records) {
      if (sequence > to) break;
      bytes += payload.byteLength;
      if (bytes > bytesMax) throw tooLarge();
      payloads.push(payload);
    }
    if ((records[records.length - 1]?.sequence ?? 0) >= to) break;
  }
  return Buffer.concat(payloads, bytes);
}
