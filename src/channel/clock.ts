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

/** The time of day; it may be set forward and back at any moment. */
export interface WallClock {
  /** Milliseconds since 1970-01-01 00:00 UTC. */
  epochMs(): number;
}

export const systemWallClock: WallClock = { epochMs: () => Date.now() };
