import { setImmediate as yieldToOthers } from 'node:timers/promises';
import { onAbort } from '../../engine/abort.js';

/** Time as a pace needs it; tests pass their own. */
export interface PaceClock {
  /** Milliseconds, never going back. */
  now(): number;
  /** Resolves after so many milliseconds, or when the signal fires. */
  wait(ms: number, signal: AbortSignal): Promise<void>;
}

/** `keepsAlive`: whether the process stays for as long as somebody waits. */
export function systemClock(keepsAlive: boolean): PaceClock {
  return {
    now: () => performance.now(),
    wait: (ms, signal) =>
      new Promise((resolve) => {
        if (signal.aborted) return resolve();
        const timer = setTimeout(done, ms);
        const end = onAbort(signal, done);
        if (!keepsAlive) timer.unref();
        function done(): void {
          clearTimeout(timer);
          end();
          resolve();
        }
      }),
  };
}

/** After so many bytes it is looked whether they came too fast. */
const STEP_BYTES = 1024 * 1024;

/** Holds work back to a rate, and lets others have their turn even without one. Time lost is not made up for. */
export class Pace {
  private bytes = 0;
  private stepStarted: number;

  constructor(
    /** 0: as fast as it goes. */
    private readonly bytesPerSecond: number,
    private readonly signal: AbortSignal,
    private readonly clock: PaceClock,
  ) {
    this.stepStarted = clock.now();
  }

  /** So much has been worked through; resolves when more may be. */
  async spent(bytes: number): Promise<void> {
    this.bytes += bytes;
    if (this.bytes < STEP_BYTES) return;
    const { clock, bytesPerSecond } = this;
    const dueMs = bytesPerSecond === 0 ? 0 : (this.bytes / bytesPerSecond) * 1000;
    const restMs = dueMs - (clock.now() - this.stepStarted);
    if (restMs > 0) await clock.wait(restMs, this.signal);
    else await yieldToOthers();
    this.bytes = 0;
    this.stepStarted = clock.now();
  }
}
