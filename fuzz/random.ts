/**
 * Random numbers from a seed (xoshiro128**, seeded by splitmix32): the same seed gives the same run on every machine.
 * For tests and fuzz targets; nothing here is fit for secrets.
 */
export class Random {
  readonly #state: Uint32Array;

  constructor(readonly seed: number) {
    let mix = seed >>> 0;
    this.#state = Uint32Array.from({ length: 4 }, () => {
      mix = (mix + 0x9e3779b9) >>> 0;
      let z = Math.imul(mix ^ (mix >>> 16), 0x85ebca6b);
      z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
      return (z ^ (z >>> 16)) >>> 0;
    });
  }

  /** A seed nobody has chosen, for a run that prints it. */
  static freshSeed(): number {
    return Math.floor(Math.random() * 0x1_0000_0000);
  }

  u32(): number {
    const s = this.#state as Uint32Array & { 0: number; 1: number; 2: number; 3: number };
    const result = Math.imul(rotate(Math.imul(s[1], 5), 7), 9) >>> 0;
    const shifted = s[1] << 9;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rotate(s[3], 11);
    return result;
  }

  u64(): bigint {
    return (BigInt(this.u32()) << 32n) | BigInt(this.u32());
  }

  /** From 0 up to, not including, 1. */
  fraction(): number {
    return this.u32() / 0x1_0000_0000;
  }

  /** An integer from 0 up to, not including, `limit`. */
  below(limit: number): number {
    return Math.floor(this.fraction() * limit);
  }

  /** An integer from `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  chance(probability: number): boolean {
    return this.fraction() < probability;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }

  bytes(count: number): Buffer {
    const bytes = Buffer.allocUnsafe(count);
    for (let at = 0; at < count; at++) bytes[at] = this.u32() & 0xff;
    return bytes;
  }

  /** The bytes cut into pieces of 1 to `pieceBytesMax`. */
  slices(bytes: Buffer, pieceBytesMax: number): Buffer[] {
    const pieces: Buffer[] = [];
    for (let at = 0; at < bytes.byteLength; ) {
      const end = at + this.between(1, pieceBytesMax);
      pieces.push(bytes.subarray(at, end));
      at = end;
    }
    return pieces;
  }
}

function rotate(value: number, bits: number): number {
  return ((value << bits) | (value >>> (32 - bits))) >>> 0;
}
