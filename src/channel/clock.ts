import { performance } from 'node:perf_hooks';

/** Time as the channel sees it: passed in, so that tests and the simulator turn it by hand. */
export interface Clock {
  /** Milliseconds, monotonic, with a fraction; only differences mean anything. */
  now(): number;
  setTimeout(callback: () => void, ms: number): unknown;
  clearTimeout(timer: unknown): void;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  setTimeout: (callback, ms) => setTimeout(callback, ms),
  clearTimeout: (timer) => clearTimeout(timer as NodeJS.Timeout),
};
