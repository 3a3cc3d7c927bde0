import { type Match, matchesOf } from '../engine/matches.js';
import { LonghaulError } from '../errors.js';
import type { Journal, JournalRecord, PayloadRange } from '../journal/journal.js';
import { BASE_BYTES_MAX, BASE_BYTES_MIN, BASES_MAX, type References } from './batch.js';
import { type Copy, copiesMax } from './content.js';
import type { Found, History } from './history.js';
import type { Outline } from './outline.js';
import { Yield } from './yield.js';

/**
 * Finds what history holds of the records of a batch. Chunks that it has are copied as they are. What lies between them is
 * compared byte by byte with its base: what was last written in the same place, or what lay between the copies where they
 * come from.
 */

/** A shorter stretch is not compared: what it takes to say where its base lies is about what it saves. */
const GAP_BYTES_MIN = 64;
/** Up to here a record is compared as a whole: the change of a page is smaller than the chunks it breaks. */
const PAGE_BYTES_MAX = 64 * 1024;
/** A gap is compared with at most so much, beside what it replaces. */
const GAP_MARGIN_BYTES = 4096;

/**
 * Beyond a page, what is found in a base breaks up what the codec would find in its window: short matches are left to it,
 * and all but the longest when what the record replaces is in the window.
 */
const MATCH_MIN = 64;
const MATCH_MIN_IN_REACH = 4096;

/** Comparing with what a content resembles pays when no more than this part of it is left. */
const RESEMBLING_KEPT_PART = 0.8;

/** A stretch of a record that is compared with its base. */
interface Gap {
  start: number;
  end: number;
  bases: PayloadRange[];
  /** The base is only likely to be alike. */
  resembles?: true;
}

interface Plan {
  found: readonly Found[];
  /** What lies between the chunks that were found. */
  gaps: readonly Gap[];
  /** Bytes in chunks that history holds, whether they are copied or the record is compared as a whole. */
  known: number;
  outline: Outline;
}

/** What is to be done with each record of a batch; undefined for what is sent as it is. */
export interface Plans {
  records: readonly (Plan | undefined)[];
  /** Bytes in chunks that history holds. */
  copied: number;
  /** Bytes in no chunk that it holds, of records that are long enough to be looked for. */
  unknown: number;
}

export interface FoundReferences {
  references: References;
  /** Bytes that are in chunks that history holds, and beside them in bases. */
  copied: number;
  matched: number;
}

/** What the codec finds by itself. */
interface Reach {
  /** Whether what a record replaces is in its reach, and whether a record is. */
  reaches(outline: Outline): boolean;
  holds(sequence: number): boolean;
}

export class Finder {
  /** Of comparing with what a content resembles. */
  readonly #yield = new Yield(RESEMBLING_KEPT_PART);

  constructor(
    private readonly journal: Pick<Journal, 'readRanges'>,
    private readonly history: History,
    private readonly reach: Reach,
  ) {}

  /** How many bytes of what a record replaces are known, without looking at the record. */
  replacedBytes(place: Outline): number {
    return lengthOf(this.history.bases(place, 0, place.bytes));
  }

  /** Looks for chunks. */
  plan(outlines: readonly Outline[]): Plans {
    const tries = this.#yield.isTried();
    const records = outlines.map((outline) => this.#plan(outline, tries));
    const copied = records.reduce((sum, plan) => sum + (plan === undefined ? 0 : copiedBytes(plan.found)), 0);
    const unknown = outlines.reduce((sum, outline, index) => sum + unknownBytes(outline, records[index]), 0);
    return { records, copied, unknown };
  }

  /** Compares what lies between them. */
  async find(records: readonly JournalRecord[], plans: Plans): Promise<FoundReferences> {
    const gaps = plans.records.flatMap((plan) => plan?.gaps ?? []);
    const bases = gaps.length === 0 ? [] : await this.#read(gaps);
    const space = new BaseSpace(plans.copied);
    let matched = 0;
    const resembling = { bytes: 0, matched: 0 };
    let next = 0;
    const copies = plans.records.map((plan, index) => {
      if (plan === undefined) return undefined;
      const { payload } = records[index] as JournalRecord;
      const row = new Row(space);
      for (const gap of plan.gaps) {
        const base = bases[next++];
        if (base === undefined) continue;
        const matches = matchesOf(base, payload.subarray(gap.start, gap.end), this.#matchMin(plan.outline));
        row.takeUpTo(gap.start, plan.found);
        const bytes = row.match(gap, matches);
        matched += bytes;
        if (gap.resembles === true) {
          resembling.bytes += gap.end - gap.start;
          resembling.matched += bytes;
        }
      }
      row.takeUpTo(Number.POSITIVE_INFINITY, plan.found);
      return row.copies.length === 0 ? undefined : row.copies;
    });
    if (resembling.bytes > 0) this.#yield.note(resembling.bytes, resembling.bytes - resembling.matched);
    return { references: { bases: space.ranges, copies }, copied: plans.copied, matched };
  }

  #plan(outline: Outline, triesResembled: boolean): Plan | undefined {
    const { bytes } = outline;
    if (bytes < GAP_BYTES_MIN) return undefined;
    // The last chunk of a payload may be a crumb, and what a base takes is more than that.
    const found = this.history.copies(outline).filter(({ range }) => range.length >= BASE_BYTES_MIN);
    const known = copiedBytes(found);
    if (known === bytes) return { outline, found, gaps: [], known };
    if (bytes <= PAGE_BYTES_MAX) {
      // As a whole, whatever chunks of it were found.
      const bases = this.history.bases(outline, 0, bytes);
      if (2 * lengthOf(bases) >= bytes) return { outline, found: [], gaps: [{ start: 0, end: bytes, bases }], known };
    }
    const gaps = gapsOf(found, bytes).flatMap((gap) => this.#withBase(outline, gap));
    if (found.length + gaps.length > 0) return { outline, found, gaps, known };
    const gap = triesResembled ? this.#withResembled(outline) : undefined;
    return gap === undefined ? undefined : { outline, found, gaps: [gap], known };
  }

  /** The whole of a record with what it resembles, unless the codec has that in its window. */
  #withResembled(outline: Outline): Gap | undefined {
    const resembled = this.history.resembled(outline);
    if (resembled === undefined || this.reach.holds(resembled.sequence)) return undefined;
    const length = Math.min(resembled.bytes, 2 * (outline.bytes + GAP_MARGIN_BYTES));
    return {
      start: 0,
      end: outline.bytes,
      bases: [{ sequence: resembled.sequence, offset: 0, length }],
      resembles: true,
    };
  }

  #matchMin(outline: Outline): number {
    if (outline.bytes <= PAGE_BYTES_MAX) return 0;
    return this.reach.reaches(outline) ? MATCH_MIN_IN_REACH : MATCH_MIN;
  }

  #withBase(outline: Outline, { start, end, before, after }: Between): Gap[] {
    if (end - start < GAP_BYTES_MIN) return [];
    const between = baseBetween(before, after, end - start);
    if (between !== undefined) return [{ start, end, bases: [between] }];
    const inPlace = this.history.bases(outline, start, end - start);
    return inPlace.length === 0 ? [] : [{ start, end, bases: inPlace }];
  }

  /** The bases of each gap, end to end; undefined when they cannot be read. */
  async #read(gaps: readonly Gap[]): Promise<(Buffer | undefined)[]> {
    try {
      const parts = await this.journal.readRanges(gaps.flatMap(({ bases }) => bases));
      let at = 0;
      return gaps.map(({ bases }) => {
        const own = parts.slice(at, at + bases.length);
        at += bases.length;
        return own.length === 1 ? own[0] : Buffer.concat(own);
      });
    } catch (error) {
      // What this end has freed already, or finds damaged, is sent as it is.
      if (!(error instanceof LonghaulError)) throw error;
      return gaps.map(() => undefined);
    }
  }
}

/** The copies of one record, in order. */
class Row {
  readonly copies: Copy[] = [];
  #taken = 0;

  constructor(private readonly space: BaseSpace) {}

  /** Takes the chunks that were found before a place. */
  takeUpTo(before: number, found: readonly Found[]): void {
    for (let next = found[this.#taken]; next !== undefined && next.start < before; next = found[++this.#taken]) {
      const { start, range } = next;
      this.copies.push({ start, from: this.space.add([range]), length: range.length });
    }
  }

  /** Takes what a gap has in common with its bases, within the bounds of a batch; returns how many bytes that are. */
  match({ start, end, bases }: Gap, matches: readonly Match[]): number {
    if (matches.length === 0 || matches.length > copiesMax(end - start) || !this.space.hasRoom(bases)) return 0;
    const from = this.space.add(bases);
    let bytes = 0;
    for (const match of matches) {
      this.copies.push({ start: start + match.start, from: from + match.from, length: match.length });
      bytes += match.length;
    }
    return bytes;
  }
}

/** The bases of a batch, laid end to end in the order of their use. */
class BaseSpace {
  readonly ranges: PayloadRange[] = [];
  #bytes = 0;

  /** Chunks always have room: together they are no longer than the payloads of the batch. */
  constructor(private readonly chunkBytes: number) {}

  hasRoom(ranges: readonly PayloadRange[]): boolean {
    const bytes = this.chunkBytes + this.#bytes + lengthOf(ranges);
    return bytes <= BASE_BYTES_MAX && this.ranges.length + ranges.length <= BASES_MAX / 2;
  }

  /** Adds bases that belong together; returns where they start. */
  add(ranges: readonly PayloadRange[]): number {
    const at = this.#bytes;
    this.ranges.push(...ranges);
    this.#bytes += lengthOf(ranges);
    return at;
  }
}

/** What lies between two copies of a record, which are undefined at its ends. */
interface Between {
  start: number;
  end: number;
  before: Found | undefined;
  after: Found | undefined;
}

function gapsOf(found: readonly Found[], bytes: number): Between[] {
  const gaps: Between[] = [];
  let before: Found | undefined;
  for (const after of [...found, undefined]) {
    const start = before === undefined ? 0 : before.start + before.range.length;
    const end = after === undefined ? bytes : after.start;
    if (start < end) gaps.push({ start, end, before, after });
    before = after;
  }
  return gaps;
}

/** What lay there where the copies come from: between both if they are of one record, else behind one or before the other. */
function baseBetween(before: Found | undefined, after: Found | undefined, bytes: number): PayloadRange | undefined {
  const room = bytes + GAP_MARGIN_BYTES;
  if (before !== undefined && after !== undefined && before.range.sequence === after.range.sequence) {
    const offset = before.range.offset + before.range.length;
    const length = after.range.offset - offset;
    if (length >= GAP_BYTES_MIN && length <= 2 * room) return { sequence: before.range.sequence, offset, length };
  }
  if (after === undefined || after.range.offset < GAP_BYTES_MIN) return undefined;
  const length = Math.min(after.range.offset, room);
  return { sequence: after.range.sequence, offset: after.range.offset - length, length };
}

function lengthOf(ranges: readonly PayloadRange[]): number {
  return ranges.reduce((sum, { length }) => sum + length, 0);
}

function unknownBytes({ bytes, ends }: Outline, plan: Plan | undefined): number {
  return ends.length === 0 ? 0 : bytes - (plan?.known ?? 0);
}

function copiedBytes(found: readonly Found[]): number {
  return found.reduce((sum, { range }) => sum + range.length, 0);
}
