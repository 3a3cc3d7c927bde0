import { lz4Decompress } from '../engine/compress.js';
import { ProtocolError } from '../errors.js';
import { BATCH_BYTES_MAX, type Batch, decodeBatch } from './batch.js';
import { BODY_HEADER_BYTES, CODEC_LZ4, CODEC_NONE } from './encoder.js';
import type { Stages } from './stages.js';

/** Turns frame bodies back into records; every length is checked before anything is allocated. */
export class Decoder {
  readonly #stages: Stages;

  constructor(stages: Stages) {
    this.#stages = stages;
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

  async #restore(codec: number, bytes: Buffer, batchBytes: number): Promise<Buffer> {
    if (codec === CODEC_LZ4) return lz4Decompress(bytes, batchBytes);
    if (codec !== CODEC_NONE) throw new ProtocolError(`codec ${codec}`, '0 (none) or 1 (lz4)');
    if (bytes.byteLength !== batchBytes)
      throw new ProtocolError(`a batch of ${bytes.byteLength} bytes`, `${batchBytes} bytes`);
    return bytes;
  }
}
