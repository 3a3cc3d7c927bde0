import { expect, test } from 'vitest';
import { Alarm } from '../../src/channel/alarm.js';
import { FakeClock } from './fake-clock.js';

function counted(clock: FakeClock) {
  let rings = 0;
  const alarm = new Alarm(clock, () => rings++);
  return { alarm, rings: () => rings };
}

test('rings once, after the time it was given', async () => {
  const clock = new FakeClock();
  const { alarm, rings } = counted(clock);
  alarm.set(10);
  await clock.advance(9);
  expect([alarm.isSet, rings()]).toEqual([true, 0]);
  await clock.advance(1);
  expect([alarm.isSet, rings()]).toEqual([false, 1]);
  await clock.advance(100);
  expect(rings()).toBe(1);
});

test('one that is set stays as it is', async () => {
  const clock = new FakeClock();
  const { alarm, rings } = counted(clock);
  alarm.set(10);
  alarm.set(1);
  await clock.advance(5);
  expect(rings()).toBe(0);
  await clock.advance(5);
  expect(rings()).toBe(1);
});

test('can be set again by what it rings, and not at all once cleared', async () => {
  const clock = new FakeClock();
  const { alarm, rings } = counted(clock);
  alarm.set(10);
  alarm.clear();
  await clock.advance(20);
  expect([alarm.isSet, rings()]).toEqual([false, 0]);

  let left = 3;
  const again: Alarm = new Alarm(clock, () => {
    if (--left > 0) again.set(10);
  });
  again.set(10);
  for (let i = 0; i < 5; i++) await clock.advance(10);
  expect([left, again.isSet]).toEqual([0, false]);
});
