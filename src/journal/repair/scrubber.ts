import { publish } from '../../engine/events.js';
import { AbortedError, ClosedError } from '../../errors.js';
import { scrubRate } from '../arguments.js';
import type { Segment } from '../format/segment.js';
import type { JournalState } from '../state/state.js';
import { Pace, systemClock } from './pace.js';
import { type JournalDamage, type ScrubProgress, type ScrubReport, scrub } from './scrub.js';

/** The scrubs of an open journal: those that are asked for, and the one that comes by itself now and then. */

/** When the first one comes after the journal was opened, and how soon it is looked again for full segments. */
const FIRST_MS = 60_000;
/** From the end of one to the beginning of the next. */
const PAUSE_MS = 24 * 3600 * 1000;
/** How much damage is kept for the status. */
const DAMAGES_MAX = 1000;

export interface ScrubOptions {
  /** Default 0: as fast as the disk reads. Otherwise 4096 to 1 TiB. */
  bytesPerSecond?: number;
  signal?: AbortSignal;
  /** Called while it goes on, with bytes of segments. */
  onProgress?: (progress: ScrubProgress) => void;
}

export interface ScrubStatus extends ScrubProgress {
  /** Of the scrub in the background: `off` when it is not wanted, else between two passes or in one. */
  state: 'off' | 'waiting' | 'running';
}

export class Scrubber {
  private readonly found = new Map<string, { segment: Segment; damage: JournalDamage }>();
  private readonly running = new Set<Promise<unknown>>();
  private readonly stopping = new AbortController();
  private timer: NodeJS.Timeout | undefined;
  private background: ScrubStatus;

  constructor(
    private readonly state: JournalState,
    /** Of the scrub in the background; 0 for none. */
    private readonly bytesPerSecond: number,
  ) {
    this.background = { state: bytesPerSecond === 0 ? 'off' : 'waiting', checkedBytes: 0, totalBytes: 0 };
    this.schedule(FIRST_MS);
  }

  /** What was found in segments that are still there, oldest first. */
  get damage(): JournalDamage[] {
    const { segments } = this.state;
    for (const [key, { segment }] of this.found) if (!segments.has(segment)) this.found.delete(key);
    const all = [...this.found.values()].map(({ damage }) => damage);
    return all.sort((a, b) => a.fromSequence - b.fromSequence || a.offset - b.offset);
  }

  get status(): ScrubStatus {
    return { ...this.background };
  }

  async run(o: ScrubOptions = {}): Promise<ScrubReport> {
    const bytesPerSecond = scrubRate('bytesPerSecond', o.bytesPerSecond, 0);
    if (this.state.closed) throw new ClosedError(`journal ${this.state.dir}`);
    if (o.signal?.aborted) throw new AbortedError('scrub', undefined, o.signal.reason);
    const signals = [this.stopping.signal, ...(o.signal === undefined ? [] : [o.signal])];
    return this.pass(bytesPerSecond, true, AbortSignal.any(signals), o.onProgress ?? (() => {}));
  }

  /** Ends all scrubs; resolves when none reads any more. */
  async close(): Promise<void> {
    clearTimeout(this.timer);
    this.stopping.abort(new ClosedError(`journal ${this.state.dir}`));
    await Promise.allSettled(this.running);
  }

  private pass(
    bytesPerSecond: number,
    keepsAlive: boolean,
    signal: AbortSignal,
    progress: (progress: ScrubProgress) => void,
  ): Promise<ScrubReport> {
    const pace = new Pace(bytesPerSecond, signal, systemClock(keepsAlive));
    const run = scrub(this.state, {
      signal,
      progress,
      spent: (bytes) => pace.spent(bytes),
      damaged: (segment, damage) => this.note(segment, damage),
    });
    this.running.add(run);
    const done = () => this.running.delete(run);
    run.then(done, done);
    return run;
  }

  private note(segment: Segment, damage: JournalDamage): void {
    const key = `${damage.segment}:${damage.offset}:${damage.fromSequence}`;
    if (this.found.has(key) || this.found.size >= DAMAGES_MAX) return;
    this.found.set(key, { segment, damage });
    publish('damage', { dir: this.state.dir, ...damage });
  }

  private schedule(ms: number): void {
    if (this.background.state === 'off' || this.stopping.signal.aborted) return;
    this.timer = setTimeout(() => this.begin(), ms);
    this.timer.unref();
  }

  /** A pass in the background, if there is a full segment. */
  private begin(): void {
    if (this.state.refusal !== undefined || this.state.segments.sealed().length === 0) {
      this.schedule(FIRST_MS);
      return;
    }
    this.background.state = 'running';
    const ended = () => {
      this.background.state = 'waiting';
      this.schedule(PAUSE_MS);
    };
    const pass = this.pass(this.bytesPerSecond, false, this.stopping.signal, (progress) => {
      this.background = { state: 'running', ...progress };
    });
    pass.then(ended, (error: unknown) => {
      ended();
      if (this.stopping.signal.aborted) return;
      // Not a matter of the disk, whose failures are findings.
      process.nextTick(() => {
        throw error;
      });
    });
  }
}
