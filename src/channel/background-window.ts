import { KIB } from '../options.js';
import { BaseDelay } from './base-delay.js';
import { RecentExtreme } from './recent-extreme.js';
import { type RoundTrips, SEGMENT_BYTES } from './round-trips.js';
import type { SendWindow } from './send-window.js';

export interface BackgroundWindowOptions {
  bytesMax: number;
  now: () => number;
  roundTrips: Pick<RoundTrips, 'isTold' | 'look'>;
}

/** What a channel in the background leaves to others, and what it takes. */
export interface BackgroundStatus {
  /** What it may send at present, in bytes per second. */
  rateBytesPerSecond: number;
  /** How much longer round trips take than on a line without a queue, in milliseconds. */
  queueMs: number;
}

/** The queue that is kept: a part of the round trip, within these bounds. Less than what any other of our streams keeps. */
const TARGET_PART = 1 / 4;
const TARGET_MS = { min: 3, max: 12 };
/** Confirmations of frames are not as exact, as both processes are in them. */
const TARGET_FRAMES_MS_MIN = 6;
/** What goes out in one go makes a queue for its own end: a few segments, or a frame. */
const BURST = { segments: 3, frameBytes: 16 * KIB };
/** The last of what little is sent is acknowledged by so much later: TCP waits for more. Confirmations of frames wait too. */
const LATE = { acknowledgement: { ms: 40, segments: 2 }, confirmation: { ms: 5, bytes: 64 * KIB } };

const START_BYTES = 16 * KIB;
/** What goes in any case: a frame in each round trip, so that nothing stands still, and enough to measure by. */
const BYTES_MIN = 8 * KIB;
const REACHED_PART = 0.02;
const REACHED_MS = 600_000;
/** The window is not more than this many times what arrives: more would lie in the system's own buffers. */
const ARRIVING_TIMES = 4;

const LOOK_MS = 5;
/**
 * In round trips since the last change: it shows from `from` on, and by `to` it has been measured; too long a queue is known
 * earlier. The least that is seen counts (RFC 6817, section 3.4.2), as what is sent in one go makes a queue for its own end.
 */
const MEASURE = { from: 1.5, to: 2, msMin: 10 };

const STEP_MAX = 1.25;
/** With hardly any queue for a while it grows so fast, up to where a queue began the last time. */
const CALM_MS = 500;
const CALM_STEP = { unknown: 1.5, known: 2 };
const CALM_PART = 2 / 3;
const DECREASE_MIN = 1 / 2;

/** What is under way is spread over the round trip, and goes a quarter faster, so that the window is what holds it. */
const PACE_GAIN = 1.25;

/** Every now and then it sends so much less, for so many rounds, that its own queue drains and the base shows. */
const SLOWDOWN = { firstMs: 2000, everyMs: 30_000, part: 1 / 8, rounds: 2 };

/**
 * How much may be under way of a channel that only takes what others leave.
 *
 * After LEDBAT (RFC 6817): it watches by how much round trips are longer than the shortest of late, grows below a target of
 * that and shrinks above it. Whoever fills a queue beyond the target has the line. After LEDBAT++
 * (draft-irtf-iccrg-ledbat-plus-plus): above the target it shrinks by a factor, and slowdowns let the base be measured.
 * Unlike both it grows by a factor as well, that of FAST TCP (Jin, Wei, Low, INFOCOM 2004), with half its gain: so it comes
 * to rest at the target whatever the line carries, and is back on a long one within seconds.
 *
 * Queues are seen in the system's own round trips; where it does not tell them, in how long frames take to be confirmed.
 */
export class BackgroundWindow implements SendWindow {
  readonly #o: BackgroundWindowOptions;
  #bytes: number;
  #baseMs = Number.POSITIVE_INFINITY;
  #queueMs = 0;
  #segmentBytes = SEGMENT_BYTES;
  readonly #framesBase = new BaseDelay();

  #roundAtMs: number;
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  /** The shortest queue of this round. */
  #leastMs = Number.POSITIVE_INFINITY;
  #confirmed = 0;
  #wasFull = false;
  /** The most that was under way in this round. */
  #most = 0;

  /** Fast growth goes up to here. */
  #mark = Number.POSITIVE_INFINITY;
  /** The next step beyond it. */
  #stride: number | undefined;
  #isCongested = false;
  #restlessAtMs = Number.NEGATIVE_INFINITY;
  /** The largest window without a queue. */
  readonly #reached = new RecentExtreme(REACHED_MS, Math.max);
  #slowdownAtMs: number;
  /** Of a slowdown. */
  #roundsLeft = 0;

  constructor(options: BackgroundWindowOptions) {
    this.#o = options;
    this.#bytes = Math.min(START_BYTES, options.bytesMax);
    this.#roundAtMs = options.now();
    this.#slowdownAtMs = this.#roundAtMs + SLOWDOWN.firstMs;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Undefined until something was measured. */
  get yields(): BackgroundStatus | undefined {
    const roundTripMs = this.#baseMs + this.#queueMs;
    if (!Number.isFinite(roundTripMs)) return undefined;
    // On a way that takes no time nothing is measured as a rate.
    const rateBytesPerSecond = Math.round((this.#bytes * 1000) / Math.max(roundTripMs, 0.01));
    return { rateBytesPerSecond, queueMs: this.#queueMs };
  }

  /** At which what is under way is spread evenly, in bytes per second; Infinity until something was measured. */
  get paceBytesPerSecond(): number {
    return (this.yields?.rateBytesPerSecond ?? Number.POSITIVE_INFINITY) * PACE_GAIN;
  }

  /** As last measured; 0 before. */
  get roundTripMs(): number {
    return Number.isFinite(this.#baseMs) ? this.#baseMs + this.#queueMs : 0;
  }

  note(bytes: number, delayMs: number, underWay: number): void {
    this.#confirmed += bytes;
    this.#most = Math.max(this.#most, underWay);
    const now = this.#o.now();
    const elapsedMs = now - this.#roundAtMs;
    this.#look(now, elapsedMs);
    if (!this.#o.roundTrips.isTold) this.#noteFrame(delayMs, now, elapsedMs);
    if (!this.#isMeasured(elapsedMs)) return;
    this.#queueMs = this.#leastMs;
    this.#adjust(now, elapsedMs);
    this.#begin(now);
  }

  full(): void {
    this.#wasFull = true;
  }

  #look(now: number, elapsedMs: number): void {
    if (now - this.#lookedAtMs < LOOK_MS) return;
    this.#lookedAtMs = now;
    const told = this.#o.roundTrips.look(now, this.#isResting);
    if (told === undefined) return;
    this.#baseMs = told.baseMs;
    this.#segmentBytes = told.segmentBytes;
    this.#measure(told.queueMs, elapsedMs);
  }

  #noteFrame(delayMs: number, now: number, elapsedMs: number): void {
    // Nothing tells of losses here, so a delay that stays long proves no longer line.
    this.#framesBase.note(delayMs, now);
    this.#baseMs = this.#framesBase.ms;
    this.#measure(delayMs - this.#baseMs, elapsedMs);
  }

  #measure(queueMs: number, elapsedMs: number): void {
    if (elapsedMs >= this.roundTripMs * MEASURE.from) this.#leastMs = Math.min(this.#leastMs, queueMs);
  }

  #isMeasured(elapsedMs: number): boolean {
    if (!Number.isFinite(this.#leastMs)) return false;
    const roundTrips = this.#leastMs > this.#targetMs ? MEASURE.from : MEASURE.to;
    return elapsedMs >= this.roundTripMs * roundTrips + MEASURE.msMin;
  }

  #begin(now: number): void {
    this.#roundAtMs = now;
    this.#leastMs = Number.POSITIVE_INFINITY;
    this.#confirmed = 0;
    this.#wasFull = false;
    this.#most = 0;
  }

  #adjust(now: number, elapsedMs: number): void {
    const targetMs = this.#targetMs;
    if (this.#wasFull) this.#reached.note(this.#withoutQueue(this.#bytes), now);
    if (this.#queueMs > targetMs * CALM_PART) this.#disturb(now);
    if (this.#roundsLeft > 0) {
      this.#goOnSlowly(now);
      return;
    }
    if (this.#queueMs > targetMs) this.#shrink(targetMs);
    else if (this.#wasFull) this.#grow(now, targetMs, this.#confirmed / elapsedMs);
    if (this.#isSlowdownDue(now)) this.#slowDown();
  }

  #disturb(now: number): void {
    this.#restlessAtMs = now;
    this.#stride = undefined;
  }

  #shrink(targetMs: number): void {
    if (!this.#isCongested) this.#moveMark();
    this.#isCongested = true;
    const factor = ((this.#baseMs + targetMs) / (this.#baseMs + this.#queueMs)) ** 2;
    this.#set(Math.min(this.#bytes, this.#most) * Math.max(DECREASE_MIN, factor));
  }

  /** What it can do with a small window is no measure of the line: somebody else is there. */
  #moveMark(): void {
    const least = Number.isFinite(this.#mark) ? this.#mark / 2 : 0;
    this.#mark = Math.max(least, this.#withoutQueue(this.#bytes));
  }

  #grow(now: number, targetMs: number, bytesPerMs: number): void {
    const before = this.#bytes;
    this.#set(before * this.#step(now, targetMs));
    const most = Math.max(START_BYTES, ARRIVING_TIMES * bytesPerMs * (this.#baseMs + targetMs));
    if (this.#bytes > most) this.#set(Math.max(before, most));
  }

  #step(now: number, targetMs: number): number {
    const roundTripMs = Math.max(this.#baseMs + this.#queueMs, 0.001);
    const step = Math.min(STEP_MAX, (1 + (this.#baseMs + targetMs) / roundTripMs) / 2);
    if (now - this.#restlessAtMs < CALM_MS) return step;
    this.#isCongested = false;
    if (this.#mark === Number.POSITIVE_INFINITY) return CALM_STEP.unknown;
    if (this.#bytes < this.#mark) return Math.max(step, Math.min(CALM_STEP.known, this.#mark / this.#bytes));
    // Where the queue began before there is none now. One step, and when that makes none either, one of twice the size.
    const stride = this.#stride ?? (2 * targetMs) / roundTripMs;
    this.#stride = 2 * stride;
    this.#restlessAtMs = now;
    return Math.min(STEP_MAX, 1 + stride);
  }

  /** Where there is hardly any queue the base shows anyhow. */
  #isSlowdownDue(now: number): boolean {
    const isCalm = now - this.#restlessAtMs >= CALM_MS;
    return now >= this.#slowdownAtMs && this.#wasFull && !this.#isResting && !isCalm;
  }

  #slowDown(): void {
    this.#mark = this.#bytes;
    this.#roundsLeft = SLOWDOWN.rounds;
    this.#set(this.#bytes * SLOWDOWN.part);
  }

  #goOnSlowly(now: number): void {
    this.#roundsLeft--;
    if (this.#roundsLeft > 0) return;
    this.#slowdownAtMs = now + SLOWDOWN.everyMs;
    // Back at once, unless somebody else is there.
    if (this.#queueMs <= this.#targetMs) this.#restlessAtMs = Number.NEGATIVE_INFINITY;
  }

  #set(bytes: number): void {
    this.#bytes = Math.floor(Math.min(this.#o.bytesMax, Math.max(this.#bytesMin, bytes)));
  }

  /** What a window comes to when its own part of the queue is taken away. */
  #withoutQueue(bytes: number): number {
    return (bytes * Math.max(this.#baseMs, 0.001)) / Math.max(this.#baseMs + this.#queueMs, 0.001);
  }

  get #bytesMin(): number {
    return Math.max(BYTES_MIN, (this.#reached.value ?? 0) * REACHED_PART);
  }

  /** Whether next to nothing is sent. */
  get #isResting(): boolean {
    return this.#bytes < 2 * this.#bytesMin;
  }

  get #targetMs(): number {
    const { isTold } = this.#o.roundTrips;
    const least = isTold ? TARGET_MS.min : TARGET_FRAMES_MS_MIN;
    const target = Math.min(TARGET_MS.max, Math.max(least, this.#baseMs * TARGET_PART));
    return target + (isTold ? this.#unevenMs() : this.#unevenFramesMs());
  }

  #unevenMs(): number {
    const { ms, segments } = LATE.acknowledgement;
    return this.#burstMs(BURST.segments * this.#segmentBytes) + ms * this.#partOf(segments * this.#segmentBytes);
  }

  #unevenFramesMs(): number {
    const { ms, bytes } = LATE.confirmation;
    return this.#burstMs(BURST.frameBytes) + ms * this.#partOf(bytes);
  }

  /** How long so much takes on the line, as far as is known what that carries. */
  #burstMs(bytes: number): number {
    return (bytes * this.#baseMs) / Math.max(this.#bytes, this.#reached.value ?? 0);
  }

  /** Which part of what is under way so much is. */
  #partOf(bytes: number): number {
    return Math.min(1, bytes / Math.max(1, Math.min(this.#bytes, this.#most)));
  }
}
