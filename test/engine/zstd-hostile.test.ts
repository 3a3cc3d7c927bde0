import { describe, expect, test } from 'vitest';
import { ZstdDecoder, type ZstdDecoderOptions } from '../../src/engine/zstd-decoder.js';
import { ZstdEncoder, type ZstdEncoderOptions } from '../../src/engine/zstd-encoder.js';
import { compressPiece } from '../../src/engine/zstd-piece.js';
import { CompressedDataError, OutputTooLargeError, WindowTooLargeError } from '../../src/errors.js';
import { randomFor, rounds, SEED } from '../support/seed.js';
import { atEnd } from '../support/temp.js';
import { codeOf, realText, zstdHere } from './zstd-data.js';

/** The decoder against a peer that is broken or means harm. */

const MIB = 1024 * 1024;
const ROUNDS = 400;

async function newDecoder(options?: ZstdDecoderOptions): Promise<ZstdDecoder> {
  const decoder = await ZstdDecoder.open(options);
  atEnd(() => decoder.close());
  return decoder;
}

async function frameOf(input: Uint8Array, options?: ZstdEncoderOptions): Promise<Buffer> {
  const encoder = await ZstdEncoder.open(options);
  return Buffer.concat([await encoder.compress(input), await encoder.end()]);
}

const text = realText().subarray(0, 40_000);

describe.skipIf(!zstdHere)('the decoder refuses', () => {
  test('a window that is larger than agreed, however the header comes', async () => {
    const frames = [
      await frameOf(text, { windowLog: 20 }),
      // In these the window is the content, which zstd alone would take for granted.
      await compressPiece(Buffer.alloc(MIB), new Uint8Array(0)),
    ];
    for (const frame of frames) {
      for (const pieceBytes of [1, 3, frame.byteLength]) {
        const decoder = await newDecoder({ windowLogMax: 19 });
        const pieces = randomFor(31).slices(frame, pieceBytes);
        const failure = await decoder.decompress(pieces, 2 * MIB).catch((error) => error);
        expect(failure).toBeInstanceOf(WindowTooLargeError);
        expect(failure).toMatchObject({ code: 'WINDOW_TOO_LARGE', windowLogMax: 19, recoverable: false });
        expect(decoder.memoryBytes).toBe(0);
      }
      const agreed = await newDecoder({ windowLogMax: 20 });
      await agreed.decompress(frame, 2 * MIB);
    }
  });

  test.each([1, 511, 512, 513, 40_000])('output of more than the call may put out (%d bytes)', async (length) => {
    const input = text.subarray(0, length);
    const frame = await frameOf(input);
    const exact = await newDecoder();
    expect((await exact.decompress(frame, length)).equals(input)).toBe(true);
    const decoder = await newDecoder();
    const failure = await decoder.decompress(frame, length - 1).catch((error) => error);
    expect(failure).toBeInstanceOf(OutputTooLargeError);
    expect(failure).toMatchObject({ code: 'OUTPUT_TOO_LARGE', outputBytesMax: length - 1, recoverable: false });
  });

  test('a small frame that decodes to a lot, without making room for it', async () => {
    const bomb = await frameOf(Buffer.alloc(256 * MIB), { windowLog: 27 });
    expect(bomb.byteLength).toBeLessThan(MIB / 8);
    const decoder = await newDecoder({ windowLogMax: 27 });
    const before = process.memoryUsage.rss();
    expect(await codeOf(decoder.decompress(bomb, MIB))).toBe('OUTPUT_TOO_LARGE');
    expect(process.memoryUsage.rss() - before).toBeLessThan(64 * MIB);
  });

  test('every further call after an error, the same way', async () => {
    const frame = await frameOf(text);
    const decoder = await newDecoder();
    const calls = [decoder.decompress(frame, 10), decoder.decompress(frame, 100_000), decoder.decompress([], 0)];
    for (const call of calls)
      await expect(call).rejects.toMatchObject({ code: 'OUTPUT_TOO_LARGE', outputBytesMax: 10 });
    expect(await codeOf(decoder.decompress(frame, 100_000))).toBe('OUTPUT_TOO_LARGE');
    expect(decoder.memoryBytes).toBe(0);
    decoder.close();
    expect(await codeOf(decoder.decompress(frame, 100_000))).toBe('CLOSED');
  });

  test.each<[string, Buffer]>([
    ['what is no frame', Buffer.from('HTTP/1.1 200 OK')],
    ['a frame that is to be skipped', Buffer.from('502a4d1804000000aabbccdd', 'hex')],
    ['the magic number of an old format', Buffer.from('27b52ffd00000000', 'hex')],
    ['a reserved kind of block', Buffer.from('28b52ffd0000070000', 'hex')],
    ['a dictionary that nobody has', Buffer.from('28b52ffd010007010000', 'hex')],
  ])('%s', async (_, input) => {
    const decoder = await newDecoder();
    const failure = await decoder.decompress(input, 1000).catch((error) => error);
    expect(failure).toBeInstanceOf(CompressedDataError);
    expect(failure).toMatchObject({ code: 'COMPRESSED_DATA_DAMAGED', found: expect.stringMatching(/\w+/) });
  });

  test.each<[string, string]>([
    ['shorter than it says, ended by an empty block', '28b52ffd20ff010000'],
    ['longer than it says', '28b52ffd20011100006161'],
    ['with another one in its header', '28b52ffd2328b52ffd20010b000061'],
  ])('a frame %s, wherever it is cut', async (_, hex) => {
    const frame = Buffer.from(hex, 'hex');
    for (let at = 0; at < frame.byteLength; at++) {
      const decoder = await newDecoder();
      const pieces = [frame.subarray(0, at), frame.subarray(at)];
      expect(await codeOf(decoder.decompress(pieces, 1000)), `cut at ${at}`).toBe('COMPRESSED_DATA_DAMAGED');
    }
  });

  test('a second frame', async () => {
    const frame = await frameOf(text);
    const decoder = await newDecoder();
    expect(await codeOf(decoder.decompress([frame, frame], 100_000))).toBe('COMPRESSED_DATA_DAMAGED');
    const other = await newDecoder();
    await other.decompress(frame, 100_000);
    expect(await codeOf(other.decompress(frame, 100_000))).toBe('COMPRESSED_DATA_DAMAGED');
  });
});

describe.skipIf(!zstdHere)('the decoder stands', () => {
  test('a frame that is cut off: what is there decodes, and goes on when the rest comes', async () => {
    const frame = await frameOf(text, { checksum: true });
    for (let at = 0; at <= frame.byteLength; at += 97) {
      const decoder = await newDecoder();
      const first = await decoder.decompress(frame.subarray(0, at), text.byteLength);
      const rest = await decoder.decompress(frame.subarray(at), text.byteLength);
      expect(Buffer.concat([first, rest]).equals(text), `cut at ${at}`).toBe(true);
    }
  });

  test(`damage: it is found, at the latest by the checksum (seed ${SEED})`, async () => {
    const random = randomFor(32);
    const frame = await frameOf(text, { checksum: true, windowLog: 17 });
    for (let round = 0; round < rounds(ROUNDS); round++) {
      const damaged = Buffer.from(frame);
      const at = random.below(frame.byteLength);
      damaged[at] = (damaged[at] as number) ^ (1 << random.below(8));
      const decoder = await newDecoder({ windowLogMax: 20 });
      const outcome = await decoder.decompress(damaged, MIB).catch((error) => error);
      const refused = outcome instanceof CompressedDataError || outcome instanceof WindowTooLargeError;
      // A length that grew has it wait for more; an end that it took for sound has to be sound.
      const sound = Buffer.isBuffer(outcome) && (waits(decoder) || outcome.equals(text));
      expect(refused || outcome instanceof OutputTooLargeError || sound, `round ${round}, byte ${at}`).toBe(true);
      decoder.close();
    }
  });

  test(`noise behind a sound beginning (seed ${SEED})`, async () => {
    const random = randomFor(33);
    const encoder = await ZstdEncoder.open({ windowLog: 17 });
    const beginning = await encoder.compress(text);
    encoder.close();
    for (let round = 0; round < rounds(ROUNDS); round++) {
      const decoder = await newDecoder();
      expect((await decoder.decompress(beginning, text.byteLength)).equals(text)).toBe(true);
      const outcome = await codeOf(decoder.decompress(random.bytes(random.below(5000)), MIB));
      const codes = ['COMPRESSED_DATA_DAMAGED', 'OUTPUT_TOO_LARGE'];
      expect(Buffer.isBuffer(outcome) || codes.includes(outcome as string), `round ${round}`).toBe(true);
      decoder.close();
    }
  });
});

/** A decoder that waits for more keeps its memory; one that failed, or is through, does not. */
function waits(decoder: ZstdDecoder): boolean {
  return decoder.memoryBytes > 0;
}
