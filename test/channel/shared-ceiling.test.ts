import { describe, expect, test } from 'vitest';
import { Shaper } from '../../src/channel/shaper.js';
import { SharedCeiling } from '../../src/channel/shared-ceiling.js';
import { AbortedError } from '../../src/errors.js';
import { FakeClock } from './fake-clock.js';
import { type Grant, keepTaking, sumOf, windows } from './grants.js';

const UNLIMITED = Number.POSITIVE_INFINITY;

function peers(clock: FakeClock, shared: number, rates: number[]): { ceiling: SharedCeiling; shapers: Shaper[] } {
  const ceiling = new SharedCeiling({ rateBytesPerSecond: shared, clock });
  const shapers = rates.map((rateBytesPerSecond) => new Shaper({ rateBytesPerSecond, within: ceiling, clock }));
  return { ceiling, shapers };
}

const together = (all: Grant[][]): Grant[] => all.flat().sort((a, b) => a.at - b.at);

describe('several peers below one ceiling', () => {
  test('hold their own rate and the common one', async () => {
    const clock = new FakeClock();
    const { shapers } = peers(clock, 1_000_000, [100_000, 300_000, UNLIMITED]);
    const takings = shapers.map((shaper) => keepTaking(shaper, clock, 8));
    await clock.advance(20_000);
    const [slow, middle, fast] = takings.map(({ grants }) => grants) as [Grant[], Grant[], Grant[]];
    for (const [grants, rate] of [
      [slow, 100_000],
      [middle, 300_000],
      [together([slow, middle, fast]), 1_000_000],
    ] as const) {
      expect(windows(grants, 5000).most).toBeLessThanOrEqual(5 * rate);
      expect(windows(grants, 1000).most).toBeLessThanOrEqual(1.02 * rate);
      expect(windows(grants, 1000).least).toBeGreaterThanOrEqual(0.97 * rate);
    }
    expect(sumOf(fast) / 20).toBeGreaterThan(580_000);
  });

  test('a slow peer with many waiters holds up nobody', async () => {
    const clock = new FakeClock();
    const { shapers } = peers(clock, 10_000_000, [1000, UNLIMITED]);
    const [slow, fast] = shapers as [Shaper, Shaper];
    keepTaking(slow, clock, 32);
    const { grants } = keepTaking(fast, clock, 1);
    await clock.advance(5000);
    expect(sumOf(grants)).toBeGreaterThan(0.98 * 50_000_000 - 5000);
  });

  test('share by bytes, whatever the number of their connections and the size of their pieces', async () => {
    const clock = new FakeClock();
    const { shapers } = peers(clock, 1_000_000, [UNLIMITED, UNLIMITED, 700_000]);
    const [many, one, small] = shapers as [Shaper, Shaper, Shaper];
    const takings = [keepTaking(many, clock, 32), keepTaking(one, clock, 1)];
    let bytes = 0;
    const keepOn = async (): Promise<void> => {
      for (;;) {
        const granted = await small.take(300);
        bytes += granted;
      }
    };
    for (let i = 0; i < 100; i++) void keepOn();
    await clock.advance(10_000);
    const shares = [...takings.map(({ grants }) => sumOf(grants)), bytes];
    for (const share of shares) expect(Math.abs(share - 3_333_333)).toBeLessThan(0.03 * 3_333_333);
  });

  test('one that waits costs no tokens of the other bucket', async () => {
    const clock = new FakeClock();
    const { ceiling, shapers } = peers(clock, 1000, [50_000]);
    const [shaper] = shapers as [Shaper];
    const { grants } = keepTaking(shaper, clock, 32);
    await clock.advance(30_000);
    ceiling.setRate(UNLIMITED);
    const before = sumOf(grants);
    const from = clock.now();
    await clock.advance(5000);
    expect(sumOf(grants) - before).toBeLessThanOrEqual(5 * 50_000);
    expect(
      windows(
        grants.filter(({ at }) => at >= from),
        1000,
      ).most,
    ).toBeLessThanOrEqual(1.05 * 50_000);
  });
});

describe('a ceiling that changes', () => {
  test('sets free what waits for it', async () => {
    const clock = new FakeClock();
    const { ceiling, shapers } = peers(clock, 1000, [UNLIMITED, UNLIMITED]);
    const taken = Promise.all(shapers.flatMap((shaper) => [1, 2, 3].map(() => shaper.take(1e6))));
    ceiling.setRate(UNLIMITED);
    const granted = await taken;
    expect(granted.filter((bytes) => bytes === 1e6).length).toBeGreaterThanOrEqual(5);
    expect(clock.pendingTimers).toBe(0);
    expect(shapers[0]?.quantumBytes).toBe(UNLIMITED);
  });

  test('comes into force while data flows, and shares stay fair', async () => {
    const clock = new FakeClock();
    const { ceiling, shapers } = peers(clock, UNLIMITED, [2_000_000, 2_000_000]);
    const takings = shapers.map((shaper) => keepTaking(shaper, clock, 4));
    await clock.advance(5000);
    ceiling.setRate(500_000);
    const from = takings.map(({ grants }) => grants.length);
    await clock.advance(10_000);
    const since = takings.map(({ grants }, index) => grants.slice(from[index]));
    expect(windows(together(since), 5000).most).toBeLessThanOrEqual(2_500_000);
    for (const grants of since) expect(sumOf(grants)).toBeGreaterThan(0.97 * 2_500_000);
  });

  test('what one peer is charged with, all wait for', async () => {
    const clock = new FakeClock();
    const { shapers } = peers(clock, 100_000, [UNLIMITED, UNLIMITED]);
    const [left, right] = shapers as [Shaper, Shaper];
    left.charge(52_000);
    let grantedAt = 0;
    void right.take(1000).then(() => {
      grantedAt = clock.now();
    });
    await clock.advance(1000);
    expect(grantedAt).toBeGreaterThan(490);
    expect(grantedAt).toBeLessThan(520);
  });
});

test('waiters that are called off leave the line to the others, and no timer', async () => {
  const clock = new FakeClock();
  const { shapers } = peers(clock, 10_000, [UNLIMITED, UNLIMITED]);
  const [left, right] = shapers as [Shaper, Shaper];
  while (clock.pendingTimers === 0) {
    void left.take(1460);
    await clock.advance(0);
  }
  await clock.advance(1000);
  expect(clock.pendingTimers).toBe(0);
  const gone = new AbortController();
  const order: string[] = [];
  const called: Promise<unknown>[] = [];
  for (let i = 0; i < 40; i++) called.push(left.take(1460, gone.signal).catch((error: unknown) => error));
  void right.take(1460).then(() => order.push('right'));
  await clock.advance(0);
  gone.abort();
  const ends = await Promise.all(called);
  expect(ends.filter((end) => end instanceof AbortedError).length).toBeGreaterThan(37);
  await clock.advance(300);
  expect(order).toEqual(['right']);
  expect(clock.pendingTimers).toBe(0);
});
