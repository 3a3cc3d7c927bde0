import { describe, expect, test } from 'vitest';
import { BackgroundWindow } from '../../src/channel/background-window.js';
import { randomFor, SEED } from '../support/seed.js';
import {
  BackgroundFlow,
  Bottleneck,
  ConstantFlow,
  GreedyFlow,
  type LineOptions,
  SimulatedRoundTrips,
} from './bottleneck.js';
import { FakeClock } from './fake-clock.js';

const MIB = 1024 * 1024;
const seed = `LONGHAUL_SEED=${SEED}`;

function open(options: LineOptions, how: { isTold?: boolean; noiseMs?: number } = {}) {
  const clock = new FakeClock();
  const line = new Bottleneck(options, clock);
  const roundTrips = new SimulatedRoundTrips(randomFor(17), how);
  const window = new BackgroundWindow({ bytesMax: 64 * MIB, now: () => clock.now(), roundTrips });
  const flow = new BackgroundFlow(line, clock, window, roundTrips);
  line.join(flow);
  /** Lets the time go by, and tells what part of the line a flow had. */
  const share = (ms: number, of: { arrivedBytes: number } = flow): number => {
    const before = of.arrivedBytes;
    line.longestMs = 0;
    line.run(ms);
    return (of.arrivedBytes - before) / ms / options.bytesPerMs;
  };
  return { clock, line, window, flow, share };
}

const MBIT = 125;
const wan30 = { bytesPerMs: 100 * MBIT, baseMs: 30, queueMs: 30 };
const LINES: [string, LineOptions][] = [
  ['100 Mbit/s, 30 ms', wan30],
  ['100 Mbit/s, 30 ms, a queue of 300 ms', { ...wan30, queueMs: 300 }],
  ['20 Mbit/s, 80 ms', { bytesPerMs: 20 * MBIT, baseMs: 80, queueMs: 80 }],
  ['100 Mbit/s, 200 ms', { bytesPerMs: 100 * MBIT, baseMs: 200, queueMs: 200 }],
];

describe.each([
  ['by round trips', { isTold: true, noiseMs: 5 }],
  ['by confirmations of frames', { isTold: false }],
])('%s', (_how, how) => {
  describe.each(LINES)('a line of %s', (_name, options) => {
    test('is filled while it is idle, without a queue to speak of', () => {
      const { line, share } = open(options, how);
      line.run(25_000);
      expect(share(5000), seed).toBeGreaterThan(0.8);
      expect(line.longestMs, seed).toBeLessThan(50);
    });

    test('is left to a steady flow as far as that needs it', () => {
      const { line, share } = open(options, how);
      line.run(15_000);
      const steady = new ConstantFlow(line, options.bytesPerMs * 0.6);
      line.join(steady);
      line.run(10_000);
      expect(share(10_000, steady), seed).toBeGreaterThan(0.59);
      expect(share(10_000), seed).toBeGreaterThan(0.3);
      line.longestMs = 0;
      line.run(2000);
      expect(line.longestMs, seed).toBeLessThan(50);
    });

    test('is left to one that takes all that it can get, and taken back when that is gone', () => {
      const { line, share } = open(options, how);
      line.run(20_000);
      const greedy = new GreedyFlow(line, line.clock);
      line.join(greedy);
      line.run(10_000);
      expect(share(20_000, greedy), seed).toBeGreaterThan(0.9);
      expect(share(5000), seed).toBeLessThan(0.05);
      // Something goes in any case.
      expect(share(5000), seed).toBeGreaterThan(0.001);
      line.leave(greedy);
      line.run(9000);
      expect(share(2000), seed).toBeGreaterThan(0.8);
    });
  });
});

test('a slow line is used for the most part, and left as well', () => {
  const { line, share } = open({ bytesPerMs: MBIT, baseMs: 40, queueMs: 500 });
  line.run(10_000);
  expect(share(10_000), seed).toBeGreaterThan(0.65);
  expect(line.longestMs, seed).toBeLessThan(120);
  const greedy = new GreedyFlow(line, line.clock);
  line.join(greedy);
  line.run(10_000);
  expect(share(10_000), seed).toBeLessThan(0.1);
});

test('whoever comes while another one is there gets a part, and neither keeps a long queue', () => {
  const { clock, line, flow, share } = open(wan30);
  line.run(10_000);
  const roundTrips = new SimulatedRoundTrips(randomFor(18));
  const window = new BackgroundWindow({ bytesMax: 64 * MIB, now: () => clock.now(), roundTrips });
  const later = new BackgroundFlow(line, clock, window, roundTrips);
  line.join(later);
  line.run(60_000);
  const before = flow.arrivedBytes;
  const [first, second] = [flow, later].map((one) => one.arrivedBytes);
  line.longestMs = 0;
  line.run(60_000);
  const parts = [flow.arrivedBytes - (first ?? 0), later.arrivedBytes - (second ?? 0)];
  expect(Math.min(...parts) / 60_000 / wan30.bytesPerMs, seed).toBeGreaterThan(0.05);
  expect(line.longestMs, seed).toBeLessThan(50);
  expect(before).toBeGreaterThan(0);
  expect(share(1000)).toBeGreaterThan(0);
});

test('a queue that was there before it began is found out as soon as it drains for a moment', () => {
  const clock = new FakeClock();
  const line = new Bottleneck({ ...wan30, queueMs: 100 }, clock);
  const greedy = new GreedyFlow(line, clock);
  line.join(greedy);
  line.run(10_000);
  const roundTrips = new SimulatedRoundTrips(randomFor(19));
  const window = new BackgroundWindow({ bytesMax: 64 * MIB, now: () => clock.now(), roundTrips });
  const flow = new BackgroundFlow(line, clock, window, roundTrips);
  line.join(flow);
  line.run(5000);
  line.leave(greedy);
  line.run(2000);
  line.join(greedy);
  line.run(10_000);
  const before = flow.arrivedBytes;
  line.run(20_000);
  expect((flow.arrivedBytes - before) / 20_000 / wan30.bytesPerMs, seed).toBeLessThan(0.05);
});

test('a line that has become longer is known after half a minute, and one that has become shorter at once', () => {
  const { line, share } = open(wan30);
  line.run(20_000);
  line.baseMs = 90;
  line.run(15_000);
  expect(share(5000), seed).toBeLessThan(0.1);
  line.run(30_000);
  expect(share(5000), seed).toBeGreaterThan(0.8);
  line.baseMs = 20;
  line.run(5000);
  expect(share(5000), seed).toBeGreaterThan(0.8);
  expect(line.longestMs, seed).toBeLessThan(50);
});

test('its own queue does not come to count as part of the line', () => {
  const { line, share } = open({ ...wan30, bytesPerMs: 10 * MBIT, queueMs: 300 });
  line.run(25 * 60_000);
  expect(share(60_000), seed).toBeGreaterThan(0.8);
  expect(line.longestMs, seed).toBeLessThan(50);
});

test('what little is sent is acknowledged late, and that is not taken for a queue', () => {
  let now = 0;
  const roundTrips = { isTold: true, look: () => ({ baseMs: 30, queueMs: 40, segmentBytes: 1460 }) };
  const window = new BackgroundWindow({ bytesMax: MIB, now: () => now, roundTrips });
  const before = window.bytes;
  for (; now < 10_000; now += 50) window.note(500, 70, 500);
  expect(window.bytes).toBe(before);
  for (; now < 20_000; now += 50) window.note(4000, 70, 16_000);
  expect(window.bytes).toBeLessThan(before);
});

test('where a segment holds more than a frame, each is acknowledged late, and the window grows all the same', () => {
  let now = 0;
  const roundTrips = { isTold: true, look: () => ({ baseMs: 0.01, queueMs: 10, segmentBytes: 65_483 }) };
  const window = new BackgroundWindow({ bytesMax: 64 * MIB, now: () => now, roundTrips });
  for (; now < 5000; now += 5) {
    window.full();
    window.note(window.bytes / 4, 10, window.bytes);
  }
  expect(window.bytes).toBeGreaterThan(512 * 1024);
});

describe('the window', () => {
  const fixed = (queueMs: number, baseMs = 30) => ({
    isTold: true,
    look: () => ({ baseMs, queueMs, segmentBytes: 1460 }),
  });

  test('does not grow for a stream that has less to send', () => {
    let now = 0;
    const window = new BackgroundWindow({ bytesMax: MIB, now: () => now, roundTrips: fixed(0) });
    const before = window.bytes;
    for (; now < 60_000; now += 10) window.note(1000, 30, 1000);
    expect(window.bytes).toBe(before);
  });

  test.each([
    [0, 0],
    [0, 30],
    [1e-9, 1e-9],
    [1e6, 0],
    [1e6, 1e4],
  ])('is a whole number within its bounds at a queue of %d ms and a base of %d', (queueMs, baseMs) => {
    let now = 0;
    const window = new BackgroundWindow({ bytesMax: MIB, now: () => now, roundTrips: fixed(queueMs, baseMs) });
    for (; now < 60_000; now += 10) {
      window.full();
      window.note(window.bytes, 0, window.bytes);
      expect(Number.isInteger(window.bytes)).toBe(true);
      expect(window.bytes).toBeGreaterThanOrEqual(4096);
      expect(window.bytes).toBeLessThanOrEqual(MIB);
      expect(window.paceBytesPerSecond).toBeGreaterThan(0);
    }
    expect(window.yields?.queueMs).toBe(queueMs);
    expect(window.bytes === MIB).toBe(queueMs < 1);
  });

  test('says nothing before something was measured', () => {
    const roundTrips = { isTold: true, look: () => undefined };
    const window = new BackgroundWindow({ bytesMax: MIB, now: () => 0, roundTrips });
    expect(window.yields).toBeUndefined();
    expect(window.paceBytesPerSecond).toBe(Number.POSITIVE_INFINITY);
  });
});
