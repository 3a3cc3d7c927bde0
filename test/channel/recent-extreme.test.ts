import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RecentExtreme } from '../../src/channel/recent-extreme.js';

test('knows nothing before the first', () => {
  expect(new RecentExtreme(100, Math.max).value).toBeUndefined();
});

test('keeps what it saw for the time it was given, and for twice that at most', () => {
  const samples = fc.array(
    fc.record({
      value: fc.integer({ min: 0, max: 1000 }),
      afterMs: fc.oneof({ weight: 8, arbitrary: fc.nat(60) }, { weight: 1, arbitrary: fc.nat(500) }),
    }),
    {
      minLength: 1,
      maxLength: 200,
    },
  );
  fc.assert(
    fc.property(samples, fc.constantFrom(Math.max, Math.min), (given, extreme) => {
      const recent = new RecentExtreme(100, extreme);
      const seen: { value: number; atMs: number }[] = [];
      let nowMs = 0;
      for (const { value, afterMs } of given) {
        nowMs += afterMs;
        seen.push({ value, atMs: nowMs });
        recent.note(value, nowMs);
        const within = (ms: number) => seen.filter((one) => nowMs - one.atMs < ms).map((one) => one.value);
        const told = recent.value ?? Number.NaN;
        expect(extreme(told, ...within(100))).toBe(told);
        expect(within(200)).toContain(told);
      }
    }),
  );
});
