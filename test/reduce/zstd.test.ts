import { describe, expect, test } from 'vitest';
import { type Capability, ownCapability } from '../../src/engine/capability.js';
import { ZstdEncoder } from '../../src/engine/zstd-encoder.js';
import { CodecMissingError, InvalidArgumentError, type JournalRecord, ProtocolError } from '../../src/index.js';
import { encodeBatch } from '../../src/reduce/batch.js';
import { bodyHeader, CODEC_NONE, CODEC_ZSTD, CODEC_ZSTD_FIRST } from '../../src/reduce/body.js';
import { codecPlan, parseCompression } from '../../src/reduce/compression.js';
import { Decoder } from '../../src/reduce/decoder.js';
import { Encoder } from '../../src/reduce/encoder.js';
import { encodeRanges } from '../../src/reduce/prefix.js';
import { Stages } from '../../src/reduce/stages.js';
import { contentOf } from '../support/files.js';
import { randomFor } from '../support/seed.js';
import { atEnd } from '../support/temp.js';

const everything: Capability = { lz4: true, zstd: true, windowLogMax: 26 };
const nothing: Capability = { lz4: false, zstd: false, windowLogMax: 0 };
const lz4Alone: Capability = { ...nothing, lz4: true };

describe('what a session does', () => {
  const asked = (codec: 'auto' | 'none' | 'lz4' | 'zstd', level = 3) => ({ codec, level });

  test.each([
    ['all that both can do', asked('auto'), everything, everything, { codec: 'zstd', level: 3, windowLog: 26 }],
    [
      'the smaller window',
      asked('zstd', 9),
      { ...everything, windowLogMax: 20 },
      everything,
      { level: 9, windowLog: 20 },
    ],
    ['LZ4 when the peer cannot do more', asked('auto'), lz4Alone, everything, { codec: 'lz4', always: false }],
    ['LZ4 when this end cannot do more', asked('auto'), everything, lz4Alone, { codec: 'lz4', always: false }],
    ['LZ4 for want of zstd', asked('zstd'), lz4Alone, everything, { codec: 'lz4', always: false }],
    ['LZ4 when that is asked for', asked('lz4'), everything, everything, { codec: 'lz4', always: true }],
    ['nothing when that is asked for', asked('none'), everything, everything, { codec: 'none' }],
    ['nothing when the peer can do nothing', asked('auto'), nothing, everything, { codec: 'none' }],
    ['nothing when the peer lacks LZ4', asked('lz4'), nothing, everything, { codec: 'none' }],
  ])('%s', (_, choice, peer, own, plan) => {
    expect(codecPlan(choice, peer, own)).toMatchObject(plan);
  });

  test('words for it', () => {
    expect(parseCompression('compress', undefined)).toEqual({ codec: 'auto', level: 3 });
    expect(parseCompression('compress', 'none')).toMatchObject({ codec: 'none' });
    for (const wrong of ['', 'zip', 'ZSTD', 'lz4:1', 'zstd:', 'zstd:0', 'zstd:20', 'zstd:-1', 'zstd:1.5', 'zstd:111']) {
      expect(() => parseCompression('compress', wrong), wrong).toThrow(InvalidArgumentError);
    }
    if (ownCapability().zstd) {
      expect(parseCompression('compress', 'zstd')).toEqual({ codec: 'zstd', level: 3 });
      expect(parseCompression('compress', 'zstd:19')).toEqual({ codec: 'zstd', level: 19 });
    } else {
      expect(() => parseCompression('compress', 'zstd')).toThrow(CodecMissingError);
    }
  });
});

describe.runIf(ownCapability().zstd)('a session with zstd', () => {
  const plan = { codec: 'zstd', level: 3, windowLog: 20 } as const;

  function recordOf(payload: Buffer, sequence: number): JournalRecord {
    return { sequence, epoch: 1, kind: 0, timestamp: 0, payload, checksum: 1n, chain: 2n };
  }

  function newEncoder(): Encoder {
    const encoder = new Encoder({ plan, stages: new Stages() });
    atEnd(() => encoder.close());
    return encoder;
  }

  function newDecoder(capability?: Capability): Decoder {
    const decoder = new Decoder(new Stages(), undefined, capability);
    atEnd(() => decoder.close());
    return decoder;
  }

  async function bodyOf(encoder: Encoder, payload: Buffer, sequence: number): Promise<Buffer> {
    return Buffer.concat(await encoder.encode([recordOf(payload, sequence)]));
  }

  test('is one frame: what came before costs next to nothing, and what does not compress is left out of it', async () => {
    const [encoder, decoder, random] = [newEncoder(), newDecoder(), randomFor(301)];
    const text = contentOf(2, 300_000, true);
    const noise = random.bytes(300_000);
    const payloads = [text, noise, text.subarray(1000), Buffer.alloc(0), noise, text];
    const bodies: Buffer[] = [];
    for (const [index, payload] of payloads.entries()) bodies.push(await bodyOf(encoder, payload, index + 1));
    expect(bodies.map((body) => body.readUInt8(0))).toEqual([
      CODEC_ZSTD_FIRST,
      CODEC_NONE,
      CODEC_ZSTD,
      CODEC_ZSTD,
      CODEC_NONE,
      CODEC_ZSTD,
    ]);
    expect(bodies[2]?.byteLength).toBeLessThan(400);
    expect(bodies[5]?.byteLength).toBeLessThan(400);
    for (const [index, body] of bodies.entries()) {
      const { records } = await decoder.decode(body);
      expect(records[0]?.payload.equals(payloads[index] as Buffer)).toBe(true);
    }
  });

  test('refuses a stretch that is missing, repeated, changed, or another one than was announced', async () => {
    const encoder = newEncoder();
    const text = contentOf(2, 100_000, true);
    const bodies = [await bodyOf(encoder, text, 1), await bodyOf(encoder, text, 2), await bodyOf(encoder, text, 3)];
    const [first, second] = bodies as [Buffer, Buffer, Buffer];
    const changed = Buffer.from(first);
    changed[40] = (changed[40] ?? 0) ^ 0xff;
    const announced = (bytes: number) =>
      Buffer.concat([bodyHeader(CODEC_ZSTD_FIRST, bytes, 100_000), first.subarray(9)]);
    const batchBytes = first.readUInt32LE(1);
    const sequences: Buffer[][] = [
      [second],
      [first, bodyHeader(CODEC_ZSTD, 10, 0)],
      [changed],
      [announced(batchBytes - 1)],
      [announced(batchBytes + 1)],
      [bodyHeader(CODEC_ZSTD, 0, 0)],
      [bodyHeader(CODEC_ZSTD_FIRST, 10, 0)],
      [Buffer.concat([bodyHeader(CODEC_ZSTD, batchBytes, 100_000), first.subarray(10)])],
    ];
    for (const [index, list] of sequences.entries()) {
      const decoder = newDecoder();
      let failure: unknown;
      for (const body of list) await decoder.decode(body).catch((error: unknown) => (failure ??= error));
      expect(failure, `case ${index}`).toBeInstanceOf(ProtocolError);
    }
  });

  test('refuses a window larger than it has offered, and zstd when it has not offered that', async () => {
    const large = await ZstdEncoder.open({ level: 1, windowLog: 22 });
    atEnd(() => large.close());
    const batch = Buffer.concat(encodeBatch([recordOf(contentOf(2, 10_000, true), 1)], 2));
    const head = [bodyHeader(CODEC_ZSTD_FIRST, batch.byteLength, 10_000), encodeRanges([])];
    const body = Buffer.concat([...head, await large.compress(batch)]);
    for (const capability of [{ ...everything, windowLogMax: 20 }, lz4Alone]) {
      await expect(newDecoder(capability).decode(body)).rejects.toBeInstanceOf(ProtocolError);
    }
    expect((await newDecoder({ ...everything, windowLogMax: 22 }).decode(body)).records).toHaveLength(1);
  });

  test('fails once it is closed', async () => {
    const [encoder, decoder] = [newEncoder(), newDecoder()];
    const text = contentOf(2, 10_000, true);
    const [one, two] = [await bodyOf(encoder, text, 1), await bodyOf(encoder, text, 2)];
    await decoder.decode(one);
    encoder.close();
    decoder.close();
    await expect(bodyOf(encoder, text, 3)).rejects.toMatchObject({ code: 'CLOSED' });
    await expect(decoder.decode(two)).rejects.toMatchObject({ code: 'CLOSED' });
  });
});
