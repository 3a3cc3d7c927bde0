import { expect, test } from 'vitest';
import { latenciesOf } from '../../bench/kit/latencies.js';
import type { OwnFigures } from '../../bench/wan/measure.js';
import { windowBytesOf } from '../../bench/wan/measure.js';
import { PROFILES, profilesNamed, roundTripBytes } from '../../bench/wan/profiles.js';
import { rowsOf } from '../../bench/wan/rows.js';
import { shapingError } from '../../bench/wan/shaping.js';

test('a link is chosen by the beginning of its name, and an unknown one refused with the names there are', () => {
  expect(profilesNamed('')).toEqual(PROFILES);
  expect(profilesNamed('wan30').map(({ name }) => name)).toEqual(['wan30']);
  expect(() => profilesNamed('moon')).toThrow('no link is named "moon"; there are lan, wan30, wan200, wan80, wan600');
});

test('what is under way fills the link, and little more than that', () => {
  for (const profile of PROFILES) {
    const bytes = windowBytesOf(profile);
    expect(bytes).toBeGreaterThanOrEqual(3 * roundTripBytes(profile));
    // The sender's own bound of what it keeps in memory.
    expect(bytes).toBeLessThan(64 * 1024 * 1024);
  }
});

test('the shaping error is the worst of any second, not of the calendar alone', () => {
  const even = Array<number>(60).fill(100);
  expect(shapingError(even, 100, 1000)).toEqual({ perSecond: 0, aboveOverFiveSeconds: 0, mean: 1 });
  // Ten intervals of double the rate, astride of two seconds.
  const burst = even.map((bytes, index) => (index >= 25 && index < 35 ? 2 * bytes : bytes));
  const found = shapingError(burst, 100, 1000);
  expect(found?.perSecond).toBeCloseTo(1);
  expect(found?.aboveOverFiveSeconds).toBeCloseTo(0.2);
  expect(found?.mean).toBeCloseTo(7 / 6);
  expect(shapingError(even.slice(0, 49), 100, 1000)).toBeUndefined();
});

test('percentiles are samples, the longest included', () => {
  const hundred = Array.from({ length: 100 }, (_, i) => 100 - i);
  expect(latenciesOf(hundred)).toEqual({ count: 100, p50Ms: 50, p99Ms: 99, maxMs: 100 });
  expect(latenciesOf([7])).toEqual({ count: 1, p50Ms: 7, p99Ms: 7, maxMs: 7 });
});

const own: OwnFigures = {
  sync: { count: 200, p50Ms: 0.5, p99Ms: 1, maxMs: 2 },
  idle: { count: 200, p50Ms: 33, p99Ms: 40, maxMs: 50 },
  full: { count: 99, p50Ms: 66, p99Ms: 80, maxMs: 90 },
  goodputMbit: 90,
  goodputFromStartMbit: 80,
  senderCpuSecondsPerGb: 5,
  receiverCpuSecondsPerGb: 6,
  senderEventLoopDelayP99Ms: 1,
  receiverEventLoopDelayP99Ms: 2,
  shaping: { perSecond: 0.01, aboveOverFiveSeconds: -0.005, mean: 0.99 },
};

test('figures become rows: rivals with ratios, and no 99th percentile of a few samples', () => {
  const [profile] = profilesNamed('wan30');
  if (profile === undefined) throw new Error('no such link');
  const rows = rowsOf(profile, own, [{ name: 'iperf3, bbr, 1', mbit: 45 }]);
  const values = rows.map(({ metric, value, rival, ratio }) => [metric, value, rival, ratio]);
  expect(values).toContainEqual(['goodput', 90, 'iperf3, bbr, 1', 2]);
  expect(values).toContainEqual(['share of the link', 90, undefined, undefined]);
  expect(values).toContainEqual([
    'append to logged, idle link, p50',
    33,
    'round trip + 2 fdatasync + 2 ms',
    (30 + 2 * 0.5 + 2) / 33,
  ]);
  expect(values).toContainEqual(['append to logged, idle link, p99', 40, undefined, undefined]);
  expect(values).toContainEqual(['append to logged, full link, longest of 99', 90, undefined, undefined]);
  expect(rows.map(({ metric }) => metric)).not.toContain('append to logged, full link, p99');
  expect(values).toContainEqual(['shaped to half, largest error of a second', 1, undefined, undefined]);
  expect(values).toContainEqual(['shaped to half, most over 5 s', 99.5, undefined, undefined]);
  expect(rows.at(-1)).toMatchObject({ name: 'iperf3, bbr, 1; 100 Mbit/s, 30 ms', value: 45 });
});
