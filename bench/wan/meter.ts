import { monitorEventLoopDelay } from 'node:perf_hooks';
import { ownUsage } from '../kit/usage.js';

/** What a process that is measured tells of itself. */
export interface Mark {
  /** Of a clock that only differences are taken of. */
  seconds: number;
  /** User and system, since the start. */
  cpuSeconds: number;
  /** How much too late timers ran since the last mark, 99 of 100 of them. */
  eventLoopDelayP99Ms: number;
}

const RESOLUTION_MS = 5;

export class Meter {
  readonly #delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });

  constructor() {
    this.#delay.enable();
  }

  mark(): Mark {
    // It tells the time between two runs of its timer.
    const eventLoopDelayP99Ms = Math.max(0, this.#delay.percentile(99) / 1e6 - RESOLUTION_MS);
    this.#delay.reset();
    return { seconds: performance.now() / 1000, cpuSeconds: ownUsage().cpuSeconds, eventLoopDelayP99Ms };
  }

  close(): void {
    this.#delay.disable();
  }
}
