import { looksCompressible, lz4Compress } from '../engine/compress.js';
import { ZstdEncoder } from '../engine/zstd-encoder.js';
import type { JournalRecord } from '../journal/journal.js';
import { encodeBatch } from './batch.js';
import { bodyHeader, CODEC_LZ4, CODEC_NONE, CODEC_ZSTD } from './body.js';
import type { CodecPlan } from './compression.js';
import type { PrefixLoader } from './prefix.js';
import type { Stages } from './stages.js';

/** Batches below this are sent as they are: the codec's own header would eat the gain. */
const LZ4_BYTES_MIN = 64;

/** Turns records into frame bodies; one for each session, in order, its totals in `stages`. */
export class Encoder {
  readonly #plan: CodecPlan;
  readonly #stages: Stages;
  readonly #prefix: PrefixLoader;
  /** All that goes through it is one frame of zstd. */
  #zstd: Promise<ZstdEncoder> | undefined;
  #closed = false;

  /** `prefix` is asked for when the first batch needs the stream. */
  constructor(plan: CodecPlan, stages: Stages, prefix: PrefixLoader = noPrefix) {
    this.#plan = plan;
    this.#prefix = prefix;
    this.#stages = stages;
  }

  async encode(records: readonly JournalRecord[]): Promise<Uint8Array[]> {
    const parts = encodeBatch(records);
    const batchBytes = total(parts);
    this.#stages.add('batch', total(records.map((record) => record.payload)), batchBytes);
    const begun = performance.now();
    const body = await this.#compress(parts, batchBytes);
    this.#stages.add('compress', batchBytes, total(body), performance.now() - begun);
    return body;
  }

  /** Frees the memory of the codec; what is under way fails. */
  async close(): Promise<void> {
    this.#closed = true;
    (await this.#zstd?.catch(() => undefined))?.close();
  }

  async #compress(parts: Uint8Array[], batchBytes: number): Promise<Uint8Array[]> {
    const plan = this.#plan;
    if (plan.codec === 'zstd' && looksCompressible(parts)) {
      const stretch = await (await this.#stream(plan)).compress(parts);
      return [bodyHeader(CODEC_ZSTD, batchBytes), stretch];
    }
    if (plan.codec === 'lz4' && batchBytes >= LZ4_BYTES_MIN && (plan.always || looksCompressible(parts))) {
      const block = await lz4Compress(Buffer.concat(parts, batchBytes));
      if (block.byteLength < batchBytes) return [bodyHeader(CODEC_LZ4, batchBytes), block];
    }
    return [bodyHeader(CODEC_NONE, batchBytes), ...parts];
  }

  /** Opened when the first batch needs it. */
  async #stream({ level, windowLog }: { level: number; windowLog: number }): Promise<ZstdEncoder> {
    this.#zstd ??= this.#prefix().then((prefix) => ZstdEncoder.open({ level, windowLog, prefix }));
    const encoder = await this.#zstd;
    if (this.#closed) encoder.close();
    return encoder;
  }
}

export async function noPrefix(): Promise<Buffer> {
  return Buffer.alloc(0);
}

function total(parts: readonly Uint8Array[]): number {
  return parts.reduce((sum, part) => sum + part.byteLength, 0);
}
