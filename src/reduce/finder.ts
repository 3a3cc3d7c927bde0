import { matchesOf } from '../engine/matches.js';
import { LonghaulError } from '../errors.js';
import type { Journal, JournalRecord, PayloadRange } from '../journal/journal.js';
import { BASE_BYTES_MAX, BASES_MAX, type References } from './batch.js';
import { CHUNK_BYTES_MIN } from './chunking.js';
import type { Copy } from './content.js';
import type { Found, History } from './history.js';
import type { Outline } from './outline.js';

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

/** A stretch of a record that is compared with its base. */
interface Gap {
  start: number;
  end: number;
  bases: PayloadRange[];
}

interface Plan {
  found: readonly Found[];
  gaps: readonly Gap[];
  /** Shorter matches are left to the codec. */
  matchMin: number;
}

export interface FoundBytes {
  /** Of payloads, in chunks that history holds. */
  copied: number;
  /** And beside them in bases. */
  matched: number;
  /** Time in milliseconds that the comparing took. */
  matching: number;
}

export class Finder {
  constructor(
    private readonly journal: Pick<Journal, 'readRanges'>,
    private readonly history: History,
    /** Whether what a record replaces is in reach of the codec. */
    private readonly isInReach: (outline: Outline) => boolean,
  ) {}

  async find(
    records: readonly JournalRecord[],
    outlines: readonly Outline[],
  ): Promise<{ references: References; bytes: FoundBytes }> {
    const plans = outlines.map((outline) => this.#plan(outline));
    const bytes = { copied: 0, matched: 0, matching: 0 };
    const gaps = plans.flatMap((plan) => plan?.gaps ?? []);
    const begun = performance.now();
    const bases = gaps.length === 0 ? [] : await this.#read(gaps);
    const space = new BaseSpace();
    let gap = 0;
    const copies = plans.map((plan, index) => {
      if (plan === undefined) return undefined;
      const parts: Copy[] = [];
      let found = 0;
      const takeFound = (before: number) => {
        for (let next = plan.found[found]; next !== undefined && next.start < before; next = plan.found[++found]) {
          const { length } = next.range;
          if (!space.hasRoom([next.range])) continue;
          parts.push({ start: next.start, from: space.add(next.range), length });
          bytes.copied += length;
        }
      };
      for (const { start, end, bases: ranges } of plan.gaps) {
        takeFound(start);
        const base = bases[gap++];
        const { payload } = records[index] as JournalRecord;
        const matches = base === undefined ? [] : matchesOf(base, payload.subarray(start, end), plan.matchMin);
        if (matches.length === 0 || !space.hasRoom(ranges)) continue;
        const from = ranges.reduce((at, range) => Math.min(at, space.add(range)), Number.POSITIVE_INFINITY);
        for (const match of matches) {
          parts.push({ start: start + match.start, from: from + match.from, length: match.length });
          bytes.matched += match.length;
        }
      }
      takeFound(Number.POSITIVE_INFINITY);
      return parts.length === 0 ? undefined : parts;
    });
    bytes.matching = performance.now() - begun;
    return { references: { bases: space.ranges, copies }, bytes };
  }

  #plan(outline: Outline): Plan | undefined {
    const { bytes } = outline;
    if (bytes < Math.min(CHUNK_BYTES_MIN, GAP_BYTES_MIN)) return undefined;
    const found = this.history.copies(outline);
    const copied = found.reduce((sum, { range }) => sum + range.length, 0);
    if (copied === bytes) return { found, gaps: [], matchMin: 0 };
    if (bytes <= PAGE_BYTES_MAX) {
      const bases = this.history.bases(outline, 0, bytes);
      if (2 * lengthOf(bases) >= bytes) return { found: [], gaps: [{ start: 0, end: bytes, bases }], matchMin: 0 };
    }
    const gaps = gapsOf(found, bytes).flatMap((gap) => this.#withBase(outline, gap));
    if (found.length + gaps.length === 0) return undefined;
    return { found, gaps, matchMin: this.isInReach(outline) ? MATCH_MIN_IN_REACH : MATCH_MIN };
  }

  #withBase(outline: Outline, { start, end, before, after }: Between): Gap[] {
    if (end - start < GAP_BYTES_MIN) return [];
    const inPlace = this.history.bases(outline, start, end - start);
    if (inPlace.length > 0) return [{ start, end, bases: inPlace }];
    const between = baseBetween(before, after, end - start);
    return between === undefined ? [] : [{ start, end, bases: [between] }];
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

/** The bases of a batch, laid end to end in the order of their use. */
class BaseSpace {
  readonly ranges: PayloadRange[] = [];
  #bytes = 0;

  /** What a batch may not have more of is sent as it is. */
  hasRoom(ranges: readonly PayloadRange[]): boolean {
    return this.ranges.length + ranges.length <= BASES_MAX && this.#bytes + lengthOf(ranges) <= BASE_BYTES_MAX;
  }

  /** Where a base lies. */
  add(range: PayloadRange): number {
    const at = this.#bytes;
    this.ranges.push(range);
    this.#bytes += range.length;
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
    if (length > 0 && length <= 2 * room) return { sequence: before.range.sequence, offset, length };
  }
  if (after === undefined || after.range.offset === 0) return undefined;
  const length = Math.min(after.range.offset, room);
  return { sequence: after.range.sequence, offset: after.range.offset - length, length };
}

function lengthOf(ranges: readonly PayloadRange[]): number {
  return ranges.reduce((sum, { length }) => sum + length, 0);
}
