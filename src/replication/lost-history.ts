import {
  ClosedError,
  InvalidArgumentError,
  JournalDamagedError,
  LonghaulError,
  ProtocolError,
  SequenceGoneError,
} from '../errors.js';
import type { Journal, PayloadRange } from '../journal/journal.js';
import { HistoryLost } from '../reduce/decoder.js';
import { merged, type PrefixRange } from '../reduce/prefix.js';

/**
 * Which records cannot be read, when a read of several has failed. All of them are looked for at once: each one that a
 * sender refers to in vain takes a round trip.
 */

/** So many records are looked at when one of those that a batch is made of is not what it was. */
const DAMAGE_LOOKS_MAX = 4096;
/** And so many times it is looked behind what cannot be read of a prefix. */
const LOST_LOOKS_MAX = 64;

/** What a failed read says of the records that were asked for; what is no loss of history is returned as it is. */
export function lostAs(error: unknown, ranges: readonly PrefixRange[]): unknown {
  if (error instanceof InvalidArgumentError)
    return new ProtocolError(error.message, 'references to what records have', error);
  if (!(error instanceof LonghaulError) || error instanceof ProtocolError || error instanceof ClosedError) return error;
  const damaged = error instanceof JournalDamagedError ? [{ from: error.fromSequence, to: error.toSequence }] : [];
  const gone = error instanceof SequenceGoneError ? [{ from: 1, to: error.first - 1 }] : [];
  const known = [...damaged, ...gone].filter(({ from, to }) => from <= to);
  return new HistoryLost(merged(known.length > 0 ? known : ranges), error);
}

/** Which of these records are damaged, as far as reading them again tells. */
export async function damagedOf(journal: Journal, sequences: readonly number[]): Promise<PrefixRange[]> {
  const found: PrefixRange[] = [];
  for (const sequence of sequences.slice(0, DAMAGE_LOOKS_MAX)) {
    if (found.some(({ from, to }) => from <= sequence && sequence <= to)) continue;
    try {
      for await (const _ of journal.readBatches(sequence, { batchRecordsMax: 1 })) break;
    } catch (error) {
      found.push(...lostOrRaised(error, { from: sequence, to: sequence }));
    }
  }
  return merged(found);
}

/** What of ranges of records cannot be read, as far as a few looks behind what cannot tell. */
export async function unreadableOf(journal: Journal, ranges: readonly PrefixRange[]): Promise<PrefixRange[]> {
  const lost: PrefixRange[] = [];
  for (const { from, to } of ranges) {
    for (let next = from; next <= to && lost.length < LOST_LOOKS_MAX; ) {
      try {
        for await (const records of journal.readBatches(next)) {
          next = (records[records.length - 1]?.sequence ?? to) + 1;
          if (next > to) break;
        }
        break;
      } catch (error) {
        const found = lostOrRaised(error, { from: next, to });
        lost.push(...found);
        next = Math.max(next, ...found.map((range) => range.to)) + 1;
      }
    }
  }
  return merged(lost);
}

/** As `lostAs`, of parts of payloads, with all records that cannot be read. */
export async function lostPartsAs(journal: Journal, error: unknown, parts: readonly PayloadRange[]): Promise<unknown> {
  const sequences = [...new Set(parts.map(({ sequence }) => sequence))];
  const lost = lostAs(
    error,
    sequences.map((sequence) => ({ from: sequence, to: sequence })),
  );
  if (!(lost instanceof HistoryLost)) return lost;
  const unreadable: PrefixRange[] = [...lost.ranges];
  for (const sequence of sequences.slice(0, DAMAGE_LOOKS_MAX)) {
    await journal.readRanges([{ sequence, offset: 0, length: 0 }]).catch(() => {
      unreadable.push({ from: sequence, to: sequence });
    });
  }
  return new HistoryLost(merged(unreadable), error);
}

function lostOrRaised(error: unknown, range: PrefixRange): readonly PrefixRange[] {
  const lost = lostAs(error, [range]);
  if (!(lost instanceof HistoryLost)) throw error;
  return lost.ranges;
}
