import { describe, expect, test } from 'vitest';
import { Random } from '../../fuzz/random.js';
import { Shaper } from '../../src/channel/shaper.js';
import { InvalidArgumentError } from '../../src/errors.js';
import { FakeClock } from './fake-clock.js';

const SEED = Number(process.env.LONGHAUL_SEED ?? Random.freshSeed());

interface Grant {
  at: number;
  bytes: number;
}

/** Keeps `takers` always asking, for `seconds`, and notes what was granted when. */
async function saturate(shaper: Shaper, clock: FakeClock, takers: number, seconds: number): Promise<Grant[]> {
  const grants: Grant[] = [];
  let running = true;
  const taker = async (): Promise<void> => {
    while (running) {
      const bytes = shaper.quantumBytes;
      await shaper.take(bytes);
      grants.push({ at: clock.now(), bytes });
    }
  };
  for (let i = 0; i < takers; i++) void taker();
  await clock.advance(seconds * 1000);
  running = false;
  return grants;
}

/** The bytes of each window of that length that begins just before or just after a grant. */
function windows(grants: Grant[], lengthMs: number): { most: number; least: number } {
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
  await shaper.take(20_000);
  clock.jump(10_000);
  await shaper.take(20_000);
  let granted = false;
  void shaper.take(1460).then(() => {
    granted = true;
  });
  await clock.advance(0);
  expect(granted).toBe(false);
  await clock.advance(2);
  expect(granted).toBe(true);
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

test('more than the bucket holds is granted on a full bucket and paid off afterwards', async () => {
  const clock = new FakeClock();
  const shaper = new Shaper({ rateBytesPerSecond: 100_000, clock });
  await shaper.take(50_000);
  const before = clock.now();
  let granted = 0;
  void shaper.take(1460).then(() => {
    granted = clock.now();
  });
  await clock.advance(2000);
  expect(granted - before).toBeGreaterThan(450);
});

test('what is given back goes to the next one at once, and never over the burst', async () => {
  const clock = new FakeClock();
  const shaper = new Shaper({ rateBytesPerSecond: 100_000, clock });
  await shaper.take(2000);
  let granted = 0;
  for (let i = 0; i < 3; i++) {
    void shaper.take(1500).then(() => {
      granted++;
    });
  }
  await clock.advance(0);
  expect(granted).toBe(0);
  shaper.giveBack(1500);
  await clock.advance(0);
  expect(granted).toBe(1);
  shaper.giveBack(1_000_000);
  await clock.advance(0);
  expect(granted).toBe(2);
  await clock.advance(20);
  expect(granted).toBe(3);
  expect(clock.pendingTimers).toBe(0);
});

test('idle, it holds no timer', async () => {
  const clock = new FakeClock();
  const shaper = new Shaper({ rateBytesPerSecond: 100_000, clock });
  const taken = Promise.all([shaper.take(1460), shaper.take(1460)]);
  await clock.advance(1000);
  await taken;
  expect(clock.pendingTimers).toBe(0);
});

test.each([0, 999, Number.NaN, Number.POSITIVE_INFINITY])('a rate of %d is refused', (rateBytesPerSecond) => {
  expect(() => new Shaper({ rateBytesPerSecond })).toThrow(InvalidArgumentError);
});
