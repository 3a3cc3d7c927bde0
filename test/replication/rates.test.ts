import { expect, test } from 'vitest';
import { type RateOptions, resolveRate } from '../../src/replication/rate-options.js';
import { Rates } from '../../src/replication/rates.js';
import { FakeClock } from '../channel/fake-clock.js';
import { keepTaking, sumOf } from '../channel/grants.js';

const UNLIMITED = Number.POSITIVE_INFINITY;
const HOUR_MS = 3_600_000;

function open(
  start: string,
  sender: RateOptions,
  peers: Record<string, RateOptions>,
): { rates: Rates; clock: FakeClock } {
  const clock = new FakeClock();
  const startMs = Date.parse(start);
  const rates = new Rates({
    sender: resolveRate('', sender),
    peers: new Map(Object.entries(peers).map(([name, options]) => [name, resolveRate('peers[].', options)])),
    cost: { overheadBytes: 0, segmentBytes: 1460 },
    clock,
    wallClock: { epochMs: () => startMs + clock.now() },
  });
  return { rates, clock };
}

test('a peer has its own rate below the common one, and both tell what is in force', async () => {
  const { rates, clock } = open('2026-01-05T00:00Z', { rate: '8mbit' }, { slow: { rate: '800kbit' }, other: {} });
  expect(rates.rateBytesPerSecond).toBe(1_000_000);
  expect(rates.of('slow').rateBytesPerSecond).toBe(100_000);
  expect(rates.of('other').rateBytesPerSecond).toBe(1_000_000);
  const slow = keepTaking(rates.of('slow').shaper, clock, 4);
  const other = keepTaking(rates.of('other').shaper, clock, 4);
  await clock.advance(10_000);
  expect(sumOf(slow.grants)).toBeGreaterThan(980_000);
  expect(sumOf(slow.grants)).toBeLessThanOrEqual(1_002_000);
  expect(sumOf(slow.grants) + sumOf(other.grants)).toBeGreaterThan(9_800_000);
  expect(sumOf(slow.grants) + sumOf(other.grants)).toBeLessThanOrEqual(10_000_000);
});

test('schedules of the sender and of a peer change what is granted at their time', async () => {
  const { rates, clock } = open(
    '2026-01-05T07:59:50Z',
    { schedule: { timeZone: 'UTC', rules: [{ from: '08:00', to: '18:00', rate: 50_000 }] } },
    { one: { rate: 500_000, schedule: { timeZone: 'UTC', rules: [{ from: '17:00', to: '24:00', rate: 'none' }] } } },
  );
  const { grants } = keepTaking(rates.of('one').shaper, clock, 2);
  const during = async (ms: number): Promise<number> => {
    const before = sumOf(grants);
    await clock.advance(ms);
    return ((sumOf(grants) - before) * 1000) / ms;
  };
  const near = (rate: number): [number, number] => [0.97 * rate, 1.02 * rate];
  const [before, after] = [await during(10_000), await during(10_000)];
  expect(before).toBeGreaterThan(near(500_000)[0]);
  expect(after).toBeGreaterThan(near(50_000)[0]);
  expect(after).toBeLessThan(near(50_000)[1]);
  expect([rates.rateBytesPerSecond, rates.of('one').rateBytesPerSecond]).toEqual([50_000, 50_000]);
  expect(rates.highestOf('one')).toBe(UNLIMITED);
  rates.stop();
});

test('changes by hand reach one peer or all, and give way to the rules', async () => {
  const { rates, clock } = open('2026-01-05T12:00Z', {}, { one: {}, two: {} });
  expect(rates.of('one').shaper.quantumBytes).toBe(UNLIMITED);
  rates.setRate(9000, 'one');
  rates.setRate(50_000, undefined);
  expect([rates.of('one').rateBytesPerSecond, rates.of('two').rateBytesPerSecond]).toEqual([9000, 50_000]);
  rates.setSchedule(
    resolveRate('', { schedule: { timeZone: 'UTC', rules: [{ to: '13:00', rate: 2000 }] } }).schedule,
    undefined,
  );
  rates.setRate(70_000, undefined);
  expect(rates.rateBytesPerSecond).toBe(2000);
  await clock.advance(HOUR_MS);
  expect(rates.rateBytesPerSecond).toBe(70_000);
  rates.setSchedule(undefined, undefined);
  rates.setRate(UNLIMITED, undefined);
  rates.setRate(UNLIMITED, 'one');
  expect(rates.of('one').rateBytesPerSecond).toBe(UNLIMITED);
  expect(rates.of('one').shaper.quantumBytes).toBe(UNLIMITED);
  rates.stop();
  expect(clock.pendingTimers).toBe(0);
});
