import type { Clock } from '../../src/channel/clock.js';

interface Timer {
  at: number;
  callback: () => void;
}

/** A clock that stands still until it is advanced. */
export class FakeClock implements Clock {
  time = 0;
  readonly #timers = new Set<Timer>();
  readonly #latenessMs: () => number;

  /** `latenessMs` is added to each timer, as a busy event loop does. */
  constructor(latenessMs: () => number = () => 0) {
    this.#latenessMs = latenessMs;
  }

  get pendingTimers(): number {
    return this.#timers.size;
  }

  now(): number {
    return this.time;
  }

  setTimeout(callback: () => void, ms: number): unknown {
    const timer = { at: this.time + ms + this.#latenessMs(), callback };
    this.#timers.add(timer);
    return timer;
  }

  clearTimeout(timer: unknown): void {
    this.#timers.delete(timer as Timer);
  }

  /** Fires what is due within `ms`, in order, and lets promises settle after each. */
  async advance(ms: number): Promise<void> {
    const until = this.time + ms;
    await settled();
    for (;;) {
      const next = [...this.#timers].sort((a, b) => a.at - b.at)[0];
      if (next === undefined || next.at > until) break;
      this.#timers.delete(next);
      this.time = Math.max(this.time, next.at);
      next.callback();
      await settled();
    }
    this.time = until;
    await settled();
  }

  /** Moves the time without firing anything, as when the event loop is blocked. */
  jump(ms: number): void {
    this.time += ms;
  }
}

async function settled(): Promise<void> {
  for (let turn = 0; turn < 8; turn++) await Promise.resolve();
}
