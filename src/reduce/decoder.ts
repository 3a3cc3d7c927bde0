import { type Capability, ownCapability } from '../engine/capability.js';
import { lz4Decompress } from '../engine/compress.js';
import { ZstdDecoder } from '../engine/zstd-decoder.js';
import { ClosedError, CompressionFailedError, ProtocolError } from '../errors.js';
import { BATCH_BYTES_MAX, type Batch, decodeBatch } from './batch.js';
import { BODY_HEADER_BYTES, CODEC_LZ4, CODEC_NONE, CODEC_ZSTD, CODEC_ZSTD_FIRST } from './body.js';
import { decodeRanges, type PrefixRange } from './prefix.js';
import type { Stages } from './stages.js';

/** Beginning a frame is work for both ends: so much of a window goes through one before the next begins, at least. */
const FRAME_PART_MIN = 1 / 16;

/** Gets the payloads of records, end to end, at most `bytesMax` bytes. */
export type PrefixSource = (ranges: readonly PrefixRange[], bytesMax: number) => Promise<Buffer>;

/**
 * Turns frame bodies back into records, those of one session in order; every length is checked before anything is
 * allocated.
 */
export class Decoder {
  /** What the peer may send. */
  readonly capability: Capability;
  readonly #stages: Stages;
  readonly #history: PrefixSource;
  #zstd: ZstdDecoder | undefined;
  #closed = false;
  /** Bytes of batches since a frame began. */
  #sinceFrame = Number.POSITIVE_INFINITY;

  constructor(stages: Stages, history: PrefixSource = noHistory, capability: Capability = ownCapability()) {
    this.#stages = stages;
    this.#history = history;
    this.capability = capability;
  }

  /** What a body takes once it is decoded, as it says itself. */
  static batchBytes(body: Buffer): number {
    return body.byteLength < BODY_HEADER_BYTES ? 0 : Math.min(body.readUInt32LE(1), BATCH_BYTES_MAX);
  }

  async decode(body: Buffer): Promise<Batch> {
    const begun = performance.now();
    if (body.byteLength < BODY_HEADER_BYTES) throw new ProtocolError(`a body of ${body.byteLength} bytes`, 'a batch');
    const codec = body.readUInt8(0);
    const batchBytes = body.readUInt32LE(1);
    if (batchBytes > BATCH_BYTES_MAX)
      throw new ProtocolError(`a batch of ${batchBytes} bytes`, `at most ${BATCH_BYTES_MAX}`);
    const bytes = await this.#restore(codec, body.subarray(BODY_HEADER_BYTES), batchBytes);
    this.#sinceFrame += batchBytes;
    const batch = decodeBatch(bytes);
    this.#stages.add('restore', body.byteLength, batchBytes, performance.now() - begun);
    return batch;
  }

  /** Frees the memory of the codec; what is under way fails. */
  close(): void {
    this.#closed = true;
    this.#zstd?.close();
  }

  async #restore(codec: number, bytes: Buffer, batchBytes: number): Promise<Buffer> {
    const { lz4, zstd } = this.capability;
    if (codec === CODEC_ZSTD && zstd) return this.#decompress(bytes, batchBytes);
    if (codec === CODEC_ZSTD_FIRST && zstd) return this.#decompress(await this.#begin(bytes), batchBytes);
    if (codec === CODEC_LZ4 && lz4) return lz4Decompress(bytes, batchBytes);
    if (codec !== CODEC_NONE) throw new ProtocolError(`codec ${codec}`, 'one that WELCOME offers');
    if (bytes.byteLength !== batchBytes)
      throw new ProtocolError(`a batch of ${bytes.byteLength} bytes`, `${batchBytes} bytes`);
    return bytes;
  }

  /** Begins a frame; returns its first stretch. */
  async #begin(bytes: Buffer): Promise<Buffer> {
    const { ranges, rest } = decodeRanges(bytes);
    const { windowLogMax } = this.capability;
    const least = 2 ** windowLogMax * FRAME_PART_MIN;
    if (this.#sinceFrame < least) {
      throw new ProtocolError(
        `a frame after ${this.#sinceFrame} bytes of batches`,
        `at least ${least} in the one before`,
      );
    }
    this.#sinceFrame = 0;
    this.#zstd?.close();
    this.#zstd = undefined;
    const prefix = ranges.length === 0 ? [] : await this.#history(ranges, 2 ** windowLogMax);
    this.#zstd = await ZstdDecoder.open({ windowLogMax, prefix });
    return rest;
  }

  async #decompress(bytes: Buffer, batchBytes: number): Promise<Buffer> {
    const decoder = this.#zstd;
    if (decoder === undefined) throw new ProtocolError('a stretch of zstd of no frame', 'the first one of a frame');
    if (this.#closed) decoder.close();
    const batch = await decoder.decompress(bytes, batchBytes).catch((error: unknown) => {
      if (error instanceof ClosedError || error instanceof CompressionFailedError) throw error;
      throw new ProtocolError('a stretch of zstd that does not decompress', `${batchBytes} bytes`, error);
    });
    if (batch.byteLength !== batchBytes)
      throw new ProtocolError(`${batch.byteLength} bytes after decompression`, `${batchBytes}`);
    return batch;
  }
}

/** For an end that has none. */
async function noHistory(ranges: readonly PrefixRange[]): Promise<Buffer> {
  throw new ProtocolError(`a prefix from record ${ranges[0]?.from}`, 'one that WELCOME offers');
}
