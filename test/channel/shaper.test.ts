import { describe, expect, test } from 'vitest';
import { Random } from '../../fuzz/random.js';
import { Shaper, WAITERS_MAX } from '../../src/channel/shaper.js';
import { AbortedError, InvalidArgumentError } from '../../src/errors.js';
import { FakeClock } from './fake-clock.js';
import { keepTaking, saturate, sumOf, windows } from './grants.js';

const SEED = Number(process.env.LONGHAUL_SEED ?? Random.freshSeed());

describe.each([200_000, 2_500_000, 125_000_000])('at %d bytes a second', (rateBytesPerSecond) => {
  test.each([0, 3, 7])('with timers up to %d ms late, never over it and hardly under', async (lateMs) => {
    const random = new Random(SEED);
    const clock = new FakeClock(() => random.fraction() * lateMs);
    const grants = await saturate(new Shaper({ rateBytesPerSecond, clock }), clock, 3, 15);
    const second = windows(grants, 1000);
    const seed = `LONGHAUL_SEED=${SEED}`;
    expect(windows(grants, 5000).most, seed).toBeLessThanOrEqual(5 * rateBytesPerSecond);
    expect(second.most, seed).toBeLessThanOrEqual(1.02 * rateBytesPerSecond);
    expect(second.least, seed).toBeGreaterThanOrEqual(0.98 * rateBytesPerSecond);
  });
});

test('a stalled event loop loses what goes over the burst, and nothing is made up for', async () => {
  const clock = new FakeClock();
  const shaper = new Shaper({ rateBytesPerSecond: 1_000_000, clock });
  const taken = keepTaking(shaper, clock, 1);
  await clock.advance(0);
  expect(sumOf(taken.grants)).toBe(17_520);
  clock.jump(10_000);
  await clock.advance(0);
  taken.stop();
  expect(sumOf(taken.grants)).toBeGreaterThan(33_000);
  expect(sumOf(taken.grants)).toBeLessThanOrEqual(40_000);
});

test('the smallest rate still keeps its five seconds', async () => {
  const clock = new FakeClock();
  const grants = await saturate(new Shaper({ rateBytesPerSecond: 1000, clock }), clock, 2, 120);
  expect(windows(grants, 5000).most).toBeLessThanOrEqual(5000);
  expect(grants.length * 1460).toBeGreaterThan(70_000);
});

test('first come, first served', async () => {
  const clock = new FakeClock();
  const shaper = new Shaper({ rateBytesPerSecond: 100_000, clock });
  const order: number[] = [];
  [1460, 10, 1000, 1].forEach((bytes, index) => void shaper.take(bytes).then(() => order.push(index)));
  await clock.advance(1000);
  expect(order).toEqual([0, 1, 2, 3]);
});

test('a new rate holds at once, also for what waits', async () => {
  const clock = new FakeClock();
  const shaper = new Shaper({ rateBytesPerSecond: 1000, clock });
  await shaper.take(1460);
  let granted = false;
  void shaper.take(1460).then(() => {
    granted = true;
  });
  shaper.setRate(1_000_000);
  expect(clock.pendingTimers).toBe(1);
  await clock.advance(3);
  expect(granted).toBe(true);
  shaper.setRate(1000);
  expect(shaper.rateBytesPerSecond).toBe(1000);
  const grants = await saturate(shaper, clock, 1, 20);
  expect(windows(grants, 5000).most).toBeLessThanOrEqual(5000);
});

test('what waits is granted in smaller pieces once the rate is lower', async () => {
  const clock = new FakeClock();
  const shaper = new Shaper({ rateBytesPerSecond: 100_000_000, clock });
  for (let i = 0; i < 7; i++) await shaper.take(shaper.quantumBytes);
  const waiting = Promise.all([1, 2, 3].map(() => shaper.take(shaper.quantumBytes)));
  shaper.setRate(1000);
  await clock.advance(10_000);
  expect(await waiting).toEqual([1460, 1460, 1460]);
});

test('the time before a change counts at the old rate', async () => {
  const clock = new FakeClock();
  const shaper = new Shaper({ rateBytesPerSecond: 1000, clock });
  await shaper.take(1460);
  clock.jump(1000);
  shaper.setRate(1_000_000);
  let granted = false;
  void shaper.take(1460).then(() => {
    granted = true;
  });
  await clock.advance(0);
  expect(granted).toBe(false);
  await clock.advance(1);
  expect(granted).toBe(true);
});

test('idle, it holds no timer', async () => {
  const clock = new FakeClock();
  const shaper = new Shaper({ rateBytesPerSecond: 100_000, clock });
  const taken = Promise.all([shaper.take(1460), shaper.take(1460)]);
  await clock.advance(1000);
  await taken;
  expect(clock.pendingTimers).toBe(0);
});

test.each([0, 999, -1, Number.NaN])('a rate of %d is refused', (rateBytesPerSecond) => {
  expect(() => new Shaper({ rateBytesPerSecond })).toThrow(InvalidArgumentError);
});

describe('without a limit', () => {
  test('nobody has to ask, and whoever does gets everything at once', async () => {
    const clock = new FakeClock();
    const shaper = new Shaper({ clock });
    expect(shaper.quantumBytes).toBe(Number.POSITIVE_INFINITY);
    expect(await shaper.take(1e9)).toBe(1e9);
    shaper.charge(1e9);
    expect(clock.pendingTimers).toBe(0);
  });

  test('a limit holds from the moment on in which it is set, and is lifted for what waits', async () => {
    const clock = new FakeClock();
    const shaper = new Shaper({ clock });
    await shaper.take(1e9);
    clock.jump(10_000);
    shaper.setRate(100_000);
    const grants = await saturate(shaper, clock, 4, 10);
    const { most } = windows(grants, 5000);
    expect(most).toBeLessThanOrEqual(500_000);
    expect(sumOf(grants)).toBeGreaterThan(980_000);
    const waiting = shaper.take(50_000);
    shaper.setRate(Number.POSITIVE_INFINITY);
    // The four that stopped had asked once more.
    expect(await waiting).toBe(50_000);
    expect(clock.pendingTimers).toBe(0);
  });
});

describe('bytes that nobody asked for', () => {
  test('are paid off before anything else goes', async () => {
    const clock = new FakeClock();
    const shaper = new Shaper({ rateBytesPerSecond: 100_000, clock });
    shaper.charge(50_000);
    let granted = 0;
    void shaper.take(1460).then(() => {
      granted = clock.now();
    });
    await clock.advance(2000);
    expect(granted).toBeGreaterThan(480);
    expect(granted).toBeLessThan(520);
  });

  test('count when somebody waits already', async () => {
    const clock = new FakeClock();
    const shaper = new Shaper({ rateBytesPerSecond: 100_000, clock });
    const { grants, stop } = keepTaking(shaper, clock, 2);
    for (let second = 0; second < 10; second++) {
      shaper.charge(25_000);
      await clock.advance(1000);
    }
    stop();
    expect(sumOf(grants)).toBeGreaterThan(0.98 * 750_000);
    expect(sumOf(grants)).toBeLessThanOrEqual(750_000 + 2000);
  });
});

describe('what the link adds to each segment', () => {
  test.each([
    [78, 1460],
    [40, 536],
    [0, 1460],
    [200, 9000],
  ])('%d bytes to each of %d count', async (overheadBytes, segmentBytes) => {
    const clock = new FakeClock();
    const shaper = new Shaper({ rateBytesPerSecond: 1_000_000, clock, overheadBytes, segmentBytes });
    const grants = await saturate(shaper, clock, 3, 10);
    const onLink = grants.reduce((sum, { bytes }) => sum + bytes + Math.ceil(bytes / segmentBytes) * overheadBytes, 0);
    expect(onLink).toBeGreaterThan(0.98 * 10_000_000);
    expect(onLink).toBeLessThanOrEqual(10_000_000 + 20_000);
  });

  test('a small piece pays for a whole header', async () => {
    const clock = new FakeClock();
    const shaper = new Shaper({ rateBytesPerSecond: 100_000, clock, overheadBytes: 60 });
    let grants = 0;
    const keepOn = async (): Promise<void> => {
      while (clock.now() < 10_000) {
        await shaper.take(40);
        grants++;
      }
    };
    for (let i = 0; i < 50; i++) void keepOn();
    await clock.advance(10_000);
    expect(grants).toBeGreaterThan(9900);
    expect(grants).toBeLessThan(10_050);
  });

  test.each([
    ['linkOverhead', { overheadBytes: 201 }],
    ['linkOverhead', { overheadBytes: -1 }],
    ['linkSegmentBytes', { segmentBytes: 100 }],
  ])('%s out of its bounds is refused by name', (name, cost) => {
    expect(() => new Shaper({ rateBytesPerSecond: 1e6, ...cost })).toThrow(name);
  });
});

describe('a waiter that is called off', () => {
  test('takes no tokens, wherever it stands', async () => {
    const clock = new FakeClock();
    const shaper = new Shaper({ rateBytesPerSecond: 100_000, clock });
    const gone = new AbortController();
    const reasons: unknown[] = [];
    await shaper.take(1460);
    const order: string[] = [];
    const ask = (name: string, signal?: AbortSignal): void => {
      shaper.take(1460, signal).then(
        () => order.push(name),
        (reason: unknown) => reasons.push(reason),
      );
    };
    for (const name of ['a', 'b', 'c', 'd', 'e']) ask(name, 'ace'.includes(name) ? gone.signal : undefined);
    gone.abort(new Error('the connection is over'));
    await clock.advance(31);
    expect(order).toEqual(['b', 'd']);
    expect(reasons).toHaveLength(3);
    for (const reason of reasons) expect(reason).toBeInstanceOf(AbortedError);
    expect(clock.pendingTimers).toBe(0);
  });

  test('leaves no timer behind', async () => {
    const clock = new FakeClock();
    const shaper = new Shaper({ rateBytesPerSecond: 1000, clock });
    const gone = new AbortController();
    await shaper.take(1460);
    const waiting = shaper.take(1460, gone.signal);
    expect(clock.pendingTimers).toBe(1);
    gone.abort();
    await expect(waiting).rejects.toThrow(AbortedError);
    expect(clock.pendingTimers).toBe(0);
    await expect(shaper.take(1, gone.signal)).rejects.toThrow(AbortedError);
  });

  test('once granted, a signal changes nothing', async () => {
    const clock = new FakeClock();
    const shaper = new Shaper({ rateBytesPerSecond: 1_000_000, clock });
    const gone = new AbortController();
    const taken = shaper.take(1000, gone.signal);
    gone.abort();
    expect(await taken).toBe(1000);
  });
});

test('more waiters than connections could be are refused', async () => {
  const clock = new FakeClock();
  const shaper = new Shaper({ rateBytesPerSecond: 1000, clock });
  for (let i = 0; i < WAITERS_MAX + 1; i++) void shaper.take(1460);
  expect(() => shaper.take(1460)).toThrow(InvalidArgumentError);
});
