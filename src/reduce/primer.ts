import { setImmediate as endOfTurn } from 'node:timers/promises';
import { LonghaulError } from '../errors.js';
import type { Journal, JournalRecord } from '../journal/journal.js';
import type { History } from './history.js';
import { type KeyId, type KeyRun, keyIdOf } from './key-history.js';
import type { Outline } from './outline.js';
import {
  merged,
  NO_PREFIX,
  type Prefix,
  PrefixBuilder,
  type PrefixRange,
  RANGES_MAX,
  RECORDS_MAX,
  recordsIn,
} from './prefix.js';

/**
 * Says with which records of history a frame of zstd begins, and when one has to end so that another can begin: what the
 * keys at hand held before, as their former content is what new content resembles, and the newest records besides.
 */

export interface PrimerOptions {
  journal: Pick<Journal, 'readBatches' | 'readPayloads' | 'reachingBack'>;
  history: History;
  windowLog: number;
  /** Of the first frame. */
  level: number;
  /** Bytes of batches between two beginnings of frames, at least. Default 0. */
  frameBytesMin?: number;
  /** Whether the records may wait for a prefix to be read. Default: they may. */
  mayWait?: (records: readonly JournalRecord[]) => boolean;
  /** The newest record that the peer is known to hold. */
  held: () => number;
  /** Ends what is under way, with the signal's reason. */
  signal?: AbortSignal;
}

/** Parts of a window: the prefix at most, the newest records in it when it is not the first, the stream behind it. */
const PREFIX_PART = 3 / 4;
const LATER_NEWEST_PART = 1 / 4;
const STREAM_PART = 3 / 8;
/** Another frame is begun when the former content of what comes, as far as this one cannot reach it, is at least that. */
const WORTHWHILE_PART = 1 / 8;
/** Less than this goes through a frame without a prefix, which takes both ends some tenths of a second. */
const PRIME_BYTES_MIN = 32 * 1024;
/** From this level on prefixes are small: what is done to find the best matches is done to all of the prefix first. */
const SLOW_LEVEL = 10;
const SLOW_PREFIX_PART = 1 / 8;
/** What a record counts for beside its payload when it is looked ahead, and how many keys are looked at. */
const RECORD_BYTES = 64;
const KEYS_MAX = 16 * 1024;
const KEYS_A_TURN = 1024;
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
  keys: Map<KeyId, Stretch>;
  bytes: number;
}

type Former = PrefixRange & { bytes: number };

export class Primer {
  private readonly window: number;
  private readonly prefixBytesMax: number;
  private started = false;
  /** A frame has begun with a prefix. */
  private primed = false;
  /** What has gone into frames before that. */
  private unprimed = 0;
  private level: number;
  /** Bytes of batches since the frame began. */
  private sinceFrame = 0;
  /** What has gone into the stream since it was last looked for a better prefix. */
  private sinceLook = 0;
  /** What the frame can refer to without anything being done: its prefix, and the records from a number on. */
  private prefix: readonly PrefixRange[] = [];
  private reachFrom = 0;
  /** A record from time to time, and what has gone into the frame since. */
  private lastMark = 0;
  private sinceMark = 0;

  constructor(private readonly o: PrimerOptions) {
    this.window = 2 ** o.windowLog;
    this.level = o.level;
    this.prefixBytesMax = this.window * (o.level < SLOW_LEVEL ? PREFIX_PART : SLOW_PREFIX_PART);
  }

  /**
   * What the frame begins with that these records are the first of; undefined when they go on in the one there is. Another
   * level than before has one begin as soon as that may be. So many bytes of them are not known as they are.
   */
  async next(records: readonly JournalRecord[], unknown: number, level = this.o.level): Promise<Prefix | undefined> {
    const first = records[0]?.sequence ?? 0;
    this.mark(first);
    const isFirst = !this.started;
    const { frameBytesMin = 0, mayWait = () => true } = this.o;
    const mayBegin = isFirst || this.sinceFrame >= frameBytesMin;
    const mustBegin = isFirst || (level !== this.level && mayBegin);
    this.started = true;
    const isDue = this.isDue(unknown) && (!this.primed || this.haveFormer(records));
    const looks = (isDue || (mustBegin && this.primed)) && mayWait(records);
    if (!mustBegin && !looks) return undefined;
    if (looks) this.sinceLook = 0;
    const looked = looks ? await this.look(records, !this.primed, mustBegin || !this.primed) : NO_PREFIX;
    this.primed = looks;
    // A frame that begins with nothing forgets what the one before had in its window.
    const prefix = mustBegin || looked?.ranges.length !== 0 ? looked : undefined;
    if (prefix === undefined) return undefined;
    this.reach(prefix.ranges, first, first);
    this.level = level;
    this.sinceFrame = 0;
    return prefix;
  }

  /** The window has moved on: the prefix is at its end, and so is what was sent before the mark before this. */
  private mark(first: number): void {
    if (this.sinceMark < this.window * STREAM_PART) return;
    this.reach([], this.lastMark, first);
  }

  private reach(prefix: readonly PrefixRange[], from: number, mark: number): void {
    this.prefix = prefix;
    this.reachFrom = from;
    this.lastMark = mark;
    this.sinceMark = 0;
  }

  streamed(bytes: number): void {
    this.sinceLook += bytes;
    this.sinceMark += bytes;
    this.sinceFrame += bytes;
  }

  passed(bytes: number): void {
    this.sinceFrame += bytes;
  }

  /** What is known needs no prefix, and a little that is not is not worth one. */
  private isDue(unknown: number): boolean {
    if (this.primed) return this.sinceLook >= this.window * STREAM_PART;
    this.unprimed += unknown;
    return this.unprimed >= PRIME_BYTES_MIN;
  }

  /** Whether what a record replaces is in reach of the frame. */
  reaches({ key, offset = 0 }: Outline): boolean {
    const former = key === undefined ? undefined : this.former(key, offset);
    return former !== undefined && this.isInReach(former);
  }

  holds(sequence: number): boolean {
    return this.isInReach({ from: sequence, to: sequence });
  }

  /** Whether one of their keys held something before that a prefix can bring. */
  resemble(outlines: readonly Outline[]): boolean {
    return outlines.some(({ key, offset = 0 }) => key !== undefined && this.former(key, offset) !== undefined);
  }

  /** No trouble with history is a reason not to send. */
  private async look(
    records: readonly JournalRecord[],
    isFirst: boolean,
    mustBegin: boolean,
  ): Promise<Prefix | undefined> {
    try {
      return await this.choose(records, isFirst, mustBegin);
    } catch (error) {
      if (!(error instanceof LonghaulError)) throw error;
      return mustBegin ? NO_PREFIX : undefined;
    }
  }

  /** Where nothing is replaced a prefix brings nothing: it is looked for as soon as something is. */
  private haveFormer(records: readonly JournalRecord[]): boolean {
    return records.some(({ key, offset = 0 }) => key !== undefined && this.former(keyIdOf(key), offset) !== undefined);
  }

  /** What a key held before the content of which something comes for `offset`. */
  private former(id: KeyId, offset: number): KeyRun | undefined {
    const { history, held } = this.o;
    return history.keys.find(id, offset, ({ from, to }) => history.isUsable(from, held() + 1, to));
  }

  private async choose(
    records: readonly JournalRecord[],
    isFirst: boolean,
    mustBegin: boolean,
  ): Promise<Prefix | undefined> {
    const { journal, history, held } = this.o;
    if (held() < history.floor) return mustBegin ? NO_PREFIX : undefined;
    const coming = await this.lookAhead(records);
    const former = await this.formerContent(coming);
    const gain = former.reduce((sum, run) => sum + (this.isInReach(run) ? 0 : run.bytes), 0);
    if (!mustBegin && gain < this.window * STREAM_PART * WORTHWHILE_PART) return undefined;
    const room = this.prefixBytesMax - former.reduce((sum, { bytes }) => sum + bytes, 0);
    const newestBytes = Math.floor(Math.max(0, isFirst ? room : Math.min(room, this.window * LATER_NEWEST_PART)));
    const newest = { from: Math.max(history.floor, journal.reachingBack(held(), newestBytes)), to: held() };
    return this.load([...former, ...history.usableParts(newest)]);
  }

  /** Whether the frame there is can refer to a content. */
  private isInReach({ from, to }: PrefixRange): boolean {
    return from >= this.reachFrom || this.prefix.some((range) => range.from <= from && to <= range.to);
  }

  /** The keys of what goes into the frame, as far as it is in the journal by now. */
  private async lookAhead(records: readonly JournalRecord[]): Promise<Coming> {
    const coming: Coming = { keys: new Map(), bytes: 0 };
    const add = ({ key, offset = 0, payload }: JournalRecord): void => {
      coming.bytes += payload.byteLength + RECORD_BYTES;
      if (key === undefined || coming.keys.size >= KEYS_MAX) return;
      const id = keyIdOf(key);
      const stretch = coming.keys.get(id);
      const end = offset + payload.byteLength;
      if (stretch === undefined) {
        coming.keys.set(id, { first: offset, start: offset, end });
      } else {
        stretch.start = Math.min(stretch.start, offset);
        stretch.end = Math.max(stretch.end, end);
      }
    };
    records.forEach(add);
    const next = (records[records.length - 1]?.sequence ?? 0) + 1;
    for await (const batch of this.o.journal.readBatches(next)) {
      this.o.signal?.throwIfAborted();
      batch.forEach(add);
      if (coming.bytes >= this.window * STREAM_PART || coming.keys.size >= KEYS_MAX) break;
    }
    return coming;
  }

  private async formerContent({ keys }: Coming): Promise<Former[]> {
    const found: Former[] = [];
    let room = this.prefixBytesMax;
    let looked = 0;
    for (const [id, stretch] of keys) {
      if (++looked % KEYS_A_TURN === 0) await endOfTurn();
      const run = this.former(id, stretch.first);
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
    const builder = new PrefixBuilder(this.o.journal, this.window, this.o.signal);
    let records = 0;
    const wanted = merged(ranges).filter((range) => {
      records += recordsIn(range);
      return records <= RECORDS_MAX;
    });
    if (!(await taken(builder, wanted))) for (const range of wanted) await taken(builder, [range]);
    this.o.signal?.throwIfAborted();
    return builder.prefix;
  }
}

/** False when the ranges cannot be read, or have no room. */
async function taken(builder: PrefixBuilder, ranges: readonly PrefixRange[]): Promise<boolean> {
  try {
    await builder.add(ranges);
    return true;
  } catch (error) {
    if (!(error instanceof LonghaulError)) throw error;
    return false;
  }
}

/** The records of a run about the same place, as if all of them were alike. */
function partOf(run: KeyRun, stretch: Stretch): KeyRun {
  const records = recordsIn(run);
  const place = (offset: number): number => Math.floor((records * Math.min(offset, run.bytes)) / run.bytes);
  const from = Math.max(run.from, run.from + place(stretch.start) - MARGIN_RECORDS);
  const to = Math.min(run.to, run.from + place(stretch.end) + MARGIN_RECORDS);
  return { from, to, bytes: Math.ceil((run.bytes * (to - from + 1)) / records) };
}
