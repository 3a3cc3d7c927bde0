import { expect, test } from 'vitest';
import type { Members } from '../../src/channel/members.js';
import { Pacing } from '../../src/channel/pacing.js';

interface Line {
  bytesPerMs: number;
  roundTripMs?: number;
  loses?: boolean;
  isBusy?: boolean;
}

/** What each of four connections is held to over time, each change once. */
function follow(stretches: readonly (Line & { forMs: number })[]): number[] {
  const ceilings: number[] = [];
  const connection = {
    pace: (bytesPerSecond: number) => {
      if (ceilings.at(-1) !== bytesPerSecond) ceilings.push(bytesPerSecond);
    },
  };
  const active = Array.from({ length: 4 }, () => ({ connection }));
  let now = 0;
  let line: Line = { bytesPerMs: 0 };
  const pacing = new Pacing({
    members: { active: () => active } as unknown as Members,
    now: () => now,
    roundTripMs: () => line.roundTripMs ?? 50,
    loses: () => line.loses ?? true,
  });
  for (const { forMs, ...stretch } of stretches) {
    line = stretch;
    for (const end = now + forMs; now < end; now += 10) pacing.note(line.bytesPerMs * 10, line.isBusy ?? true);
  }
  return ceilings;
}

test('on a line that loses each connection has a quarter more than its part', () => {
  const ceilings = follow([{ bytesPerMs: 10_000, forMs: 5000 }]);
  expect(ceilings).toHaveLength(1);
  const part = (10_000 * 1000 * 1.25) / 4;
  expect((ceilings[0] ?? 0) / part).toBeCloseTo(1, 0);
});

test('nothing is held while the line is still being found out, where nothing is lost, on a short way, or without a load', () => {
  const growing = Array.from({ length: 8 }, (_, step) => ({ bytesPerMs: 1000 * 2 ** step, forMs: 210 }));
  expect(follow(growing)).toEqual([]);
  expect(follow([{ bytesPerMs: 10_000, loses: false, forMs: 5000 }])).toEqual([]);
  expect(follow([{ bytesPerMs: 10_000, roundTripMs: 1, forMs: 5000 }])).toEqual([]);
  expect(follow([{ bytesPerMs: 10, isBusy: false, forMs: 5000 }])).toEqual([]);
});

test('what was held is let go when nothing is lost any more', () => {
  const ceilings = follow([
    { bytesPerMs: 10_000, forMs: 5000 },
    { bytesPerMs: 10_000, loses: false, forMs: 1000 },
  ]);
  expect(ceilings).toHaveLength(2);
  expect(ceilings[1]).toBe(Number.POSITIVE_INFINITY);
});

test('a rate that the line no longer has is forgotten', () => {
  const ceilings = follow([
    { bytesPerMs: 10_000, forMs: 5000 },
    { bytesPerMs: 2000, forMs: 25_000 },
  ]);
  expect((ceilings.at(-1) ?? 0) / ((2000 * 1000 * 1.25) / 4)).toBeCloseTo(1, 1);
});
