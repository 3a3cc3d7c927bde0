import { looksCompressible, lz4Compress } from '../engine/compress.js';
import { ZstdEncoder } from '../engine/zstd-encoder.js';
import type { JournalRecord } from '../journal/journal.js';
import { encodeBatch } from './batch.js';
import { bodyHeader, CODEC_LZ4, CODEC_NONE, CODEC_ZSTD, CODEC_ZSTD_FIRST } from './body.js';
import type { CodecPlan, ZstdPlan } from './compression.js';
import { encodeRanges, NO_PREFIX, type Prefix } from './prefix.js';
import type { Stages } from './stages.js';

/** Batches below this are sent as they are: the codec's own header would eat the gain. */
const LZ4_BYTES_MIN = 64;

/** Says when a frame of zstd begins, and with what; undefined when records go on in the one there is. */
export interface FrameStarts {
  next(records: readonly JournalRecord[]): Promise<Prefix | undefined>;
  /** Is told of all records, in order, after they were encoded. */
  note(records: readonly JournalRecord[]): void;
  /** Whether there is something that these records are likely to resemble, whatever they look like by themselves. */
  resemble(records: readonly JournalRecord[]): Promise<boolean>;
}

/** Turns records into frame bodies; one for each session, in order, its totals in `stages`. */
export class Encoder {
  readonly #plan: CodecPlan;
  readonly #stages: Stages;
  readonly #starts: FrameStarts;
  #zstd: ZstdEncoder | undefined;
  #closed = false;

  constructor(plan: CodecPlan, stages: Stages, starts: FrameStarts = oneFrame()) {
    this.#plan = plan;
    this.#stages = stages;
    this.#starts = starts;
  }

  async encode(records: readonly JournalRecord[]): Promise<Uint8Array[]> {
    const parts = encodeBatch(records);
    const batchBytes = total(parts);
    this.#stages.add('batch', total(records.map((record) => record.payload)), batchBytes);
    const begun = performance.now();
    const body = await this.#compress(records, parts, batchBytes);
    this.#starts.note(records);
    this.#stages.add('compress', batchBytes, total(body), performance.now() - begun);
    return body;
  }

  /** Frees the memory of the codec; what is under way fails. */
  close(): void {
    this.#closed = true;
    this.#zstd?.close();
  }

  async #compress(records: readonly JournalRecord[], parts: Uint8Array[], batchBytes: number): Promise<Uint8Array[]> {
    const plan = this.#plan;
    if (plan.codec === 'zstd' && (looksCompressible(parts) || (await this.#starts.resemble(records)))) {
      const prefix = await this.#starts.next(records);
      if (prefix === undefined && this.#zstd !== undefined) {
        return [bodyHeader(CODEC_ZSTD, batchBytes), await this.#zstd.compress(parts)];
      }
      const { ranges, content } = prefix ?? NO_PREFIX;
      const first = await (await this.#begin(plan, content)).compress(parts);
      return [bodyHeader(CODEC_ZSTD_FIRST, batchBytes), encodeRanges(ranges), first];
    }
    if (plan.codec === 'lz4' && batchBytes >= LZ4_BYTES_MIN && (plan.always || looksCompressible(parts))) {
      const block = await lz4Compress(Buffer.concat(parts, batchBytes));
      if (block.byteLength < batchBytes) return [bodyHeader(CODEC_LZ4, batchBytes), block];
    }
    return [bodyHeader(CODEC_NONE, batchBytes), ...parts];
  }

  async #begin({ level, windowLog }: ZstdPlan, prefix: Buffer): Promise<ZstdEncoder> {
    this.#zstd?.close();
    const encoder = await ZstdEncoder.open({ level, windowLog, prefix });
    this.#zstd = encoder;
    if (this.#closed) encoder.close();
    return encoder;
  }
}

/** A single frame that refers to nothing but itself. */
export function oneFrame(): FrameStarts {
  return { next: async () => undefined, resemble: async () => false, note: () => {} };
}

function total(parts: readonly Uint8Array[]): number {
  return parts.reduce((sum, part) => sum + part.byteLength, 0);
}
