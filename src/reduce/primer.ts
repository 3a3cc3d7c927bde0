import { JournalDamagedError, LonghaulError } from '../errors.js';
import type { Journal, JournalRecord } from '../journal/journal.js';
import type { KeyHistory, KeyRun } from './key-history.js';
import { merged, type Prefix, PrefixBuilder, type PrefixRange, RANGES_MAX } from './prefix.js';

/**
 * Says with which records of history a frame of zstd begins, and when one has to end so that another can begin: what the
 * keys at hand held before, as their former content is what new content resembles, and the newest records besides.
 */

export interface PrimerOptions {
  journal: Pick<Journal, 'readBatches' | 'reachingBack'>;
  keys: KeyHistory;
  windowLog: number;
  /** The oldest record that the peer still holds. */
  floor: number;
  /** The newest record that the peer is known to hold. */
  held: () => number;
}

/** Parts of a window: the prefix at most, the newest records in it when it is not the first, the stream behind it. */
const PREFIX_PART = 3 / 4;
const LATER_NEWEST_PART = 1 / 4;
/** And so many times what comes: loading more would take longer than it can save. */
const LATER_NEWEST_RATIO = 4;
const STREAM_PART = 3 / 8;
/** At least so much goes through between two looks for a better prefix. */
const LOOK_PART_MIN = 1 / 16;
/** Another frame is begun when the former content of what comes is at least this part of it. */
const WORTHWHILE_PART = 1 / 8;
/** What is looked through for keys after a start: the newest of the journal. */
const SCAN_BYTES_MAX = 256 * 1024 * 1024;
const DAMAGES_MAX = 100;
/** Of a content that is larger than its place, so many records around the same place are taken. */
const MARGIN_RECORDS = 2;

/** Where the records that come write to a key. */
interface Stretch {
  /** Of the first of them. */
  first: number;
  start: number;
  end: number;
}

interface Coming {
  keys: Map<Buffer, Stretch>;
  bytes: number;
}

export class Primer {
  private readonly window: number;
  private started = false;
  /** What has gone into the stream since it was last looked for a better prefix, and when to look again. */
  private streamed = 0;
  private lookAt = 0;

  constructor(private readonly o: PrimerOptions) {
    this.window = 2 ** o.windowLog;
  }

  /** What the frame begins with that these records are the first of; undefined when they go on in the one there is. */
  async next(records: readonly JournalRecord[]): Promise<Prefix | undefined> {
    const bytes = records.reduce((sum, { payload }) => sum + payload.byteLength, 0);
    const isFirst = !this.started;
    this.started = true;
    this.streamed += bytes;
    let prefix: Prefix | undefined;
    if (isFirst || this.streamed > this.lookAt) {
      this.streamed = bytes;
      await this.scan();
      prefix = await this.choose(records, isFirst);
    }
    for (const record of records) this.o.keys.note(record);
    return prefix;
  }

  /** Whether one of their keys held something before that a prefix can bring. */
  async resemble(records: readonly JournalRecord[]): Promise<boolean> {
    if (records.every(({ key }) => key === undefined)) return false;
    await this.scan();
    return records.some(({ key, offset = 0 }) => key !== undefined && this.former(key, offset) !== undefined);
  }

  /** What a key held before the content of which something comes for `offset`. */
  private former(key: Buffer, offset: number): KeyRun | undefined {
    const { keys, floor, held } = this.o;
    return keys.find(key, offset, floor, held());
  }

  private async choose(records: readonly JournalRecord[], isFirst: boolean): Promise<Prefix | undefined> {
    const coming = await this.lookAhead(records);
    // When that has gone through, more will be there to be looked at.
    this.lookAt = Math.max(this.window * LOOK_PART_MIN, Math.min(coming.bytes, this.window * STREAM_PART));
    const former = this.formerContent(coming);
    const formerBytes = former.reduce((sum, { bytes }) => sum + bytes, 0);
    if (!isFirst && formerBytes < coming.bytes * WORTHWHILE_PART) return undefined;
    const { journal, floor, held } = this.o;
    const room = this.window * PREFIX_PART - formerBytes;
    const laterMax = Math.min(this.window * LATER_NEWEST_PART, LATER_NEWEST_RATIO * coming.bytes);
    const newestBytes = Math.max(0, isFirst ? room : Math.min(room, laterMax));
    const newest = { from: Math.max(floor, journal.reachingBack(held(), newestBytes)), to: held() };
    return this.load([...former, ...(newest.from > newest.to ? [] : [newest])]);
  }

  /** The keys of what goes into the frame, as far as it is in the journal by now. */
  private async lookAhead(records: readonly JournalRecord[]): Promise<Coming> {
    const coming: Coming = { keys: new Map(), bytes: 0 };
    const byName = new Map<string, Stretch>();
    const add = ({ key, offset = 0, payload }: JournalRecord): void => {
      coming.bytes += payload.byteLength;
      if (key === undefined) return;
      const name = key.toString('latin1');
      const stretch = byName.get(name);
      const end = offset + payload.byteLength;
      if (stretch === undefined) {
        const begun = { first: offset, start: offset, end };
        byName.set(name, begun);
        coming.keys.set(key, begun);
      } else {
        stretch.start = Math.min(stretch.start, offset);
        stretch.end = Math.max(stretch.end, end);
      }
    };
    records.forEach(add);
    const next = (records[records.length - 1]?.sequence ?? 0) + 1;
    try {
      for await (const batch of this.o.journal.readBatches(next)) {
        batch.forEach(add);
        if (coming.bytes >= this.window * STREAM_PART) break;
      }
    } catch (error) {
      // Whoever sends them meets the same trouble, and tells.
      if (!(error instanceof LonghaulError)) throw error;
    }
    return coming;
  }

  private formerContent({ keys }: Coming): (PrefixRange & { bytes: number })[] {
    const found: (PrefixRange & { bytes: number })[] = [];
    let room = this.window * PREFIX_PART;
    for (const [key, stretch] of keys) {
      const run = this.former(key, stretch.first);
      if (run === undefined) continue;
      const part = run.bytes <= room ? run : partOf(run, stretch);
      if (part.bytes > room) continue;
      found.push(part);
      room -= part.bytes;
      if (found.length === RANGES_MAX - 1) break;
    }
    return found;
  }

  /** As much as fits; what cannot be read is left out. */
  private async load(ranges: readonly PrefixRange[]): Promise<Prefix> {
    const builder = new PrefixBuilder(this.o.journal, this.window);
    const wanted = merged(ranges);
    for (let range = wanted.shift(); range !== undefined; range = wanted.shift()) {
      try {
        await builder.add(range);
      } catch (error) {
        if (!(error instanceof LonghaulError)) throw error;
        const behind = error instanceof JournalDamagedError ? Math.max(error.toSequence, range.from) + 1 : range.to + 1;
        if (behind <= range.to) wanted.unshift({ from: behind, to: range.to });
      }
    }
    return builder.prefix;
  }

  /** Learns the keys of what the peer holds already, once. */
  private async scan(): Promise<void> {
    const { journal, keys, floor, held } = this.o;
    const end = held();
    let from = Math.max(floor, keys.through + 1, journal.reachingBack(end, SCAN_BYTES_MAX));
    for (let damages = 0; from <= end && damages < DAMAGES_MAX; damages++) {
      try {
        for await (const records of journal.readBatches(from)) {
          for (const record of records) {
            if (record.sequence > end) return;
            keys.note(record);
          }
          from = keys.through + 1;
        }
        return;
      } catch (error) {
        if (!(error instanceof JournalDamagedError)) return;
        from = Math.max(from, error.toSequence) + 1;
      }
    }
  }
}

/** The records of a run about the same place, as if all of them were alike. */
function partOf(run: KeyRun, stretch: Stretch): KeyRun {
  const records = run.to - run.from + 1;
  const place = (offset: number): number => Math.floor((records * Math.min(offset, run.bytes)) / run.bytes);
  const from = Math.max(run.from, run.from + place(stretch.start) - MARGIN_RECORDS);
  const to = Math.min(run.to, run.from + place(stretch.end) + MARGIN_RECORDS);
  return { from, to, bytes: (run.bytes * (to - from + 1)) / records };
}
