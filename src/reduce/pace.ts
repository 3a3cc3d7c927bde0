import { MIB } from '../options.js';
import { leavesLittle } from './yield.js';

/**
 * Which codec and level a live session uses: what makes its records arrive soonest. It climbs while the link is what is
 * waited for, descends while the encoder is, and holds on to a step only when more of the source crosses for it. Nothing
 * here knows of clocks or links: it is fed with what each batch took.
 */

export interface Rung {
  codec: 'none' | 'lz4' | 'zstd';
  /** Of zstd; 0 otherwise. */
  level: number;
}

/** From fast to small. On the lowest rung no references are looked for either. */
export const LADDER: readonly Rung[] = [
  { codec: 'none', level: 0 },
  { codec: 'lz4', level: 0 },
  { codec: 'zstd', level: 1 },
  { codec: 'zstd', level: 3 },
  { codec: 'zstd', level: 6 },
  { codec: 'zstd', level: 9 },
];
/** The highest level that it may come to. */
export const PACE_LEVEL_MAX = 9;
/** Where a session begins: with nothing known of the link, and a link that is idle, it costs a millisecond or two. */
const START_LEVEL = 3;

/** What one batch took. */
export interface PaceSample {
  /** How it was sent; those that still are as the rung before had them say nothing about this one. */
  rung: Rung;
  /** Of payloads, and of what went to the connection. */
  sourceBytes: number;
  bodyBytes: number;
  /** What references have left of the payloads, with all else that is in a batch. */
  batchBytes: number;
  /** In milliseconds: looking for references, compressing, and waiting for the connection to take it. */
  prepareMs: number;
  compressMs: number;
  sendMs: number;
  /** From the end of the batch before to the end of this one; the three go on at a time in part. */
  elapsedMs: number;
  /** Whether more waited behind the batch when it was taken up. */
  backlogged: boolean;
}

/** A decision needs that much of the source and of time, or more time and a little of the source. */
const WINDOW_BYTES = 8 * MIB;
const WINDOW_MS = 400;
const LONG_WINDOW_MS = 4000;
const LONG_WINDOW_BYTES = MIB / 2;
/** Batches after a change that are not looked at: they went along with others of the rung before. */
const SETTLE_BATCHES = 2;
/** The link is waited for when it takes this part of the time, the encoder when the link takes no more than that. */
const LINK_PART = 0.25;
const IDLE_PART = 0.12;
/** Buffers on the way take so much before they say anything about the link. */
const BUFFERED_BYTES = 4 * MIB;
/** More of the source has to cross for a step down to be kept. */
const DOWN_GAIN = 1.1;
/** About as much for a step up; less will do when the link is still waited for, as some content shrinks less than other. */
const UP_LOSS = 0.97;
const UP_LOSS_WAITING = 0.9;
/** A step that was no gain is not tried again for this time in which there is a backlog, twice as long each time. */
const PENALTY_MS = 3000;
const PENALTY_MS_MAX = 1_536_000;
/** What was learned holds for as long as the pace stays within this factor of what it was then. */
const CHANGED_FACTOR = 4;
/** What the newest window counts for in the pace that lessons are held against. */
const NEW_PART = 0.3;

interface Lesson {
  /** Of the time with a backlog. */
  untilMs: number;
  penaltyMs: number;
  /** Source bytes a millisecond when it was learned. */
  pace: number;
}

interface Trial {
  from: number;
  pace: number;
}

export class Pace {
  readonly #ladder: readonly Rung[];
  #at: number;
  #trial: Trial | undefined;
  readonly #lessons = new Map<number, Lesson>();
  /** Time with a backlog. */
  #busyMs = 0;
  /** Source bytes a millisecond of late. */
  #smoothed: number | undefined;
  #settling = 0;
  #wasBacklogged = false;
  #window = emptyWindow();
  /** Bodies that went since the link was last waited for. */
  #unwaitedBytes = 0;

  /** The rungs that both ends can do, in the order of LADDER; at least one. */
  constructor(ladder: readonly Rung[] = LADDER) {
    this.#ladder = ladder;
    const start = ladder.findLastIndex(({ level }) => level <= START_LEVEL);
    this.#at = Math.max(0, start);
  }

  /** What to use for the next batch. */
  get rung(): Rung {
    return this.#ladder[this.#at] as Rung;
  }

  note(sample: PaceSample): void {
    // Without a backlog neither end is short of anything, and the time goes by with waiting for records.
    const counts = sample.backlogged && this.#wasBacklogged && isSame(sample.rung, this.rung);
    if (this.#wasBacklogged) this.#busyMs += sample.elapsedMs;
    this.#wasBacklogged = sample.backlogged;
    if (!counts || this.#settling-- > 0) return;
    add(this.#window, sample);
    const { sourceBytes, elapsedMs } = this.#window;
    const isFull = sourceBytes >= WINDOW_BYTES && elapsedMs >= WINDOW_MS;
    if (isFull || (sourceBytes >= LONG_WINDOW_BYTES && elapsedMs >= LONG_WINDOW_MS)) this.#decide();
  }

  #decide(): void {
    const { sourceBytes, bodyBytes, elapsedMs, sendMs } = this.#window;
    const lower = this.#lower(this.#window);
    this.#window = emptyWindow();
    const pace = sourceBytes / Math.max(elapsedMs, 0.001);
    const waiting = sendMs / Math.max(elapsedMs, 0.001);
    this.#unwaitedBytes = waiting >= LINK_PART ? 0 : this.#unwaitedBytes + bodyBytes;
    this.#smoothed = this.#smoothed === undefined ? pace : this.#smoothed + (pace - this.#smoothed) * NEW_PART;
    if (this.#trial !== undefined && !this.#passed(this.#trial, pace, waiting)) return;
    this.#forget(this.#smoothed);
    if (waiting >= LINK_PART) this.#try(this.#at + 1, pace);
    else if (waiting <= IDLE_PART && this.#unwaitedBytes >= BUFFERED_BYTES && lower !== undefined) {
      this.#try(lower, pace);
    }
  }

  /** Whether the step that was taken is kept; if not, it is taken back. */
  #passed({ from, pace: before }: Trial, pace: number, waiting: number): boolean {
    this.#trial = undefined;
    const isDown = this.#at < from;
    const upLoss = waiting >= LINK_PART ? UP_LOSS_WAITING : UP_LOSS;
    if (pace < before * (isDown ? DOWN_GAIN : upLoss)) {
      this.#learn(this.#at, before);
      this.#go(from);
      return false;
    }
    // What was left was no better: that is a lesson as well.
    if (isDown) this.#learn(from, pace);
    else this.#lessons.delete(this.#at);
    return true;
  }

  #learn(rung: number, pace: number): void {
    const before = this.#lessons.get(rung);
    const penaltyMs = Math.min(PENALTY_MS_MAX, before === undefined ? PENALTY_MS : 2 * before.penaltyMs);
    this.#lessons.set(rung, { untilMs: this.#busyMs + penaltyMs, penaltyMs, pace });
  }

  /** Drops lessons of another time, when link or machine had another pace. */
  #forget(pace: number): void {
    for (const [rung, lesson] of this.#lessons) {
      if (pace > lesson.pace * CHANGED_FACTOR || pace < lesson.pace / CHANGED_FACTOR) this.#lessons.delete(rung);
    }
  }

  /** References are found on every rung but the lowest. Of low levels lz4 is nearly as fast, and begins no frame. */
  #lower({ sourceBytes, batchBytes, prepareMs, compressMs }: Window): number | undefined {
    const savesMost = leavesLittle(sourceBytes, batchBytes);
    // What references leave over is little work for any codec, and without them all of the source would cross.
    if (savesMost && compressMs < prepareMs) return undefined;
    if (prepareMs > compressMs) return 0;
    const { level } = this.rung;
    const lower = this.#at - 1;
    const next =
      level === 0 || level > START_LEVEL
        ? lower
        : this.#ladder.findLastIndex((rung, index) => index < this.#at && rung.codec !== 'zstd');
    return savesMost && this.#ladder[next]?.codec === 'none' ? undefined : next;
  }

  #try(rung: number, pace: number): void {
    if (rung < 0 || rung >= this.#ladder.length) return;
    const lesson = this.#lessons.get(rung);
    if (lesson !== undefined && this.#busyMs < lesson.untilMs) return;
    this.#trial = { from: this.#at, pace };
    this.#go(rung);
  }

  #go(rung: number): void {
    this.#at = rung;
    this.#settling = SETTLE_BATCHES;
    this.#unwaitedBytes = 0;
  }
}

type Window = Pick<
  PaceSample,
  'sourceBytes' | 'batchBytes' | 'bodyBytes' | 'elapsedMs' | 'sendMs' | 'prepareMs' | 'compressMs'
>;

function emptyWindow(): Window {
  return { sourceBytes: 0, batchBytes: 0, bodyBytes: 0, elapsedMs: 0, sendMs: 0, prepareMs: 0, compressMs: 0 };
}

function add(window: Window, sample: PaceSample): void {
  for (const key of Object.keys(window) as (keyof Window)[]) window[key] += sample[key];
}

export function isSame(one: Rung, other: Rung): boolean {
  return one.codec === other.codec && one.level === other.level;
}
