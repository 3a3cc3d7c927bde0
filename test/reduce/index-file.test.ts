import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { History } from '../../src/reduce/history.js';
import { IndexWriter, readIndex } from '../../src/reduce/index-file.js';
import type { Outline } from '../../src/reduce/outline.js';
import { SKETCH_WORDS } from '../../src/reduce/sketch.js';
import { randomFor, SEED } from '../support/seed.js';

const MARK = 0xfeed_beef_0123_4567n;

/** Outlines of records in a row, some of which an index leaves out. */
const outlines: fc.Arbitrary<Outline[]> = fc
  .tuple(
    fc.oneof(fc.integer({ min: 1, max: 1000 }), fc.constant(2 ** 32 - 2), fc.constant(2 ** 52)),
    fc.array(
      fc.record({
        lengths: fc.array(fc.integer({ min: 1, max: 70_000 }), { maxLength: 4 }),
        bytes: fc.nat(500),
        key: fc.option(fc.bigInt({ min: 0n, max: 3n }), { nil: undefined }),
        offset: fc.option(fc.oneof(fc.nat(20_000), fc.nat(Number.MAX_SAFE_INTEGER)), { nil: undefined }),
        tag: fc.nat(5),
        sketched: fc.boolean(),
      }),
      { minLength: 1, maxLength: 30 },
    ),
  )
  .map(([first, list]) =>
    list.map(({ lengths, bytes, key, offset, tag, sketched }, index): Outline => {
      let end = 0;
      const ends = Uint32Array.from(lengths, (length) => (end += length));
      const tags = Uint32Array.from({ length: 2 * ends.length }, (_, word) => tag + (word >>> 1));
      return {
        sequence: first + index,
        bytes: ends.length === 0 ? bytes : end,
        ...(key === undefined ? {} : { key }),
        ...(offset === undefined ? {} : { offset }),
        ends,
        tags,
        ...(sketched && ends.length > 0 ? { sketch: new Uint32Array(SKETCH_WORDS).fill(tag + 9) } : {}),
      };
    }),
  );

function fileOf(list: readonly Outline[]): { bytes: Buffer; segment: { first: number; last: number; mark: bigint } } {
  const first = list[0]?.sequence ?? 1;
  const writer = new IndexWriter(first);
  for (const outline of list) writer.add(outline);
  return { bytes: writer.take(MARK), segment: { first, last: writer.through, mark: MARK } };
}

/** Takes note of what it is told. */
class Told {
  readonly noted: Outline[] = [];
  readonly passed: [through: number, content: boolean][] = [];

  note(outline: Outline): void {
    this.noted.push(outline);
  }

  pass(through: number, content: boolean): void {
    this.passed.push([through, content]);
  }
}

describe('an index of a segment', () => {
  test('says what was put in, but for what nothing can be found by', () => {
    fc.assert(
      fc.property(outlines, (list) => {
        const { bytes, segment } = fileOf(list);
        const told = new Told();
        expect(readIndex(bytes, segment, told)).toBe(true);
        expect(told.noted).toEqual(list.filter(({ key, ends }) => key !== undefined || ends.length > 0));
        expect(told.passed.at(-1)).toEqual([segment.last, false]);
      }),
      { seed: SEED, numRuns: 300 },
    );
  });

  test('leads to the same history as the records themselves', () => {
    fc.assert(
      fc.property(outlines, fc.nat(30), (list, known) => {
        const { bytes, segment } = fileOf(list);
        const [direct, loaded] = [new History(), new History()];
        // Some of it may be known already, from the session before.
        for (const outline of list) direct.note(outline);
        for (const outline of list.slice(0, known)) loaded.note(outline);
        expect(readIndex(bytes, segment, loaded)).toBe(true);
        const probe = { sequence: segment.last + 1 };
        expect([loaded.through, loaded.chunks]).toEqual([direct.through, direct.chunks]);
        for (const outline of list) {
          const again = { ...outline, ...probe };
          expect(loaded.copies(again)).toEqual(direct.copies(again));
          expect(loaded.resembled(again)).toEqual(direct.resembled(again));
          expect(loaded.bases(again, 0, again.bytes)).toEqual(direct.bases(again, 0, again.bytes));
          const { key, offset = 0 } = outline;
          if (key === undefined) continue;
          const [a, b] = [loaded, direct].map((history) => history.keys.find(key, offset, () => true));
          expect(a).toEqual(b);
        }
      }),
      { seed: SEED, numRuns: 300 },
    );
  });

  test('is of no use for other records, under another secret, in part, or with more behind it', () => {
    const [list] = fc.sample(outlines, { seed: SEED, numRuns: 1 }) as [Outline[]];
    const { bytes, segment } = fileOf(list);
    const told = new Told();
    expect(readIndex(bytes, { ...segment, mark: MARK + 1n }, told)).toBe(false);
    expect(readIndex(bytes, { ...segment, first: segment.first + 1 }, told)).toBe(false);
    expect(readIndex(bytes, { ...segment, last: segment.last + 1 }, told)).toBe(false);
    expect(readIndex(Buffer.concat([bytes, Buffer.alloc(1)]), segment, told)).toBe(false);
    for (let end = 0; end < bytes.byteLength; end++)
      expect(readIndex(bytes.subarray(0, end), segment, told)).toBe(false);
    expect([told.noted, told.passed]).toEqual([[], []]);
  });

  test('with bytes that were changed is refused whole, or read as something that a history can bear', () => {
    const random = randomFor(957);
    let refused = 0;
    for (const [round, list] of fc.sample(outlines, { seed: SEED, numRuns: 1500 }).entries()) {
      const { bytes, segment } = fileOf(list);
      for (let changes = random.between(1, 4); changes > 0; changes--)
        bytes[random.below(bytes.byteLength)] = random.u32();
      const told = new Told();
      const history = new History();
      if (!readIndex(bytes, segment, told)) {
        refused++;
        expect([told.noted, told.passed], `round ${round}`).toEqual([[], []]);
        continue;
      }
      expect(readIndex(bytes, segment, history)).toBe(true);
      expect(history.through).toBe(segment.last);
      for (const { sequence, bytes: length, ends } of told.noted) {
        expect(sequence).toBeGreaterThanOrEqual(segment.first);
        expect(sequence).toBeLessThanOrEqual(segment.last);
        if (ends.length > 0) expect(ends.at(-1)).toBe(length);
      }
    }
    expect(refused).toBeGreaterThan(100);
  });

  test('of noise is refused', () => {
    const random = randomFor(958);
    for (let round = 0; round < 2000; round++) {
      const head = fileOf([{ sequence: 1, bytes: 0, ends: new Uint32Array(0), tags: new Uint32Array(0) }]).bytes;
      const noise = Buffer.concat([head.subarray(0, random.below(head.byteLength)), random.bytes(random.below(200))]);
      const told = new Told();
      if (!readIndex(noise, { first: 1, last: 1_000_000, mark: MARK }, told)) expect(told.noted).toEqual([]);
    }
  });
});
