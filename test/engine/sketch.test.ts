import { describe, expect, test } from 'vitest';
import { FEATURES, GEAR } from '../../src/engine/content-layout.js';
import { randomFor, rounds, SEED } from '../support/seed.js';
import { mixedBytes, smallGear, wildGear } from './content.js';
import { engines } from './engines.js';

/** Each window of 32 bytes by itself. */
function featuresByDefinition(bytes: Uint8Array, gear: Uint32Array): number[] {
  const features = new Array<number>(FEATURES).fill(0);
  const entry = (index: number): number => gear[GEAR.table + index] as number;
  for (let end = 32; end <= bytes.byteLength; end++) {
    let hash = 0;
    for (const byte of bytes.subarray(end - 32, end)) hash = (2 * hash + entry(byte)) % 2 ** 32;
    if (hash >= 2 ** 26) continue;
    for (let index = 0; index < FEATURES; index++) {
      const factor = BigInt(entry(index)) | 1n;
      const value = Number((BigInt(hash) * factor + BigInt(entry(128 + index))) % 2n ** 32n);
      features[index] = Math.max(features[index] as number, value);
    }
  }
  return features;
}

const shared = (a: Uint32Array, b: Uint32Array): number => a.filter((value, index) => value === b[index]).length;

describe.each(engines)('features, %s', (_, { sketch }) => {
  const sketchOf = (bytes: Uint8Array): Uint32Array => {
    const features = new Uint32Array(FEATURES);
    sketch(bytes, 0, bytes.byteLength, smallGear(), features);
    return features;
  };

  test(`are those of the definition, from anywhere to anywhere (seed ${SEED})`, () => {
    const random = randomFor(31);
    for (let round = 0; round < rounds(40); round++) {
      const bytes = mixedBytes(random, random.below(random.pick([20, 70, 3000])));
      const start = random.below(bytes.byteLength + 1);
      const end = random.between(start, bytes.byteLength);
      const gear = random.chance(0.5) ? smallGear() : wildGear(random);
      const features = new Uint32Array(FEATURES + 1).fill(7);
      sketch(bytes, start, end, gear, features);
      const expected = [...featuresByDefinition(bytes.subarray(start, end), gear), 7];
      expect([...features], `round ${round}`).toEqual(expected);
    }
  });

  test('of less than a window, and of no sample, are zeros', () => {
    expect([...sketchOf(randomFor(32).bytes(31))]).toEqual(new Array(FEATURES).fill(0));
    expect(sketch(new Uint8Array(0), 0, 0, smallGear(), new Uint32Array(FEATURES))).toBe(0);
  });

  test('are shared by contents that are alike, and by no others', () => {
    const random = randomFor(33);
    for (let round = 0; round < 20; round++) {
      const content = random.bytes(20_000);
      const edited = Buffer.concat([random.bytes(37), content]);
      for (let at = 1500; at < edited.byteLength; at += 3000) edited[at] = (edited[at] as number) ^ 1;
      expect(shared(sketchOf(content), sketchOf(edited)), `round ${round}`).toBeGreaterThan(FEATURES / 2);
      expect(shared(sketchOf(content), sketchOf(random.bytes(20_000))), `round ${round}`).toBe(0);
    }
  });
});
