import type { Random } from './random.js';

/** Bytes, at least one, with a change as transport or malice makes it. */
export function changed(random: Random, bytes: Buffer): Buffer {
  const at = random.below(bytes.byteLength);
  const to = random.between(at, Math.min(bytes.byteLength, at + 100));
  const [before, within, after] = [bytes.subarray(0, at), bytes.subarray(at, to), bytes.subarray(to)];
  switch (random.below(5)) {
    case 0: // one bit
      return Buffer.concat([before, Buffer.of((bytes[at] as number) ^ (1 << random.below(8))), bytes.subarray(at + 1)]);
    case 1: // cut short
      return before;
    case 2: // a piece lost
      return Buffer.concat([before, after]);
    case 3: // a piece twice
      return Buffer.concat([before, within, within, after]);
    default: // noise in between
      return Buffer.concat([before, random.bytes(random.between(1, 200)), after]);
  }
}
