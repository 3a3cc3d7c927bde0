import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Gone } from '../../src/reduce/gone.js';
import type { PrefixRange } from '../../src/reduce/prefix.js';
import { SEED } from '../support/seed.js';

const LAST = 60;
const range = fc
  .tuple(fc.integer({ min: 1, max: LAST }), fc.nat(8))
  .map(([from, more]): PrefixRange => ({ from, to: from + more }));

const numbers = ({ from, to }: PrefixRange): number[] => Array.from({ length: to - from + 1 }, (_, at) => from + at);

describe('records that a peer could not read', () => {
  test('are those that it named, one by one and in rows', () => {
    fc.assert(
      fc.property(fc.array(fc.array(range, { maxLength: 5 }), { maxLength: 8 }), range, (calls, asked) => {
        const gone = new Gone();
        for (const ranges of calls) gone.add(ranges);
        const model = new Set(calls.flat().flatMap(numbers));
        expect(gone.isEmpty).toBe(model.size === 0);
        for (let sequence = 1; sequence <= LAST; sequence++) expect(gone.has(sequence)).toBe(model.has(sequence));
        expect(gone.has(asked.from, asked.to)).toBe(numbers(asked).some((sequence) => model.has(sequence)));
        const left = numbers(asked).filter((sequence) => !model.has(sequence));
        expect(gone.without(asked).flatMap(numbers)).toEqual(left);
        gone.clear();
        expect([gone.isEmpty, gone.has(1, LAST)]).toEqual([true, false]);
      }),
      { seed: SEED, numRuns: 500 },
    );
  });

  test('are all before the newest of them once there are too many rows', () => {
    const gone = new Gone();
    gone.add(Array.from({ length: 1024 }, (_, at) => ({ from: 2 * at + 10, to: 2 * at + 10 })));
    expect([gone.has(10), gone.has(11)]).toEqual([true, false]);
    gone.add([{ from: 5000, to: 5001 }]);
    expect([gone.has(1), gone.has(11), gone.has(5001), gone.has(5002)]).toEqual([true, true, true, false]);
    expect(gone.without({ from: 4000, to: 5003 })).toEqual([{ from: 5002, to: 5003 }]);
  });
});
