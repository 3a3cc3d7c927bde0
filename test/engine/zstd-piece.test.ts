import { describe, expect, test } from 'vitest';
import { ZstdEncoder } from '../../src/engine/zstd-encoder.js';
import { compressPiece, decompressPiece } from '../../src/engine/zstd-piece.js';
import { CompressedDataError, OutputTooLargeError } from '../../src/errors.js';
import { randomFor, rounds, SEED } from '../support/seed.js';
import { codeOf, newerRelease, olderRelease, realProgram, realText, zstdHere } from './zstd-data.js';

const NOTHING = new Uint8Array(0);
const MIB = 1024 * 1024;

describe.skipIf(!zstdHere)('a piece', () => {
  test.each([0, 1, 2, 777, 65_536, MIB - 1, MIB, MIB + 1])(
    'of %d bytes comes back, with a prefix and without',
    async (length) => {
      const input = realText().subarray(1000, 1000 + length);
      for (const prefix of [NOTHING, realText().subarray(0, 5000), realProgram().subarray(0, MIB + 3)]) {
        for (const level of [undefined, 1, 9]) {
          const frame = await compressPiece(input, prefix, level);
          expect((await decompressPiece(frame, prefix, length)).equals(input)).toBe(true);
        }
      }
    },
  );

  test('is small beside what it resembles', async () => {
    const [older, newer] = [olderRelease(), newerRelease()];
    const alone = await compressPiece(newer, NOTHING);
    const primed = await compressPiece(newer, older);
    expect(primed.byteLength).toBeLessThan(alone.byteLength / 3);
    const moved = Buffer.concat([randomFor(41).bytes(3 * MIB), newer]);
    expect((await compressPiece(newer, moved)).byteLength).toBeLessThan(100);
  });

  test('comes out the same wherever it lies in memory, and whatever was before it', async () => {
    const together = Buffer.concat([olderRelease(), newerRelease()]);
    const [older, newer] = [olderRelease(), newerRelease()];
    const frame = await compressPiece(newer, older);
    await compressPiece(realProgram(), realText().subarray(0, MIB), 12);
    const beside = together.subarray(older.byteLength);
    expect((await compressPiece(beside, together.subarray(0, older.byteLength))).equals(frame)).toBe(true);
  });

  test(`many at a time (seed ${SEED})`, async () => {
    const random = randomFor(42);
    const text = realText();
    const part = (): Buffer => {
      const from = random.below(text.byteLength / 2);
      return text.subarray(from, from + random.below(300_000));
    };
    const pieces = Array.from({ length: rounds(150) }, () => ({
      input: part(),
      prefix: part(),
      level: random.between(1, 6),
    }));
    const back = await Promise.all(
      pieces.map(async ({ input, prefix, level }) =>
        decompressPiece(await compressPiece(input, prefix, level), prefix, input.byteLength),
      ),
    );
    for (const [index, { input }] of pieces.entries()) expect(back[index]?.equals(input), `piece ${index}`).toBe(true);
  });

  test('that is larger than allowed is refused', async () => {
    const frame = await compressPiece(newerRelease(), NOTHING);
    const failure = await decompressPiece(frame, NOTHING, newerRelease().byteLength - 1).catch((error) => error);
    expect(failure).toBeInstanceOf(OutputTooLargeError);
    expect(failure).toMatchObject({ outputBytesMax: newerRelease().byteLength - 1 });
  });

  test('that is no frame, more than one, cut off, or without its length is damage', async () => {
    const frame = await compressPiece(newerRelease(), NOTHING);
    const encoder = await ZstdEncoder.open({ windowLog: 17 });
    const lengthless = Buffer.concat([await encoder.compress(newerRelease()), await encoder.end()]);
    const cases = [
      NOTHING,
      Buffer.from('not a frame at all'),
      Buffer.concat([frame, frame]),
      Buffer.concat([frame, Buffer.of(0)]),
      frame.subarray(0, -1),
      frame.subarray(0, 7),
      lengthless,
      Buffer.from('502a4d1804000000aabbccdd', 'hex'),
    ];
    for (const [index, damaged] of cases.entries()) {
      const failure = await decompressPiece(damaged, NOTHING, MIB).catch((error) => error);
      expect(failure, `case ${index}`).toBeInstanceOf(CompressedDataError);
    }
  });

  test(`that is damaged is an error or of the length it says (seed ${SEED})`, async () => {
    const random = randomFor(43);
    const [older, newer] = [olderRelease(), newerRelease()];
    const frame = await compressPiece(newer, older);
    for (let round = 0; round < rounds(500); round++) {
      const damaged = Buffer.from(frame);
      damaged[random.below(frame.byteLength)] = random.below(256);
      const outcome = await codeOf(decompressPiece(damaged, random.chance(0.5) ? older : NOTHING, MIB));
      const codes = ['COMPRESSED_DATA_DAMAGED', 'OUTPUT_TOO_LARGE'];
      expect(Buffer.isBuffer(outcome) || codes.includes(outcome as string), `round ${round}`).toBe(true);
    }
    expect((await decompressPiece(frame, older, newer.byteLength)).equals(newer)).toBe(true);
  });
});
