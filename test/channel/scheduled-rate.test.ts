import { expect, test } from 'vitest';
import { type ScheduleRule, WeeklySchedule } from '../../src/channel/schedule.js';
import { ScheduledRate } from '../../src/channel/scheduled-rate.js';
import { FakeClock } from './fake-clock.js';

const UNLIMITED = Number.POSITIVE_INFINITY;
const MINUTE_MS = 60_000;

/** A wall clock that goes with the other one until it is set. */
class Day {
  readonly clock = new FakeClock();
  readonly told: [string, number][] = [];
  readonly rate: ScheduledRate;
  #startMs: number;

  constructor(start: string, rateBytesPerSecond: number, ...rules: ScheduleRule[]) {
    this.#startMs = Date.parse(start);
    this.rate = new ScheduledRate({
      rateBytesPerSecond,
      schedule: rules.length === 0 ? undefined : weekly(rules),
      clock: this.clock,
      wallClock: { epochMs: () => this.epochMs },
      onChange: (rate) => this.told.push([new Date(this.epochMs).toISOString().slice(11, 23), rate]),
    });
  }

  get epochMs(): number {
    return this.#startMs + this.clock.now();
  }

  set(time: string): void {
    this.#startMs = Date.parse(time) - this.clock.now();
  }
}

const weekly = (rules: ScheduleRule[]): WeeklySchedule => new WeeklySchedule('schedule', { timeZone: 'UTC', rules });
const noon: ScheduleRule = { from: '12:00', to: '13:00', rate: 5000 };

test('changes come to the millisecond, and the rate beside the schedule holds in between', async () => {
  const day = new Day('2026-01-01T11:30:00.250Z', 9000, noon);
  expect(day.rate.rateBytesPerSecond).toBe(9000);
  await day.clock.advance(3 * 60 * MINUTE_MS);
  expect(day.told).toEqual([
    ['12:00:00.000', 5000],
    ['13:00:00.000', 9000],
  ]);
  expect(day.rate.highestBytesPerSecond).toBe(9000);
});

test('begins with what holds at the time', () => {
  expect(new Day('2026-01-01T12:30Z', 9000, noon).rate.rateBytesPerSecond).toBe(5000);
  expect(new Day('2026-01-01T12:30Z', UNLIMITED).rate.rateBytesPerSecond).toBe(UNLIMITED);
});

test('a clock that is set is followed within a minute, forward and back', async () => {
  const day = new Day('2026-01-01T08:00Z', UNLIMITED, noon);
  await day.clock.advance(10 * MINUTE_MS + 1);
  day.set('2026-01-01T12:10Z');
  await day.clock.advance(MINUTE_MS);
  expect(day.rate.rateBytesPerSecond).toBe(5000);
  day.set('2026-01-01T11:00Z');
  await day.clock.advance(MINUTE_MS);
  expect(day.rate.rateBytesPerSecond).toBe(UNLIMITED);
  await day.clock.advance(60 * MINUTE_MS);
  expect(day.told.at(-1)).toEqual(['12:00:00.000', 5000]);
});

test('without a schedule it holds no timer, and the rate is what was set', async () => {
  const day = new Day('2026-01-01T08:00Z', 9000);
  expect(day.clock.pendingTimers).toBe(0);
  day.rate.setRate(7000);
  day.rate.setRate(7000);
  expect(day.told).toEqual([['08:00:00.000', 7000]]);
});

test('a schedule that comes, changes and goes', async () => {
  const day = new Day('2026-01-01T12:30Z', 9000);
  day.rate.setSchedule(weekly([noon]));
  day.rate.setRate(7000);
  expect(day.rate.rateBytesPerSecond).toBe(5000);
  day.rate.setSchedule(weekly([{ ...noon, rate: 'none' }]));
  expect(day.rate.rateBytesPerSecond).toBe(UNLIMITED);
  expect(day.rate.highestBytesPerSecond).toBe(UNLIMITED);
  day.rate.setSchedule(undefined);
  expect(day.told.map(([, rate]) => rate)).toEqual([5000, UNLIMITED, 7000]);
  expect(day.clock.pendingTimers).toBe(0);
});

test('stopped, it says nothing more', async () => {
  const day = new Day('2026-01-01T11:30Z', 9000, noon);
  day.rate.stop();
  expect(day.clock.pendingTimers).toBe(0);
  await day.clock.advance(60 * MINUTE_MS);
  expect(day.told).toEqual([]);
});
