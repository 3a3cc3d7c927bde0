import { looksCompressible, lz4Compress } from '../engine/compress.js';
import type { JournalRecord } from '../journal/journal.js';
import type { Compression } from '../options.js';
import { encodeBatch } from './batch.js';
import type { Stages } from './stages.js';

/**
 * A frame body: codec u8, length of the batch u32 (little endian), then the batch as the codec leaves it.
 * Codecs: 0 as it is, 1 LZ4 block.
 */
export const CODEC_NONE = 0;
export const CODEC_LZ4 = 1;
export const BODY_HEADER_BYTES = 5;

/** Batches below this are sent as they are: the codec's own header would eat the gain. */
const COMPRESS_BYTES_MIN = 64;

/** Turns records into frame bodies; one per peer, its totals in `stages`. */
export class Encoder {
  readonly #compression: Compression;
  readonly #stages: Stages;

  constructor(compression: Compression, stages: Stages) {
    this.#compression = compression;
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

  async #compress(parts: Uint8Array[], batchBytes: number): Promise<Uint8Array[]> {
    if (this.#wants(parts, batchBytes)) {
      const block = await lz4Compress(Buffer.concat(parts, batchBytes));
      if (block.byteLength < batchBytes) return [bodyHeader(CODEC_LZ4, batchBytes), block];
    }
    return [bodyHeader(CODEC_NONE, batchBytes), ...parts];
  }

  #wants(parts: Uint8Array[], batchBytes: number): boolean {
    if (this.#compression === 'none' || batchBytes < COMPRESS_BYTES_MIN) return false;
    return this.#compression === 'lz4' || looksCompressible(parts);
  }
}

function bodyHeader(codec: number, batchBytes: number): Buffer {
  const header = Buffer.allocUnsafe(BODY_HEADER_BYTES);
  header.writeUInt8(codec, 0);
  header.writeUInt32LE(batchBytes, 1);
  return header;
}

function total(parts: readonly Uint8Array[]): number {
  return parts.reduce((sum, part) => sum + part.byteLength, 0);
}
