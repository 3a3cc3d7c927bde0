import type { RateLimit } from '../../src/channel/rate-limit.js';
import type { FakeClock } from './fake-clock.js';

export interface Grant {
  at: number;
  bytes: number;
}

export interface Taking {
  grants: Grant[];
  stop: () => void;
}

/** Always asks for a quantum, from as many places at once, and notes what was granted when. */
export function keepTaking(limit: RateLimit, clock: FakeClock, takers: number): Taking {
  const grants: Grant[] = [];
  let running = true;
  const taker = async (): Promise<void> => {
    while (running) {
      const bytes = await limit.take(limit.quantumBytes);
      grants.push({ at: clock.now(), bytes });
    }
  };
  for (let i = 0; i < takers; i++) void taker();
  return {
    grants,
    stop: () => {
      running = false;
    },
  };
}

export async function saturate(limit: RateLimit, clock: FakeClock, takers: number, seconds: number): Promise<Grant[]> {
  const { grants, stop } = keepTaking(limit, clock, takers);
  await clock.advance(seconds * 1000);
  stop();
  return grants;
}

export const sumOf = (grants: readonly Grant[]): number => grants.reduce((sum, { bytes }) => sum + bytes, 0);

/** The bytes of each window of that length that begins just before or just after a grant. */
export function windows(grants: Grant[], lengthMs: number): { most: number; least: number } {
  const lastAt = grants.at(-1)?.at ?? 0;
  let most = 0;
  let least = Number.POSITIVE_INFINITY;
  for (let first = 0, end = 0, sum = 0; first < grants.length; first++) {
    const from = (grants[first] as Grant).at;
    if (from + lengthMs > lastAt) break;
    while (end < grants.length && (grants[end] as Grant).at <= from + lengthMs) sum += (grants[end++] as Grant).bytes;
    most = Math.max(most, sum);
    sum -= (grants[first] as Grant).bytes;
    // The window that begins just after this grant and ends just before the last one counted.
    const closing = grants.slice(Math.max(first + 1, end - 20), end).filter((grant) => grant.at === from + lengthMs);
    least = Math.min(least, sum - closing.reduce((bytes, grant) => bytes + grant.bytes, 0));
  }
  return { most, least };
}
