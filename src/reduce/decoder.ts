import { lz4Decompress } from '../engine/compress.js';
import { ZstdDecoder } from '../engine/zstd-decoder.js';
import { ClosedError, CompressionFailedError, ProtocolError } from '../errors.js';
import { BATCH_BYTES_MAX, type Batch, decodeBatch } from './batch.js';
import { BODY_HEADER_BYTES, CODEC_LZ4, CODEC_NONE, CODEC_ZSTD } from './body.js';
import { type Capability, ownCapability } from './compression.js';
import { noPrefix } from './encoder.js';
import type { PrefixLoader } from './prefix.js';
import type { Stages } from './stages.js';

/**
 * Turns frame bodies back into records, those of one session in order; every length is checked before anything is
 * allocated.
 */
export class Decoder {
  /** What the peer may send. */
  readonly capability: Capability;
  readonly #stages: Stages;
  #prefix: PrefixLoader = noPrefix;
  #zstd: Promise<ZstdDecoder> | undefined;
  #closed = false;

  constructor(stages: Stages, capability: Capability = ownCapability()) {
    this.#stages = stages;
    this.capability = capability;
  }

  /** Has the stream begin with a prefix, which is asked for when the first batch needs it. */
  begin(prefix: PrefixLoader): void {
    this.#prefix = prefix;
  }

  async decode(body: Buffer): Promise<Batch> {
    const begun = performance.now();
    if (body.byteLength < BODY_HEADER_BYTES) throw new ProtocolError(`a body of ${body.byteLength} bytes`, 'a batch');
    const codec = body.readUInt8(0);
    const batchBytes = body.readUInt32LE(1);
    if (batchBytes > BATCH_BYTES_MAX)
      throw new ProtocolError(`a batch of ${batchBytes} bytes`, `at most ${BATCH_BYTES_MAX}`);
    const bytes = await this.#restore(codec, body.subarray(BODY_HEADER_BYTES), batchBytes);
    const batch = decodeBatch(bytes);
    this.#stages.add('restore', body.byteLength, batchBytes, performance.now() - begun);
    return batch;
  }

  /** Frees the memory of the codec; what is under way fails. */
  async close(): Promise<void> {
    this.#closed = true;
    (await this.#zstd?.catch(() => undefined))?.close();
  }

  async #restore(codec: number, bytes: Buffer, batchBytes: number): Promise<Buffer> {
    const { lz4, zstd } = this.capability;
    if (codec === CODEC_ZSTD && zstd) return this.#decompress(bytes, batchBytes);
    if (codec === CODEC_LZ4 && lz4) return lz4Decompress(bytes, batchBytes);
    if (codec !== CODEC_NONE) throw new ProtocolError(`codec ${codec}`, 'one that WELCOME offers');
    if (bytes.byteLength !== batchBytes)
      throw new ProtocolError(`a batch of ${bytes.byteLength} bytes`, `${batchBytes} bytes`);
    return bytes;
  }

  /** The next stretch of the session's frame. */
  async #decompress(bytes: Buffer, batchBytes: number): Promise<Buffer> {
    const { windowLogMax } = this.capability;
    this.#zstd ??= this.#prefix().then((prefix) => ZstdDecoder.open({ windowLogMax, prefix }));
    const decoder = await this.#zstd;
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
