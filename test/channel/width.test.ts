import { describe, expect, test } from 'vitest';
import { Width } from '../../src/channel/width.js';

const LOOK_MS = 250;

interface Line {
  /** Bytes per millisecond with so many connections. */
  rate: (connections: number) => number;
  isBusy?: (ms: number) => boolean;
  roundTripMs?: number;
}

/** What the count is over time, on a line that behaves like this. */
function follow(
  forMs: number,
  { rate, isBusy = () => true, roundTripMs = 50 }: Line,
  bounds = { min: 4, max: 16 },
): number[] {
  let nowMs = 0;
  let arrivedBytes = 0;
  const width = new Width({ ...bounds, now: () => nowMs });
  const counts = [width.count];
  for (; nowMs < forMs; nowMs += LOOK_MS) {
    arrivedBytes += rate(width.count) * LOOK_MS;
    width.note({ arrivedBytes, isBusy: isBusy(nowMs), roundTripMs });
    if (width.count !== counts.at(-1)) counts.push(width.count);
  }
  return counts;
}

describe('connections', () => {
  test('become more, two by two, as long as each step brings more', () => {
    expect(follow(60_000, { rate: (count) => count * 100 })).toEqual([4, 6, 8, 10, 12, 14, 16]);
  });

  test('stop where the line is full, and the step too far is taken back', () => {
    const counts = follow(60_000, { rate: (count) => Math.min(count, 8) * 100 });
    expect(counts).toEqual([4, 6, 8, 10, 8]);
  });

  test('are tried again after a rest, in case the line has changed', () => {
    let nowMs = 0;
    const counts = follow(150_000, {
      rate: (count) => {
        nowMs += LOOK_MS;
        return Math.min(count, nowMs < 60_000 ? 4 : 100) * 100;
      },
    });
    expect(counts.slice(0, 3)).toEqual([4, 6, 4]);
    expect(counts.at(-1)).toBe(16);
  });

  test('stay as they are while there is not always more to send', () => {
    expect(follow(60_000, { rate: (count) => count * 100, isBusy: (ms) => ms % 1000 !== 0 })).toEqual([4]);
  });

  test('never leave their bounds, also when more of them bring less', () => {
    expect(follow(200_000, { rate: (count) => 1000 / count }, { min: 3, max: 4 })).toEqual([3, 4, 3, 4, 3, 4, 3, 4, 3]);
    expect(follow(60_000, { rate: (count) => count * 100 }, { min: 5, max: 5 })).toEqual([5]);
  });

  test('get twelve round trips to find their speed', () => {
    const line = { rate: (count: number) => count * 100, roundTripMs: 1000 };
    expect(follow(12_000, line)).toEqual([4]);
    expect(follow(13_000, line)).toEqual([4, 6]);
  });
});
