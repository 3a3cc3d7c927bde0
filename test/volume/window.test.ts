import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { JournalRecord } from '../../src/index.js';
import { encodeOperation, type Operation } from '../../src/volume/operation.js';
import { windows } from '../../src/volume/window.js';
import { SEED } from '../support/seed.js';
import { attributes, digest, operation } from './arbitraries.js';

function recordsOf(operations: readonly Operation[]): JournalRecord[] {
  return operations.map((given, i) => {
    const { offset, ...record } = encodeOperation(given);
    const rest = { sequence: i + 1, epoch: 1, timestamp: 0, checksum: 0n, chain: 0n };
    return { ...rest, ...record, ...(offset === undefined ? {} : { offset }) };
  });
}

const pathsOf = (given: Operation): string[] => {
  if (given.type === 'begin' || given.type === 'part' || given.type === 'discard') return [];
  return given.type === 'rename' ? [given.from, given.path] : [given.path];
};

/** Few paths, so that the same one comes often. */
const few = fc.constantFrom('a', 'b', 'c', 'a/b', 'd');
const small: fc.Arbitrary<Operation> = fc.oneof(
  operation,
  fc.record({
    type: fc.constant('file' as const),
    path: few,
    attributes,
    sparse: fc.boolean(),
    content: fc.constant(Buffer.alloc(10)),
  }),
  fc.record({ type: fc.constant('rename' as const), path: few, from: few, attributes, size: fc.nat(), digest }),
  fc.record({
    type: fc.constant('remove' as const),
    path: few,
    kind: fc.constantFrom('file' as const, 'directory' as const),
  }),
  fc.record({ type: fc.constant('stash' as const), path: few, id: fc.nat() }),
);

describe('windows', () => {
  test('hold every operation once and in order, and no path twice', () => {
    fc.assert(
      fc.property(fc.array(small, { maxLength: 80 }), (operations) => {
        const all = [...windows(recordsOf(operations))];
        expect(all.flat().map(({ sequence }) => sequence)).toEqual(operations.map((_, i) => i + 1));
        for (const steps of all) {
          expect(steps.length).toBeGreaterThan(0);
          // A rename from a path to itself names it twice; that is one step.
          const paths = steps.flatMap((step) => [...new Set(pathsOf(step.operation))]);
          expect(new Set(paths).size).toBe(paths.length);
          const alone = steps.some((step) => step.operation.type === 'begin' || step.operation.type === 'discard');
          if (alone) expect(steps).toHaveLength(1);
        }
      }),
      { seed: SEED, numRuns: 1000 },
    );
  });

  test('are bounded in number and bytes', () => {
    const file = (path: string, bytes: number): Operation => ({
      type: 'file',
      path,
      attributes: { mode: 0, mtime: 0, uid: 0, gid: 0 },
      sparse: false,
      content: Buffer.alloc(bytes),
    });
    const many = [...windows(recordsOf(Array.from({ length: 1000 }, (_, i) => file(`f${i}`, 1))))];
    expect(Math.max(...many.map((steps) => steps.length))).toBeLessThanOrEqual(256);
    const large = [...windows(recordsOf(Array.from({ length: 40 }, (_, i) => file(`f${i}`, 1024 * 1024))))];
    expect(Math.max(...large.map((steps) => steps.length))).toBeLessThanOrEqual(9);
  });

  test('leave out records of the embedder, and give what comes before one that cannot be right', () => {
    const records = recordsOf([
      { type: 'stash', path: 'a', id: 1 },
      { type: 'stash', path: 'b', id: 2 },
      { type: 'stash', path: 'c', id: 3 },
    ]);
    const [one, two, three] = records as [JournalRecord, JournalRecord, JournalRecord];
    expect([...windows([one, { ...two, kind: 5 }, three])].flat().map(({ sequence }) => sequence)).toEqual([1, 3]);
    const broken = windows([one, two, { ...three, kind: 250 }]);
    expect(broken.next().value).toHaveLength(2);
    expect(() => broken.next()).toThrow('record kind 250');
  });
});
