import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MATCH_FIELDS } from '../../src/engine/content-layout.js';
import { randomFor, rounds, SEED } from '../support/seed.js';
import { mixedBytes } from './content.js';
import { engines } from './engines.js';

type Match = [target: number, base: number, length: number];
type Matching = (typeof engines)[number][1]['matchBytes'];

/** All matches, in calls that take `room` at a time. */
function matchesOf(matchBytes: Matching, base: Uint8Array, target: Uint8Array, start = 0, room = 10_000): Match[] {
  const fields = new Uint32Array(MATCH_FIELDS * room);
  const all: Match[] = [];
  for (let from = start; ; ) {
    const count = matchBytes(base, target, from, fields);
    for (let index = 0; index < count; index++) {
      all.push([...fields.subarray(MATCH_FIELDS * index, MATCH_FIELDS * (index + 1))] as unknown as Match);
    }
    const last = all.at(-1);
    if (count < room || last === undefined) return all;
    from = last[0] + last[2];
  }
}

/** What is wrong with them; how many bytes they cover otherwise. */
function coveredBytes(matches: readonly Match[], base: Uint8Array, target: Uint8Array, start = 0): number | string {
  let [end, covered] = [start, 0];
  for (const [at, baseAt, length] of matches) {
    const what = `${length} bytes from ${baseAt} at ${at}`;
    if (at < end || length === 0) return `${what}: not behind ${end}`;
    if (at + length > target.byteLength || baseAt + length > base.byteLength) return `${what}: out of bounds`;
    if (Buffer.compare(target.subarray(at, at + length), base.subarray(baseAt, baseAt + length)) !== 0) {
      return `${what}: other bytes`;
    }
    end = at + length;
    covered += length;
  }
  return covered;
}

const stretch = fc.oneof(
  { weight: 2, arbitrary: fc.uint8Array({ maxLength: 40 }) },
  fc.tuple(fc.nat(3), fc.nat(700)).map(([value, length]) => new Uint8Array(length).fill(value)),
  fc.tuple(fc.nat(), fc.nat(900)).map(([salt, length]) => randomFor(salt).bytes(length)),
);
/** Content, and another that has much of it: parts taken from it anywhere, and new ones. */
const versions = fc
  .tuple(
    fc.array(stretch, { maxLength: 8 }),
    fc.array(fc.oneof(stretch, fc.tuple(fc.nat(), fc.nat(800))), { maxLength: 8 }),
  )
  .map(([before, after]) => {
    const base = Buffer.concat(before);
    const parts = after.map((part) => {
      if (!Array.isArray(part)) return part;
      const from = part[0] % (base.byteLength + 1);
      return base.subarray(from, from + part[1]);
    });
    return { base, target: Buffer.concat(parts) };
  });

describe.each(engines)('matches, %s', (_, { matchBytes }) => {
  const all = (base: Uint8Array, target: Uint8Array, start?: number, room?: number) =>
    matchesOf(matchBytes, base, target, start, room);

  test(`are stretches of both, in order, the same from both engines (seed ${SEED})`, () => {
    fc.assert(
      fc.property(versions, fc.nat(), fc.integer({ min: 1, max: 5 }), ({ base, target }, from, room) => {
        const start = from % (target.byteLength + 1);
        for (const [at, most] of [
          [0, 10_000],
          [start, room],
        ] as const) {
          const found = all(base, target, at, most);
          expect(coveredBytes(found, base, target, at)).toBeTypeOf('number');
          for (const [, other] of engines) expect(matchesOf(other.matchBytes, base, target, at, most)).toEqual(found);
        }
      }),
      { seed: SEED, numRuns: rounds(300) },
    );
  });

  test('what is the same is one match; nothing is none', () => {
    const content = randomFor(50).bytes(5003);
    expect(all(content, Buffer.from(content))).toEqual([[0, 0, 5003]]);
    expect(all(content, Buffer.from(content), 4990)).toEqual([[4990, 4990, 13]]);
    expect(all(content, Buffer.from(content), 5003)).toEqual([]);
    expect(all(new Uint8Array(0), content)).toEqual([]);
    expect(all(content, new Uint8Array(0))).toEqual([]);
    expect(all(new Uint8Array(0), new Uint8Array(0))).toEqual([]);
    expect(all(randomFor(51).bytes(5000), content)).toEqual([]);
  });

  test('golden: a page with new numbers, an entry that is moved and a row that is new', () => {
    const random = randomFor(52);
    const page = Buffer.from(random.bytes(1000));
    const next = Buffer.concat([page.subarray(0, 300), Buffer.from('one more row'), page.subarray(300, 988)]);
    next.fill(0, 4, 8);
    next.fill(0, 100, 103);
    expect(all(page, next)).toEqual([
      [8, 8, 92],
      [103, 103, 197],
      [312, 300, 688],
    ]);
  });

  test('rows that have moved by one are found where they were, not taken for their neighbours', () => {
    const row = randomFor(53).bytes(120);
    const rows = Array.from({ length: 60 }, (_, number) =>
      Buffer.concat([row, Buffer.from([number, 0, 0, 0, 0, 0, 0, 9])]),
    );
    const base = Buffer.concat(rows);
    const target = Buffer.concat([base.subarray(0, 1280), base.subarray(1408), randomFor(54).bytes(128)]);
    const found = all(base, target);
    expect(found.length).toBeLessThan(6);
    expect(coveredBytes(found, base, target)).toBeGreaterThan(60 * 128 - 128 - 140);
  });

  test(`large content that has moved is found, and where it is back in place too (seed ${SEED})`, () => {
    const random = randomFor(55);
    const base = random.bytes(3_000_000);
    const target = Buffer.concat([
      base.subarray(0, 500_000),
      random.bytes(100_003),
      base.subarray(500_000, 1_500_000),
      base.subarray(1_600_003),
    ]);
    const covered = coveredBytes(all(base, target), base, target);
    expect(covered).toBeGreaterThan(base.byteLength - 100_003 - 100);
  });

  test(`matches around what does not match at all, for any length of it (seed ${SEED})`, () => {
    const random = randomFor(56);
    for (let round = 0; round < rounds(60); round++) {
      const kept = mixedBytes(random, random.between(300, 3000));
      const [before, after] = [random.bytes(random.below(9000)), random.bytes(random.below(200_000))];
      const [base, target] = [Buffer.concat([before, kept]), Buffer.concat([after, kept])];
      const covered = coveredBytes(all(base, target), base, target);
      expect(covered, `round ${round}`).toBeTypeOf('number');
    }
    const kept = random.bytes(4000);
    const target = Buffer.concat([random.bytes(150_000), kept]);
    expect(all(kept, target)).toEqual([[150_000, 0, 4000]]);
  });

  test('content that repeats takes no longer than other content', () => {
    const length = 300_000;
    const period = (bytes: number): Uint8Array => Uint8Array.from({ length }, (_, at) => Number(at % bytes === 0));
    for (const base of [new Uint8Array(length), period(7), period(13), period(300)]) {
      for (const target of [new Uint8Array(length), period(9), period(13), period(301)]) {
        expect(coveredBytes(all(base, target, 0, 60_000), base, target)).toBeTypeOf('number');
      }
    }
  });
});
