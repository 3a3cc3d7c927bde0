import assert from 'node:assert/strict';
import { ownCapability } from '../src/engine/capability.js';
import { lz4Compress } from '../src/engine/compress.js';
import { ZstdEncoder } from '../src/engine/zstd-encoder.js';
import { ProtocolError } from '../src/errors.js';
import { BATCH_BYTES_MAX, BATCH_PAYLOAD_BYTES_MAX } from '../src/reduce/batch.js';
import { bodyHeader, CODEC_LZ4, CODEC_NONE, CODEC_ZSTD, CODEC_ZSTD_FIRST } from '../src/reduce/body.js';
import { Decoder, HistoryLost, type HistorySource } from '../src/reduce/decoder.js';
import { encodeRanges, type PrefixRange } from '../src/reduce/prefix.js';
import { Stages } from '../src/reduce/stages.js';
import { changed } from './changes.js';
import type { Random } from './random.js';
import {
  encoded,
  FIRST,
  hostileBatch,
  partOfHistory,
  type RandomBatch,
  randomBatch,
  stretchOfHistory,
} from './random-batch.js';
import { soon } from './soon.js';
import type { FuzzTarget } from './target.js';

const BODIES_MAX = 4;
const MILLISECONDS_MAX = 200;
/** A small window, so that a decoder takes little memory. */
const CAPABILITY = { ...ownCapability(), windowLogMax: 20 };

/** Bodies that say anything of their codec, lengths and prefix give records of those lengths or ProtocolError. */
export const bodiesHostile: FuzzTarget = {
  name: 'bodies-hostile',
  async run(random) {
    const bodies: Buffer[] = [];
    const sender = new Sender(random);
    try {
      for (let count = random.between(1, BODIES_MAX); count > 0; count--) bodies.push(await sender.body());
    } finally {
      sender.close();
    }
    await soon(bodies.length * MILLISECONDS_MAX, () => decodeAll(bodies));
  },
};

async function decodeAll(bodies: readonly Buffer[]): Promise<void> {
  const decoder = new Decoder(new Stages(), history, CAPABILITY);
  try {
    for (const body of bodies) {
      const announced = Decoder.decodedBytes(body);
      assert.ok(announced <= Math.max(BATCH_BYTES_MAX, BATCH_PAYLOAD_BYTES_MAX));
      const { records } = await decoder.decode(body);
      const payloadBytes = records.reduce((sum, { payload }) => sum + payload.byteLength, 0);
      assert.equal(payloadBytes, body.readUInt32LE(5));
      assert.ok(payloadBytes <= announced);
    }
  } catch (error) {
    if (!(error instanceof ProtocolError || error instanceof HistoryLost)) throw error;
  } finally {
    decoder.close();
  }
}

const history: HistorySource = {
  async payloads(ranges, bytesMax) {
    const parts = ranges.map((range) => stretchOfHistory(range.from, range.to) ?? lost(range));
    const all = Buffer.concat(parts);
    if (all.byteLength > bytesMax)
      throw new ProtocolError(`a prefix of ${all.byteLength} bytes`, `at most ${bytesMax}`);
    return all;
  },
  parts: async (ranges) =>
    ranges.map((range) => partOfHistory(range) ?? lost({ from: range.sequence, to: range.sequence })),
};

function lost(range: PrefixRange): never {
  throw new HistoryLost([range], undefined);
}

/** Makes bodies, many of them right until something in them is changed. */
class Sender {
  private zstd: ZstdEncoder | undefined;

  constructor(private readonly random: Random) {}

  async body(): Promise<Buffer> {
    const { random } = this;
    const right = randomBatch(random);
    const batch = random.chance(0.6) ? encoded(right) : hostileBatch(random);
    const codec = random.pick([CODEC_NONE, CODEC_LZ4, CODEC_ZSTD, CODEC_ZSTD_FIRST]);
    const header = this.header(codec, batch, right);
    const body = Buffer.concat([header, await this.compressed(codec, batch)]);
    return random.chance(0.3) && body.byteLength > 0 ? changed(random, body) : body;
  }

  close(): void {
    this.zstd?.close();
  }

  private header(codec: number, batch: Buffer, { records }: RandomBatch): Buffer {
    const { random } = this;
    const payloadBytes = records.reduce((sum, { payload }) => sum + payload.byteLength, 0);
    const lie = (right: number) => (random.chance(0.1) ? random.pick([random.below(1000), random.u32()]) : right);
    const named = random.chance(0.05) ? random.below(256) : codec;
    return bodyHeader(named, lie(batch.byteLength), lie(payloadBytes));
  }

  private async compressed(codec: number, batch: Buffer): Promise<Buffer> {
    if (codec === CODEC_LZ4) return lz4Compress(batch);
    if (codec === CODEC_NONE || !CAPABILITY.zstd) return batch;
    if (codec === CODEC_ZSTD) return (await this.zstd?.compress(batch)) ?? batch;
    const ranges = this.ranges();
    const prefix = ranges.map(({ from, to }) => stretchOfHistory(from, to) ?? Buffer.alloc(0));
    this.zstd?.close();
    this.zstd = await ZstdEncoder.open({ windowLog: CAPABILITY.windowLogMax, prefix: Buffer.concat(prefix) });
    const coded = encodeRanges(ranges);
    return Buffer.concat([
      this.random.chance(0.2) ? changed(this.random, coded) : coded,
      await this.zstd.compress(batch),
    ]);
  }

  /** In rising order, most of them of history. */
  private ranges(): PrefixRange[] {
    const { random } = this;
    const ranges: PrefixRange[] = [];
    for (let from = 1, count = random.below(6); count > 0; count--) {
      from += random.below(10);
      const to = from + random.below(random.chance(0.95) ? 4 : 5000);
      if (to >= FIRST && random.chance(0.9)) break;
      ranges.push({ from, to });
      from = to + 1;
    }
    return ranges;
  }
}
