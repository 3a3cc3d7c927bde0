import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ByteWriter } from '../../src/engine/bytes.js';
import { ownCapability } from '../../src/engine/capability.js';
import { lz4Compress } from '../../src/engine/compress.js';
import { type JournalRecord, ProtocolError } from '../../src/index.js';
import { KEY_BYTES_MAX, PAYLOAD_BYTES_MAX } from '../../src/options.js';
import { BASES_MAX, BATCH_BYTES_MAX, BATCH_RECORDS_MAX } from '../../src/reduce/batch.js';
import { bodyHeader, CODEC_LZ4, CODEC_NONE } from '../../src/reduce/body.js';
import type { CodecPlan } from '../../src/reduce/compression.js';
import { Decoder } from '../../src/reduce/decoder.js';
import { Encoder } from '../../src/reduce/encoder.js';
import { Stages } from '../../src/reduce/stages.js';
import { contentOf } from '../support/files.js';
import { SEED } from '../support/seed.js';

const bytes = (maxLength: number): fc.Arbitrary<Buffer> =>
  fc.uint8Array({ maxLength }).map((array) => Buffer.from(array));

/** Records in a row, as a queue holds them. */
const records: fc.Arbitrary<JournalRecord[]> = fc
  .tuple(
    fc.integer({ min: 1, max: 2 ** 50 }),
    fc.array(
      fc.record({
        kind: fc.integer({ min: 0, max: 255 }),
        epoch: fc.maxSafeNat(),
        timestamp: fc.maxSafeNat(),
        key: fc.option(bytes(60), { nil: undefined }),
        offset: fc.option(fc.maxSafeNat(), { nil: undefined }),
        payload: bytes(300),
        chain: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      }),
      { minLength: 1, maxLength: 30 },
    ),
  )
  .map(([first, list]) =>
    list.map(({ key, offset, ...rest }, i) => ({
      ...rest,
      checksum: 0n,
      sequence: first + i,
      ...(key === undefined ? {} : { key }),
      ...(offset === undefined ? {} : { offset }),
    })),
  );

function recordOf(payload: Buffer, sequence = 1): JournalRecord {
  return { sequence, epoch: 1, kind: 0, timestamp: 0, payload, checksum: 1n, chain: 2n };
}

const none: CodecPlan = { codec: 'none' };
const lz4: CodecPlan = { codec: 'lz4', always: false };
const lz4Always: CodecPlan = { codec: 'lz4', always: true };
const zstd: CodecPlan = { codec: 'zstd', level: 3, windowLog: 20 };
const plans = [none, lz4, lz4Always, ...(ownCapability().zstd ? [zstd] : [])];

async function bodyOf(list: readonly JournalRecord[], plan: CodecPlan = lz4): Promise<Buffer> {
  const encoder = new Encoder({ plan, stages: new Stages() });
  try {
    return Buffer.concat(await encoder.encode(list));
  } finally {
    await encoder.close();
  }
}

async function decode(body: Buffer): ReturnType<Decoder['decode']> {
  const decoder = new Decoder(new Stages());
  try {
    return await decoder.decode(body);
  } finally {
    await decoder.close();
  }
}

describe('a batch', () => {
  test.each(plans)('comes out of its frame body as it went in: %j', async (plan) => {
    await fc.assert(
      fc.asyncProperty(records, async (list) => {
        const { records: read, chain } = await decode(await bodyOf(list, plan));
        expect(chain).toBe(list.at(-1)?.chain);
        expect(read).toEqual(list.map(({ chain: _, checksum: __, ...record }) => record));
      }),
      { seed: SEED, numRuns: 200 },
    );
  });

  test('with the largest record, and the longest key, is within its bounds', async () => {
    const largest = recordOf(contentOf(1, PAYLOAD_BYTES_MAX, false));
    largest.key = Buffer.alloc(KEY_BYTES_MAX, 7);
    const body = await bodyOf([largest], lz4Always);
    expect(body.byteLength).toBeLessThan(BATCH_BYTES_MAX);
    const { records: read } = await decode(body);
    expect(read[0]?.payload.equals(largest.payload)).toBe(true);
  });

  test('of content that does not compress costs half a per cent more at most', async () => {
    const noise = Array.from({ length: 16 }, (_, i) => recordOf(contentOf(2 * i + 1, 64 * 1024, false), i + 1));
    for (const plan of plans) {
      const body = await bodyOf(noise, plan);
      if (plan.codec !== 'zstd') expect(body.readUInt8(0)).toBe(CODEC_NONE);
      expect(body.byteLength).toBeLessThan(16 * 64 * 1024 * 1.005);
    }
  });

  test('of text is compressed, unless told not to', async () => {
    const text = [recordOf(contentOf(2, 200_000, true))];
    expect((await bodyOf(text)).readUInt8(0)).toBe(CODEC_LZ4);
    expect((await bodyOf(text)).byteLength).toBeLessThan(20_000);
    expect((await bodyOf(text, none)).readUInt8(0)).toBe(CODEC_NONE);
  });

  test('is counted by the stages it passes through', async () => {
    const stages = new Stages();
    const encoder = new Encoder({ plan: lz4, stages });
    let [payload, body] = [0, 0];
    for (let i = 0; i < 5; i++) {
      const record = recordOf(contentOf(2 * i, 10_000), i + 1);
      payload += record.payload.byteLength;
      for (const part of await encoder.encode([record])) body += part.byteLength;
    }
    const { batch, compress } = stages.counts();
    expect(batch?.bytesIn).toBe(payload);
    expect(compress?.bytesIn).toBe(batch?.bytesOut);
    expect(compress?.bytesOut).toBe(body);
  });
});

describe('a body from a peer that means harm', () => {
  const header = (codec: number, length: number): Buffer => bodyHeader(codec, length, 0);
  const batch = (write: (writer: ByteWriter) => ByteWriter, payloadBytes = 0): Buffer => {
    const body = write(new ByteWriter()).take();
    return Buffer.concat([bodyHeader(CODEC_NONE, body.byteLength, payloadBytes), body]);
  };
  /** A batch of one record with these flags and this payload length, and what comes behind its columns. */
  const one = (flags: number, length: number, rest: (writer: ByteWriter) => ByteWriter, payloadBytes = length) =>
    batch((writer) => {
      writer.varint(1).varint(1).u64(0).varint(0).u8(flags).u8(0);
      if ((flags & 64) !== 0) writer.varint(1);
      return rest(writer.varint(1).varint(length));
    }, payloadBytes);
  const REFERENCES = 8 + 32 + 64;
  /** Bases of one range, then the content of a payload of ten bytes. */
  const copied = (base: [distance: number, start: number, length: number], content: number[]) =>
    one(REFERENCES, 10, (writer) =>
      writer.varint(1).varint(base[0]).varint(base[1]).varint(base[2]).raw(Buffer.from(content)),
    );
  const prefix = (bytes: number): Buffer => {
    const head = Buffer.alloc(4);
    head.writeUInt32LE(bytes);
    return head;
  };

  test.each<[string, () => Promise<Buffer> | Buffer]>([
    ['nothing', () => Buffer.alloc(0)],
    ['an unknown codec', () => header(7, 0)],
    ['more than a batch can be', () => header(CODEC_NONE, BATCH_BYTES_MAX + 1)],
    ['less than it says', () => header(CODEC_NONE, 10)],
    ['an LZ4 block of nothing', () => header(CODEC_LZ4, 10)],
    [
      'an LZ4 block that says it is huge',
      () => Buffer.concat([header(CODEC_LZ4, 10), prefix(0xffff_ffff), Buffer.alloc(20)]),
    ],
    [
      'an LZ4 block that becomes more than it says',
      async () =>
        Buffer.concat([header(CODEC_LZ4, 10), prefix(10), (await lz4Compress(Buffer.alloc(1_000_000))).subarray(4)]),
    ],
    [
      'an LZ4 block that becomes less than it says',
      async () =>
        Buffer.concat([
          header(CODEC_LZ4, 9_000_000),
          prefix(9_000_000),
          (await lz4Compress(Buffer.alloc(10))).subarray(4),
        ]),
    ],
    ['no record', () => batch((writer) => writer.varint(1).varint(0).u64(0))],
    ['a record 0', () => batch((writer) => writer.varint(0).varint(1).u64(0))],
    [
      'more records than a batch has',
      () =>
        batch((writer) =>
          writer
            .varint(1)
            .varint(BATCH_RECORDS_MAX + 1)
            .u64(0),
        ),
    ],
    ['a payload too large', () => one(96, PAYLOAD_BYTES_MAX + 1, (writer) => writer)],
    ['a payload that is not there', () => one(96, 9, (writer) => writer.varint(0))],
    ['less payload than it says', () => one(96, 0, (writer) => writer.varint(0), 1)],
    [
      'a key too long',
      () =>
        one(97, 0, (writer) =>
          writer
            .varint(0)
            .varint(KEY_BYTES_MAX + 1)
            .raw(Buffer.alloc(KEY_BYTES_MAX + 1)),
        ),
    ],
    ['a key like that of no record', () => one(97 + 4, 0, (writer) => writer.varint(0))],
    ['a time before all time', () => one(64, 0, (writer) => writer.varint(0))],
    ['an offset before 0', () => one(96 + 2, 0, (writer) => writer.varint(1).varint(0))],
    ['something behind it', () => one(96, 0, (writer) => writer.varint(0).u8(9))],
    ['more bases than one may have', () => one(96, 0, (writer) => writer.varint(BASES_MAX + 1))],
    ['a base in record 0', () => copied([1, 0, 40], [0, 0])],
    ['a base of nearly nothing', () => copied([0, 0, 31], [0, 0])],
    ['a base larger than records are', () => copied([0, PAYLOAD_BYTES_MAX, 40], [0, 0])],
    ['a base in the record itself', () => copied([0, 0, 40], [0, 0])],
    ['a base in a record to come', () => copied([2, 0, 40], [0, 0])],
    ['a copy from before the bases', () => copied([0, 0, 40], [1, 0, 1])],
    ['a copy from behind the bases', () => copied([0, 0, 40], [1, 0, 62])],
    ['a copy of more than the payload', () => copied([0, 0, 40], [0, 11])],
    ['more literals than the payload', () => copied([0, 0, 40], [22])],
    ['literals that are not there', () => copied([0, 0, 40], [20, 1, 2])],
    ['a distance without a copy', () => copied([0, 0, 40], [21, 2, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10])],
  ])('%s is refused', async (_, make) => {
    await expect(decode(await make())).rejects.toBeInstanceOf(ProtocolError);
  });

  test('of any bytes is refused as such, or is a batch', async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(0, 1), fc.uint8Array({ maxLength: 120 }), async (codec, rest) => {
        const body = Buffer.concat([header(codec, rest.byteLength), Buffer.from(rest)]);
        await decode(body).catch((error: unknown) => expect(error).toBeInstanceOf(ProtocolError));
      }),
      { seed: SEED, numRuns: 2000 },
    );
  });

  test('of a batch that was damaged is refused as such, or is another batch', async () => {
    await fc.assert(
      fc.asyncProperty(records, fc.nat(), fc.integer({ min: 1, max: 255 }), async (list, at, flip) => {
        const body = await bodyOf(list);
        const where = at % body.byteLength;
        body[where] = (body[where] ?? 0) ^ flip;
        await decode(body).catch((error: unknown) => expect(error).toBeInstanceOf(ProtocolError));
      }),
      { seed: SEED, numRuns: 1000 },
    );
  });
});
