import { expect, test } from 'vitest';
import { BaseDelay } from '../../src/channel/base-delay.js';

const SECOND = 1000;
const MINUTE = 60 * SECOND;

test('the least of the last ten minutes counts, and is forgotten after them', () => {
  const base = new BaseDelay();
  expect(base.ms).toBe(Number.POSITIVE_INFINITY);
  base.note(30, 0);
  base.note(20, 1);
  for (let at = MINUTE; at < 10 * MINUTE; at += MINUTE) {
    base.note(50, at);
    expect(base.ms).toBe(20);
  }
  base.note(50, 10 * MINUTE);
  expect(base.ms).toBe(50);
  base.note(10, 10 * MINUTE + 1);
  expect(base.ms).toBe(10);
});

/** What is taken for the base after so many seconds of rest, one delay each. */
function restFor(seconds: number, delayOf: (second: number) => number, lossAt?: number): number {
  const base = new BaseDelay();
  base.note(20, 0);
  for (let second = 0; second <= seconds; second++) {
    base.note(delayOf(second), second * SECOND);
    base.rest(delayOf(second), second * SECOND);
    if (second === lossAt) base.disturb();
  }
  return base.ms;
}

test('what stays longer for half a minute while nothing is sent is a longer line', () => {
  expect(restFor(29, () => 60)).toBe(20);
  expect(restFor(30, () => 60)).toBe(60);
  expect(restFor(30, (second) => 60 + (second % 10))).toBe(60);
});

test('what rises and falls, or loses, is a queue', () => {
  expect(restFor(300, (second) => 50 + (second % 10) * 2)).toBe(20);
  expect(restFor(50, () => 60, 25)).toBe(20);
  expect(restFor(56, () => 60, 25)).toBe(60);
});

test('what is older than ten minutes counts no more, also when nothing came since', () => {
  const base = new BaseDelay();
  base.note(20, 0);
  base.note(50, 500 * SECOND);
  expect(base.ms).toBe(20);
  base.note(60, 700 * SECOND);
  expect(base.ms).toBe(50);
  base.note(70, 2000 * SECOND);
  expect(base.ms).toBe(70);
});
