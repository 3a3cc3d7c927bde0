import { closeSync, openSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { kernels } from '../../src/engine/engine.js';
import { zstd } from '../../src/engine/zstd-call.js';
import { ZstdDecoder, type ZstdDecoderOptions } from '../../src/engine/zstd-decoder.js';
import { ZstdEncoder, type ZstdEncoderOptions } from '../../src/engine/zstd-encoder.js';
import { ClosedError } from '../../src/errors.js';
import { randomFor, rounds, SEED } from '../support/seed.js';
import { atEnd, newDirectory } from '../support/temp.js';
import { codeOf, newerRelease, olderRelease, realProgram, realText, zstdHere } from './zstd-data.js';

const FLUSHES = 3000;
const SLOW: ZstdEncoderOptions = { level: 19, windowLog: 20 };
const MIB = 1024 * 1024;

async function newEncoder(options?: ZstdEncoderOptions): Promise<ZstdEncoder> {
  const encoder = await ZstdEncoder.open(options);
  atEnd(() => encoder.close());
  return encoder;
}

async function newDecoder(options?: ZstdDecoderOptions): Promise<ZstdDecoder> {
  const decoder = await ZstdDecoder.open(options);
  atEnd(() => decoder.close());
  return decoder;
}

function newFile(): { path: string; fd: number } {
  const path = join(newDirectory(), 'file');
  const fd = openSync(path, 'w+');
  atEnd(() => closeSync(fd));
  return { path, fd };
}

/** All of it as one frame. */
async function frameOf(input: Uint8Array, options?: ZstdEncoderOptions): Promise<Buffer> {
  const encoder = await newEncoder(options);
  return Buffer.concat([await encoder.compress(input), await encoder.end()]);
}

describe.skipIf(!zstdHere)('zstd streams', () => {
  test('come from zstd 1.5.7', () => {
    expect(zstd().version).toBe(10507);
  });

  test.each<ZstdEncoderOptions>([
    {},
    { level: 1 },
    { level: 1, windowLog: 10, longDistance: false },
    { level: 6, windowLog: 18, checksum: true },
    { level: 19, windowLog: 21, longDistance: false, checksum: true },
  ])('real data comes back as it was (%o)', async (options) => {
    const encoder = await newEncoder(options);
    const decoder = await newDecoder();
    const share = options.level === 19 ? 10 : 1;
    for (const data of [realText(), realProgram(), Buffer.alloc(MIB + 1), Buffer.of(1)]) {
      const input = data.subarray(0, Math.ceil(data.byteLength / share));
      const packed = await encoder.compress(input);
      expect((await decoder.decompress(packed, input.byteLength)).equals(input)).toBe(true);
    }
    const end = await encoder.end();
    expect(await decoder.decompress(end, 0)).toHaveLength(0);
  });

  test(`each of ${FLUSHES} flushes decodes to what was put in by then (seed ${SEED})`, async () => {
    const random = randomFor(21);
    const text = realText();
    const [encoder, decoder] = [await newEncoder({ level: 1, windowLog: 20 }), await newDecoder()];
    for (let round = 0; round < rounds(FLUSHES); round++) {
      const length = random.below(random.pick([3, 300, 30_000]));
      const from = random.below(text.byteLength - length);
      const input = text.subarray(from, from + length);
      const packed = await encoder.compress(random.slices(input, 5000));
      const unpacked = await decoder.decompress(random.slices(packed, 700), length);
      expect(unpacked.equals(input), `round ${round}`).toBe(true);
    }
  });

  test('nothing put in, nothing put out', async () => {
    const [encoder, decoder] = [await newEncoder(), await newDecoder()];
    expect(await encoder.compress([])).toHaveLength(0);
    await decoder.decompress(await encoder.compress(Buffer.from('something')), 100);
    for (const nothing of [[], new Uint8Array(0), [new Uint8Array(0)]]) {
      expect(await encoder.compress(nothing)).toHaveLength(0);
      expect(await decoder.decompress(nothing, 0)).toHaveLength(0);
    }
  });

  test('calls of a stream settle in their order, nobody waiting between them', async () => {
    const [encoder, decoder] = [await newEncoder({ level: 1 }), await newDecoder()];
    const text = realText();
    const pieces = Array.from({ length: 40 }, (_, at) =>
      text.subarray(at * 1000, at * (at % 2 ? 1000 : 30_000) + 1000),
    );
    const settled: number[] = [];
    const packed = await Promise.all(
      pieces.map(async (piece, at) => {
        const result = await encoder.compress(piece);
        settled.push(at);
        return result;
      }),
    );
    const unpacked = await Promise.all(packed.map((one, at) => decoder.decompress(one, pieces[at]?.length ?? 0)));
    expect(Buffer.concat(unpacked).equals(Buffer.concat(pieces))).toBe(true);
    expect(settled).toEqual(pieces.map((_, at) => at));
  });

  test('many streams at a time keep out of each other’s way', async () => {
    const text = realText();
    await Promise.all(
      Array.from({ length: 24 }, async (_, index) => {
        const options = { level: 1 + (index % 4), windowLog: 17 };
        const [encoder, decoder] = [await newEncoder(options), await newDecoder()];
        for (let at = index * 1000; at < 400_000; at += 50_000) {
          const input = text.subarray(at, at + 50_000);
          const packed = await encoder.compress(input);
          expect((await decoder.decompress(packed, 50_000)).equals(input)).toBe(true);
        }
      }),
    );
  });

  test('the same input gives the same output, wherever it lies in memory', async () => {
    const prefix = realText().subarray(0, 500_000);
    const input = realText().subarray(500_000, 1_500_000);
    const together = Buffer.concat([prefix, input]);
    const apart = await frameOf(input, { prefix });
    const beside = await frameOf(together.subarray(500_000), { prefix: together.subarray(0, 500_000) });
    expect(apart.equals(beside)).toBe(true);
  });

  test('an ended frame takes nothing more, at either end', async () => {
    const [encoder, decoder] = [await newEncoder({ checksum: true }), await newDecoder()];
    const packed = [await encoder.compress(Buffer.from('first')), await encoder.end()];
    expect(encoder.memoryBytes).toBe(0);
    expect(await codeOf(encoder.compress(Buffer.from('more')))).toBe('CLOSED');
    expect(await codeOf(encoder.end())).toBe('CLOSED');
    expect((await decoder.decompress(packed, 5)).toString()).toBe('first');
    expect(await codeOf(decoder.decompress(Buffer.from('x'), 5))).toBe('COMPRESSED_DATA_DAMAGED');
  });
});

describe.skipIf(!zstdHere)('a prefix', () => {
  test('makes the newer release of a file small', async () => {
    const [older, newer] = [olderRelease(), newerRelease()];
    const alone = await frameOf(newer);
    const primed = await frameOf(newer, { prefix: older });
    expect(primed.byteLength).toBeLessThan(alone.byteLength / 3);
    const decoder = await newDecoder({ prefix: older });
    expect((await decoder.decompress(primed, newer.byteLength)).equals(newer)).toBe(true);
  });

  test('may come in ranges, which count as one', async () => {
    const [older, newer] = [olderRelease(), newerRelease()];
    const ranges = randomFor(22).slices(older, 40_000);
    const primed = await frameOf(newer, { prefix: ranges });
    expect(primed.equals(await frameOf(newer, { prefix: older }))).toBe(true);
    const decoder = await newDecoder({ prefix: ranges });
    expect((await decoder.decompress(primed, newer.byteLength)).equals(newer)).toBe(true);
  });

  test('is copied: its memory is the caller’s again once the stream is open', async () => {
    const [older, newer] = [olderRelease(), newerRelease()];
    const lent = Buffer.from(older);
    const [encoder, decoder] = [await newEncoder({ prefix: lent }), await newDecoder({ prefix: lent })];
    lent.fill(0);
    const packed = await encoder.compress(newer);
    expect((await decoder.decompress(packed, newer.byteLength)).equals(newer)).toBe(true);
  });

  test('of another history is damage, at the latest where the checksum is', async () => {
    const newer = newerRelease();
    const primed = await frameOf(newer, { prefix: olderRelease(), checksum: true });
    for (const prefix of [[], newer, realText().subarray(0, olderRelease().byteLength)]) {
      const decoder = await newDecoder({ prefix });
      expect(await codeOf(decoder.decompress(primed, newer.byteLength))).toBe('COMPRESSED_DATA_DAMAGED');
    }
  });

  test('that is short leaves the tables of a long stream as large as they are without', async () => {
    const text = realText();
    const options = { level: 3, windowLog: 22, longDistance: false };
    const without = await frameOf(text, options);
    const primed = await frameOf(text, { ...options, prefix: text.subarray(0, 1000) });
    expect(primed.byteLength).toBeLessThan(without.byteLength * 1.01);
  });

  test('is still there when the window has moved past it', async () => {
    const [older, newer, text] = [olderRelease(), newerRelease(), realText()];
    const prefix = [older, newer];
    const encoder = await newEncoder({ level: 1, windowLog: 19, prefix });
    const decoder = await newDecoder({ windowLogMax: 19, prefix });
    for (let at = 0; at < 3 * MIB; at += 100_003) {
      const input = Buffer.concat([newer.subarray(0, 50_000), text.subarray(at, at + 100_003)]);
      const packed = await encoder.compress(input);
      expect((await decoder.decompress(packed, input.byteLength)).equals(input)).toBe(true);
    }
  });
});

describe.skipIf(!zstdHere)('memory', () => {
  test('is what zstd says, with the prefix', async () => {
    const plain = await newEncoder({ level: 1, windowLog: 20, longDistance: false });
    const primed = await newEncoder({ level: 1, windowLog: 20, longDistance: false, prefix: new Uint8Array(MIB) });
    expect(plain.memoryBytes).toBeGreaterThan(MIB);
    expect(plain.memoryBytes).toBeLessThan(2 * MIB);
    expect(primed.memoryBytes - plain.memoryBytes).toBe(MIB);
    const before = plain.memoryBytes;
    await plain.compress(realText());
    expect(plain.memoryBytes).toBe(before);
  });

  test('of a decoder is bounded by the window and its prefix', async () => {
    const prefix = new Uint8Array(MIB / 2);
    const decoder = await newDecoder({ windowLogMax: 20, prefix });
    const encoder = await newEncoder({ windowLog: 20, prefix });
    await decoder.decompress(await encoder.compress(realText()), realText().byteLength);
    expect(decoder.memoryBytes).toBeGreaterThan(1.5 * MIB);
    expect(decoder.memoryBytes).toBeLessThan(2.2 * MIB);
  });

  test('goes when the stream is closed', async () => {
    for (const stream of [await newEncoder(), await newDecoder()]) {
      expect(stream.memoryBytes).toBeGreaterThan(0);
      stream.close();
      expect(stream.memoryBytes).toBe(0);
      stream.close();
    }
  });
});

describe.skipIf(!zstdHere)('threads', () => {
  test('that compress for long keep no journal waiting', async () => {
    const { path, fd } = newFile();
    const long = Array.from({ length: 50 }, realText);
    const encoders = await Promise.all(Array.from({ length: 2 * availableParallelism() }, () => newEncoder(SLOW)));
    let settled = 0;
    const calls = encoders.map(async (encoder) => {
      await codeOf(encoder.compress(long));
      settled++;
    });
    for (let write = 0; write < 20; write++) await kernels.writeDurable(fd, [Buffer.of(write)], write, true);
    expect(settled).toBe(0);
    expect(readFileSync(path)).toHaveLength(20);
    for (const encoder of encoders) encoder.close();
    await Promise.all(calls);
  });
});

describe.skipIf(!zstdHere)('closing', () => {
  test('in the middle of a call ends it and all behind it', async () => {
    const encoder = await newEncoder({ level: 19 });
    const calls = Array.from({ length: 5 }, () => encoder.compress(realText()));
    const outcomes = Promise.allSettled(calls);
    encoder.close();
    for (const outcome of await outcomes) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: expect.any(ClosedError) });
    }
    expect(encoder.memoryBytes).toBe(0);
    expect(await codeOf(encoder.compress(Buffer.of(1)))).toBe('CLOSED');
  });

  test('a decoder in the middle of a call', async () => {
    const frame = await frameOf(Buffer.alloc(64 * MIB));
    const decoder = await newDecoder();
    const call = codeOf(decoder.decompress(frame, 64 * MIB));
    decoder.close();
    expect(['CLOSED', 64 * MIB]).toContain(lengthOr(await call));
    expect(decoder.memoryBytes).toBe(0);
    expect(await codeOf(decoder.decompress(frame, 1))).toBe('CLOSED');
  });

  test('at any moment leaves other streams alone', async () => {
    const text = realText();
    const survivor = await newEncoder({ level: 1, windowLog: 17 });
    const decoder = await newDecoder();
    for (let round = 0; round < 30; round++) {
      const doomed = await newEncoder({ level: 3, windowLog: 17 });
      const calls = [doomed.compress(text), doomed.compress(text), doomed.end()].map(codeOf);
      const input = text.subarray(round * 1000, round * 1000 + 20_000);
      const packed = await survivor.compress(input);
      doomed.close();
      expect((await decoder.decompress(packed, 20_000)).equals(input)).toBe(true);
      for (const outcome of await Promise.all(calls))
        expect(outcome === 'CLOSED' || Buffer.isBuffer(outcome)).toBe(true);
    }
  });
});

function lengthOr(outcome: unknown): unknown {
  return Buffer.isBuffer(outcome) ? outcome.byteLength : outcome;
}
