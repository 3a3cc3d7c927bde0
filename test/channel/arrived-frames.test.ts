import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ArrivedFrames } from '../../src/channel/arrived-frames.js';

const RANGES_MAX = 1000;

test('frames in order leave nothing beyond', () => {
  const arrived = new ArrivedFrames();
  for (let number = 0; number < 10; number++) arrived.add(number);
  expect([arrived.next, arrived.beyond(RANGES_MAX)]).toEqual([10, []]);
});

test('ranges join when what is between them comes', () => {
  const arrived = new ArrivedFrames();
  for (const number of [5, 1, 7, 2]) arrived.add(number);
  const ranges = [
    { from: 1, to: 2 },
    { from: 5, to: 5 },
    { from: 7, to: 7 },
  ];
  expect(arrived.beyond(RANGES_MAX)).toEqual(ranges);
  expect(arrived.beyond(2)).toEqual(ranges.slice(0, 2));
  arrived.add(6);
  expect(arrived.beyond(RANGES_MAX)).toEqual([
    { from: 1, to: 2 },
    { from: 5, to: 7 },
  ]);
  arrived.add(0);
  expect([arrived.next, arrived.beyond(RANGES_MAX)]).toEqual([3, [{ from: 5, to: 7 }]]);
});

test('what was given out stays as it was', () => {
  const arrived = new ArrivedFrames();
  arrived.add(2);
  const given = arrived.beyond(RANGES_MAX);
  arrived.add(3);
  expect(given).toEqual([{ from: 2, to: 2 }]);
});

test('any order gives the same as a set', () => {
  const numbers = fc.uniqueArray(fc.nat(120), { maxLength: 120 });
  fc.assert(
    fc.property(numbers, (order) => {
      const arrived = new ArrivedFrames();
      const known = new Set<number>();
      for (const number of order) {
        arrived.add(number);
        known.add(number);
        let next = 0;
        while (known.has(next)) next++;
        expect(arrived.next).toBe(next);
        const beyond = arrived.beyond(RANGES_MAX);
        const listed = beyond.flatMap(({ from, to }) => Array.from({ length: to - from + 1 }, (_, i) => from + i));
        expect(listed).toEqual([...known].filter((one) => one > next).sort((a, b) => a - b));
        for (const [index, { from }] of beyond.entries()) {
          expect(from).toBeGreaterThan((beyond[index - 1]?.to ?? next - 1) + 1);
        }
      }
    }),
  );
});
