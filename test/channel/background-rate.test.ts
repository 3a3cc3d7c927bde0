import { describe, expect, test } from 'vitest';
import { Random } from '../../fuzz/random.js';
import { BACKGROUND_BYTES_PER_SECOND_MIN, BackgroundRate } from '../../src/channel/background-rate.js';
import { InvalidArgumentError } from '../../src/errors.js';
import { Bottleneck, GreedyRival } from './bottleneck.js';
import { FakeClock } from './fake-clock.js';

const SEED = Number(process.env.LONGHAUL_SEED ?? Random.freshSeed());
const seed = `LONGHAUL_SEED=${SEED}`;

interface Line {
  capacityBytesPerSecond: number;
  baseMs: number;
  queueMs: number;
  noiseMs?: number;
}

function open(line: Line, ceilingBytesPerSecond = Number.POSITIVE_INFINITY) {
  const clock = new FakeClock();
  const rate = new BackgroundRate({ clock, ceilingBytesPerSecond });
  const bottleneck = new Bottleneck(rate, clock, { noiseMs: 5, ...line, random: new Random(SEED) });
  return { clock, rate, bottleneck };
}

describe.each<[string, Line]>([
  ['2 Mbit/s, 50 ms', { capacityBytesPerSecond: 250_000, baseMs: 50, queueMs: 200 }],
  ['1 Mbit/s, 100 ms, a queue of a second', { capacityBytesPerSecond: 125_000, baseMs: 100, queueMs: 1000 }],
  ['20 Mbit/s, 50 ms', { capacityBytesPerSecond: 2_500_000, baseMs: 50, queueMs: 200 }],
  ['20 Mbit/s, 2 ms', { capacityBytesPerSecond: 2_500_000, baseMs: 2, queueMs: 60 }],
  ['20 Mbit/s, 200 ms', { capacityBytesPerSecond: 2_500_000, baseMs: 200, queueMs: 400 }],
  ['100 Mbit/s, 20 ms', { capacityBytesPerSecond: 12_500_000, baseMs: 20, queueMs: 100 }],
  [
    '20 Mbit/s, 50 ms, noise of more than half the target',
    {
      capacityBytesPerSecond: 2_500_000,
      baseMs: 50,
      queueMs: 200,
      noiseMs: 15,
    },
  ],
])('on a line of %s', (_, line) => {
  test('takes it while it is idle, leaves it to who fills it, and comes back', () => {
    const { bottleneck } = open(line);
    bottleneck.run(10_000);
    bottleneck.longestMs = 0;
    expect(bottleneck.run(60_000), seed).toBeGreaterThan(0.85);
    expect(bottleneck.longestMs, seed).toBeLessThan(Math.max(100, line.baseMs));

    bottleneck.rival = new GreedyRival(line.capacityBytesPerSecond / 10, line.baseMs);
    // The rival takes a few round trips to fill the queue.
    bottleneck.run(Math.max(2000, 15 * line.baseMs));
    expect(bottleneck.run(1000), seed).toBeLessThan(0.1);
    const before = bottleneck.rivals;
    expect(bottleneck.run(30_000), seed).toBeLessThan(0.08);
    expect((bottleneck.rivals - before) / 30 / line.capacityBytesPerSecond, seed).toBeGreaterThan(0.85);

    bottleneck.rival = undefined;
    bottleneck.run(10_000);
    expect(bottleneck.run(20_000), seed).toBeGreaterThan(0.85);
  });
});

test('its own queue does not come to count as part of the line', () => {
  const { bottleneck } = open({ capacityBytesPerSecond: 250_000, baseMs: 50, queueMs: 500 });
  bottleneck.run(20 * 60_000);
  bottleneck.longestMs = 0;
  expect(bottleneck.run(60_000)).toBeGreaterThan(0.85);
  expect(bottleneck.longestMs, seed).toBeLessThan(60);
});

test('a line that became longer is known after ten minutes', () => {
  const clock = new FakeClock();
  const rate = new BackgroundRate({ clock });
  const feed = (roundTripMs: number, seconds: number): void => {
    for (let i = 0; i < seconds * 10; i++) {
      clock.jump(100);
      rate.sample(roundTripMs, rate.rateBytesPerSecond / 10);
    }
  };
  feed(20, 60);
  feed(120, 300);
  expect(rate.queueingDelayMs).toBe(100);
  expect(rate.rateBytesPerSecond).toBe(BACKGROUND_BYTES_PER_SECOND_MIN);
  feed(120, 320);
  expect(rate.queueingDelayMs).toBe(0);
  expect(rate.rateBytesPerSecond).toBeGreaterThan(1_000_000);
});

test('what is not used does not grow', () => {
  const { clock, rate } = open({ capacityBytesPerSecond: 1, baseMs: 1, queueMs: 1 });
  for (let i = 0; i < 250; i++) {
    clock.jump(100);
    rate.sample(10, rate.rateBytesPerSecond / 20);
  }
  expect(rate.rateBytesPerSecond).toBe(64_000);
});

test('the ceiling holds, also when it comes down, and below the least rate too', () => {
  const { rate, bottleneck } = open({ capacityBytesPerSecond: 2_500_000, baseMs: 20, queueMs: 100 }, 1_000_000);
  bottleneck.run(20_000);
  expect(bottleneck.run(5000)).toBeCloseTo(0.4, 1);
  rate.ceilingBytesPerSecond = 300_000;
  expect(rate.rateBytesPerSecond).toBe(300_000);
  rate.ceilingBytesPerSecond = 1000;
  expect(rate.rateBytesPerSecond).toBe(1000);
  rate.ceilingBytesPerSecond = Number.POSITIVE_INFINITY;
  bottleneck.run(10_000);
  expect(bottleneck.run(5000), seed).toBeGreaterThan(0.85);
});

test.each([4, 1001, 25.5])('a target of %d ms is refused', (targetMs) => {
  expect(() => new BackgroundRate({ targetMs })).toThrow(InvalidArgumentError);
});
