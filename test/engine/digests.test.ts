import { describe, expect, test } from 'vitest';
import { randomFor, rounds, SEED } from '../support/seed.js';
import { cutsByDefinition, KEY, mixedBytes, smallGear, vectorBytes } from './content.js';
import { engines } from './engines.js';

/** The key and the keyed hashes of BLAKE3's official test vectors, test_vectors.json of its repository. */
const VECTOR_KEY = Buffer.from('whats the Elvish word for friend');

const hex = (digests: Uint8Array): string => Buffer.from(digests).toString('hex');

describe.each(engines)('digests, %s', (_, kernels) => {
  const { digestRanges, digestChunks, checksumRanges, checksum64 } = kernels;

  test.each<[length: number, digest: string]>([
    [0, '92b2b75604ed3c761f9d6f62392c8a92'],
    [1, '6d7878dfff2f485635d39013278ae14f'],
    [1023, 'c951ecdf03288d0fcc96ee3413563d8a'],
    [1024, '75c46f6f3d9eb4f55ecaaee480db732e'],
    [1025, '357dc55de0c7e382c900fd6e320acc04'],
    [8192, 'dc9637c8845a770b4cbf76b8daec0eeb'],
    [102_400, '1c35d1a5811083fd7119f5d5d1ba027b'],
  ])('the official vector of %d bytes', (length, expected) => {
    const digests = new Uint8Array(16);
    digestRanges(vectorBytes(length), Uint32Array.of(0, length), VECTOR_KEY, digests);
    expect(hex(digests)).toBe(expected);
    const tags = new BigUint64Array(1);
    digestRanges(vectorBytes(length), Uint32Array.of(0, length), VECTOR_KEY, tags);
    expect(tags[0]).toBe(Buffer.from(expected, 'hex').readBigUInt64LE());
  });

  test('many ranges, in any order, with room to spare', () => {
    const bytes = vectorBytes(5000);
    const ranges = Uint32Array.of(100, 5000, 0, 1024, 7, 7, 100, 101);
    const [digests, tags] = [new Uint8Array(5 * 16), new BigUint64Array(5)];
    digestRanges(bytes, ranges, KEY, digests);
    digestRanges(bytes, ranges, KEY, tags);
    const sums = new BigUint64Array(5);
    checksumRanges(bytes, ranges, 9n, sums);
    for (let index = 0; index < 4; index++) {
      const part = bytes.slice(ranges[2 * index], ranges[2 * index + 1]);
      const one = new Uint8Array(16);
      digestRanges(part, Uint32Array.of(0, part.byteLength), KEY, one);
      expect(hex(digests.subarray(16 * index, 16 * index + 16))).toBe(hex(one));
      expect(tags[index]).toBe(Buffer.from(one).readBigUInt64LE());
      expect(sums[index]).toBe(checksum64(part, 9n));
    }
    expect(hex(digests.subarray(64))).toBe('00'.repeat(16));
    expect([tags[4], sums[4]]).toEqual([0n, 0n]);
    digestRanges(bytes, new Uint32Array(0), KEY, new Uint8Array(0));
    checksumRanges(bytes, new Uint32Array(0), 0n, new BigUint64Array(0));
  });

  test('another key is another digest', () => {
    const [one, two] = [new BigUint64Array(1), new BigUint64Array(1)];
    digestRanges(KEY, Uint32Array.of(0, 32), KEY, one);
    digestRanges(KEY, Uint32Array.of(0, 32), VECTOR_KEY, two);
    expect(one[0]).not.toBe(two[0]);
  });

  test('golden: chunks and their tags in one call', () => {
    const bytes = Uint8Array.from({ length: 2000 }, (_, at) => (at * at) >> 5);
    const [cuts, tags] = [new Uint32Array(10), new BigUint64Array(10)];
    const count = digestChunks(bytes, 0, bytes.byteLength, smallGear(), KEY, cuts, tags, 0);
    expect([...cuts.subarray(0, count)].map((cut, at) => `${cut} ${tags[at]?.toString(16)}`)).toMatchInlineSnapshot(`
      [
        "248 bb5974d847a72b0",
        "469 f584b428a3192f5f",
        "825 9c570035d7cd832b",
        "919 5735ab219beee532",
        "1350 3823b43fd1aa3eb3",
        "1732 b1e33932bb558e4",
        "1972 f8eb6c260d7cd1f9",
        "2000 c84b04759637c60c",
      ]
    `);
  });

  test('a head is digested as what comes before it, when the last chunk begins before it', () => {
    const bytes = Uint8Array.from({ length: 2000 }, (_, at) => (at * at) >> 5);
    for (const head of [1, 1971, 1972, 1973, 1999, 2000]) {
      const [cuts, tags] = [new Uint32Array(8), new BigUint64Array(9)];
      expect(digestChunks(bytes, 0, bytes.byteLength, smallGear(), KEY, cuts, tags, head)).toBe(8);
      const expected = new BigUint64Array(1);
      if (head > 1972) digestRanges(bytes, Uint32Array.of(1972, head), KEY, expected);
      expect(tags[8], `${head}`).toBe(expected[0]);
    }
  });

  test(`chunks and digests in one call are those of two, also call by call (seed ${SEED})`, () => {
    const random = randomFor(30);
    for (let round = 0; round < rounds(40); round++) {
      const bytes = mixedBytes(random, random.below(random.pick([70, 3000, 300_000])));
      const start = random.below(bytes.byteLength + 1);
      const end = random.between(start, bytes.byteLength);
      const expected = cutsByDefinition(bytes.subarray(start, end), smallGear()).map((cut) => start + cut);
      if (end > start && expected.at(-1) !== end) expected.push(end);
      const digests = new Uint8Array(16 * expected.length);
      const ranges = Uint32Array.from(expected.flatMap((cut, at) => [expected[at - 1] ?? start, cut]));
      digestRanges(bytes, ranges, KEY, digests);

      const room = random.pick([1, 7, 10_000]);
      const [cuts, found] = [new Uint32Array(room), new Uint8Array(16 * room)];
      const all: { cuts: number[]; digests: Uint8Array[] } = { cuts: [], digests: [] };
      for (let at = start; ; ) {
        const count = digestChunks(bytes, at, end, smallGear(), KEY, cuts, found, 0);
        all.cuts.push(...cuts.subarray(0, count));
        all.digests.push(found.slice(0, 16 * count));
        if (count < room) break;
        at = cuts[count - 1] as number;
      }
      expect(all.cuts, `round ${round}`).toEqual(expected);
      expect(hex(Buffer.concat(all.digests)), `round ${round}`).toBe(hex(digests));
    }
  });
});
