import { describe, expect, test } from 'vitest';
import { Chunker } from '../../src/engine/chunker.js';
import { GEAR, GEAR_FIELDS } from '../../src/engine/content-layout.js';
import { type ChunkOptions, gearOf } from '../../src/engine/gear.js';
import { InvalidArgumentError } from '../../src/errors.js';
import { randomFor, rounds, SEED } from '../support/seed.js';
import { cutsByDefinition, cutsOf, KEY, mixedBytes, smallGear, wildGear } from './content.js';
import { engines } from './engines.js';

describe('the gear', () => {
  test('golden: the table of a key', () => {
    const gear = gearOf({ key: KEY });
    expect([...gear.subarray(0, GEAR.table)]).toEqual([4096, 65_536, Math.floor(2 ** 32 / 12_288)]);
    expect(gear).toHaveLength(GEAR_FIELDS);
    expect([GEAR.table, GEAR.table + 1, GEAR.table + 255].map((at) => gear[at])).toMatchInlineSnapshot(`
      [
        134817345,
        4273102154,
        252441395,
      ]
    `);
  });

  test('another key is another table, and the same key the same', () => {
    const other = Uint8Array.from(KEY);
    other[31] = 0;
    const [one, two] = [gearOf({ key: KEY }), gearOf({ key: other })];
    expect(gearOf({ key: Buffer.from(KEY) })).toEqual(one);
    const same = one.subarray(GEAR.table).filter((value, at) => value === two[GEAR.table + at]);
    expect(same).toHaveLength(0);
    expect(new Set(one.subarray(GEAR.table)).size).toBe(256);
    const bytes = randomFor(20).bytes(100_000);
    expect(cutsByDefinition(bytes, one)).not.toEqual(cutsByDefinition(bytes, two));
  });

  test.each<Partial<ChunkOptions>>([
    { key: new Uint8Array(31) },
    { key: 'secret' as never },
    { averageBytes: 255 },
    { averageBytes: 2 ** 24 + 1 },
    { averageBytes: 1000.5 },
    { minBytes: 63 },
    { minBytes: 16_384 - 63 },
    { maxBytes: 16_383 },
    { maxBytes: 2 ** 26 + 1 },
  ])('%j is refused', (options) => {
    expect(() => gearOf({ key: KEY, ...options })).toThrow(InvalidArgumentError);
  });

  test.each([256, 1000, 5000, 16 * 1024])('an average of %d bytes comes out on random bytes', (averageBytes) => {
    const bytes = randomFor(21).bytes(300 * averageBytes);
    const cuts = cutsOf(engines[0]?.[1] as never, [bytes], gearOf({ key: KEY, averageBytes })).cuts;
    const average = bytes.byteLength / cuts.length;
    expect(average / averageBytes).toBeGreaterThan(0.85);
    expect(average / averageBytes).toBeLessThan(1.15);
  });
});

describe.each(engines)('chunks, %s', (_, kernels) => {
  test('golden: where the chunks of some bytes end', () => {
    const counted = Uint8Array.from({ length: 6000 }, (_, at) => (at * at) >> 5);
    expect(cutsOf(kernels, [counted], smallGear()).cuts).toMatchInlineSnapshot(`
      [
        248,
        469,
        825,
        919,
        1350,
        1732,
        1972,
        2419,
        3119,
        3819,
        4344,
        4565,
        4921,
        5015,
        5446,
        5828,
      ]
    `);
    const odd = smallGear({ averageBytes: 1111, minBytes: 333, maxBytes: 2345 });
    expect(cutsOf(kernels, [counted], odd).cuts).toMatchInlineSnapshot(`
      [
        469,
        825,
        1350,
        1732,
        3863,
        4344,
        4921,
        5446,
        5828,
      ]
    `);
  });

  test(`are those of the definition, whatever the gear (seed ${SEED})`, () => {
    const random = randomFor(22);
    for (let round = 0; round < rounds(60); round++) {
      const gear = wildGear(random);
      const bytes = mixedBytes(random, random.below(random.pick([10, 100, 1000, 20_000, 400_000])));
      expect(cutsOf(kernels, [bytes], gear).cuts, `round ${round}`).toEqual(cutsByDefinition(bytes, gear));
    }
  });

  test(`are the same for whole bytes, single ones and random slices (seed ${SEED})`, () => {
    const random = randomFor(23);
    for (let round = 0; round < rounds(10); round++) {
      const gear = random.chance(0.5) ? smallGear() : wildGear(random);
      const bytes = mixedBytes(random, random.below(random.pick([200, 5000, 500_000])));
      const whole = cutsOf(kernels, [bytes], gear);
      for (const pieceBytes of [random.pick([2, 31, 32, 33]), 5000, 250_000]) {
        const pieces = random.slices(bytes, pieceBytes);
        expect(cutsOf(kernels, pieces, gear, random.between(1, 5)), `round ${round}`).toEqual(whole);
      }
      const single = random.slices(bytes.subarray(0, 3000), 1);
      expect(cutsOf(kernels, single, gear), `round ${round}`).toEqual(cutsOf(kernels, [bytes.subarray(0, 3000)], gear));
    }
  });

  test('bytes put in front move the cuts and change none of the later chunks', () => {
    const bytes = randomFor(24).bytes(200_000);
    const [before, after] = [bytes, Buffer.concat([Buffer.from('put in front'), bytes])].map((content) => {
      const ends = cutsOf(kernels, [content], smallGear()).cuts;
      return new Set(ends.map((end, at) => content.toString('latin1', ends[at - 1] ?? 0, end)));
    });
    const shared = [...(after as Set<string>)].filter((chunk) => before?.has(chunk));
    expect(shared.length).toBeGreaterThan((after as Set<string>).size - 5);
  });

  test('start and end are kept, and nothing between them is no chunk', () => {
    const bytes = randomFor(25).bytes(5000);
    const [state, cuts] = [new Uint32Array(2), new Uint32Array(50)];
    expect(kernels.cutChunks(bytes, 70, 70, smallGear(), state, cuts)).toBe(0);
    expect([...state]).toEqual([0, 0]);
    const count = kernels.cutChunks(bytes, 1000, 4000, smallGear(), state, cuts);
    const expected = cutsByDefinition(bytes.subarray(1000, 4000), smallGear()).map((cut) => cut + 1000);
    expect([...cuts.subarray(0, count)]).toEqual(expected);
    expect(state[1]).toBe(4000 - (expected.at(-1) as number));
  });
});

describe('a Chunker', () => {
  const chunker = new Chunker({ key: KEY, averageBytes: 300, minBytes: 64, maxBytes: 700 });
  const bytes = randomFor(26).bytes(300_000);

  test('gives a stream the cuts of the whole', () => {
    const cuts = new Uint32Array(5000);
    const count = chunker.digest(bytes, cuts, new BigUint64Array(5000));
    const stream = chunker.stream();
    for (let run = 0; run < 2; run++) {
      const ends = randomFor(27 + run)
        .slices(bytes, 170_000)
        .flatMap((piece) => stream.push(piece));
      const last = stream.finish();
      if (last !== undefined) ends.push(last);
      expect(ends).toEqual([...cuts.subarray(0, count)]);
      expect(stream.finish()).toBeUndefined();
    }
  });

  test('keeps a copy of its key', () => {
    const key = Uint8Array.from(KEY);
    const own = new Chunker({ key });
    const [before, after] = [new BigUint64Array(1), new BigUint64Array(1)];
    own.digestRanges(bytes, Uint32Array.of(5, 500), before);
    key.fill(0);
    own.digestRanges(bytes, Uint32Array.of(5, 500), after);
    expect(after).toEqual(before);
  });
});
