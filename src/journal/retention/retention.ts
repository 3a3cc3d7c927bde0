import type { Segment } from '../format/segment.js';
import type { SideFiles } from '../side/side-files.js';
import type { JournalState } from '../state/state.js';
import type { CursorSet } from './cursors.js';

/**
 * What the cursors still need, and the freeing of what neither they nor the history need. Without any cursor nothing is
 * freed: the whole journal is queue then. `keepFrom` keeps more, for somebody whose bounds are not the journal's: what
 * stays for that alone is no queue, and goes when the disk is short.
 */
export class Retention {
  /** The address up to which every cursor has passed. */
  private released = 0;
  private running: Promise<void> | undefined;
  private freeing: Segment | undefined;
  private held = false;
  /** Nothing is freed from this record on; Infinity for no such wish. */
  private keptFrom = Number.POSITIVE_INFINITY;

  constructor(
    private readonly state: JournalState,
    private readonly cursors: CursorSet,
    private readonly sides: SideFiles,
    private readonly keep: { historyBytes: number; retainAgeMs: number; now: () => number },
    /** Called when a segment has been freed. */
    private readonly freed: () => void,
  ) {
    this.cursorsMoved();
  }

  /** Durable bytes that some cursor has not passed. */
  get queueBytes(): number {
    return this.state.segments.active.endAddress - this.released;
  }

  /** Durable bytes behind a position. */
  heldBytes(position: number): number {
    return this.state.segments.active.endAddress - this.addressAfter(position);
  }

  /** Whether a cursor at this position keeps something from being freed that nothing else but cursors keeps. */
  holdsSegments(position: number): boolean {
    const { oldest, active } = this.state.segments;
    return oldest !== active && oldest.last > position && !this.isKept(oldest);
  }

  /** The record from which on everything stays, whatever cursors and history say; undefined when nobody wants that. */
  get keeps(): number | undefined {
    return this.keptFrom === Number.POSITIVE_INFINITY ? undefined : this.keptFrom;
  }

  /** Has everything from a record on stay, or nothing any more; what may go then goes at once. */
  keepFrom(sequence: number | undefined): void {
    this.keptFrom = sequence ?? Number.POSITIVE_INFINITY;
    this.collect();
  }

  /** Records behind `last` are not those that were to stay; what takes their numbers is kept in their place. */
  keepNoneBehind(last: number): void {
    if (this.keeps !== undefined) this.keepFrom(Math.min(this.keptFrom, last + 1));
  }

  /** Whether the oldest segment stays because of `keepFrom` alone. */
  get keepsAlone(): boolean {
    return this.keptFrom <= (this.unneeded()?.last ?? -1);
  }

  /** Lets go of the oldest segment that stays because of `keepFrom` alone. */
  giveWay(): void {
    const oldest = this.keepsAlone ? this.unneeded() : undefined;
    if (oldest !== undefined) this.keepFrom(oldest.last + 1);
  }

  get diskBytes(): number {
    const { segments, spares } = this.state;
    return segments.fileBytes + spares.bytes + (this.freeing?.fileBytes ?? 0);
  }

  /** The time of the first record that some cursor has not passed, or of one shortly before it. */
  get oldestTimestamp(): number | undefined {
    return this.timestampBehind(this.cursors.lowest ?? 0);
  }

  now(): number {
    return this.keep.now();
  }

  /** The time of the first record behind a position, or of one shortly before it; undefined when there is none. */
  timestampBehind(position: number): number | undefined {
    const { segments, recent, last, first } = this.state;
    const oldest = Math.max(first, position + 1);
    if (oldest > last) return undefined;
    return recent.timestampOf(oldest) ?? segments.holding(oldest)?.near(oldest).timestamp;
  }

  cursorsMoved(): void {
    this.released = this.addressAfter(this.cursors.lowest ?? 0);
    this.collect();
  }

  /** Frees what may go, in the background, one segment at a time. */
  collect(): void {
    // Nothing is held back for cursors that were detached, so what has come since is released as it comes.
    if ((this.cursors.lowest ?? 0) >= this.state.last) this.released = this.state.segments.active.endAddress;
    if (this.surplus() === undefined || this.state.refusal !== undefined) return;
    this.running ??= this.run();
  }

  async idle(): Promise<void> {
    while (this.running !== undefined) await this.running;
  }

  /** Resolves when nothing is being freed; nothing is until `resume`. */
  async hold(): Promise<void> {
    this.held = true;
    await this.idle();
  }

  resume(): void {
    this.held = false;
    this.cursorsMoved();
  }

  private async run(): Promise<void> {
    const { segments, spares } = this.state;
    try {
      for (let surplus = this.surplus(); surplus !== undefined; surplus = this.surplus()) {
        segments.shift();
        this.freeing = surplus;
        // Each removal is durable before the next, or a power cut could bring back an older segment but not a newer.
        await this.sides.remove(surplus);
        await spares.give(surplus.path, surplus.fileBytes);
        this.freeing = undefined;
        this.freed();
        if (this.state.refusal !== undefined) return;
      }
    } catch (error) {
      this.state.fail(error);
    } finally {
      this.running = undefined;
    }
  }

  /** The oldest segment, if it may be freed now. */
  private surplus(): Segment | undefined {
    return this.held || this.keepsAlone ? undefined : this.unneeded();
  }

  /** The oldest segment, if neither a cursor nor the history needs it. */
  private unneeded(): Segment | undefined {
    const { oldest, active } = this.state.segments;
    const lowest = this.cursors.lowest;
    if (oldest === active || lowest === undefined || oldest.last > lowest) return undefined;
    return this.isKept(oldest) ? undefined : oldest;
  }

  /** Whether a segment stays, be it passed or not: as history, or for its age. */
  private isKept(segment: Segment): boolean {
    const { active } = this.state.segments;
    return active.endAddress - segment.endAddress < this.keep.historyBytes || this.isYoung(segment);
  }

  /** Whether records of a segment may be younger than `retainAgeMs`: as young as the first one behind it. */
  private isYoung(segment: Segment): boolean {
    const { retainAgeMs, now } = this.keep;
    if (retainAgeMs === 0) return false;
    const next = this.state.segments.after(segment)?.index[0]?.timestamp;
    return next === undefined || now() - next < retainAgeMs * 1000;
  }

  /** Exact for the newest records; for older ones the nearest known place before, so that the queue is never understated. */
  private addressAfter(lowest: number): number {
    const { segments, recent, last } = this.state;
    if (lowest >= last) return segments.active.endAddress;
    const exact = recent.endOf(lowest);
    if (exact !== undefined) return exact;
    const segment = segments.holding(lowest + 1);
    return segment === undefined ? segments.oldest.address : segment.address + segment.near(lowest + 1).offset;
  }
}
