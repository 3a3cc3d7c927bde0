import { type Capability, ownCapability } from '../engine/capability.js';
import { lz4Decompress } from '../engine/compress.js';
import { ZstdDecoder } from '../engine/zstd-decoder.js';
import { ClosedError, CompressionFailedError, ProtocolError } from '../errors.js';
import type { PayloadRange } from '../journal/journal.js';
import { BATCH_BYTES_MAX, BATCH_PAYLOAD_BYTES_MAX, type Batch, type ReadBatch, readBatch } from './batch.js';
import { BODY_HEADER_BYTES, CODEC_LZ4, CODEC_NONE, CODEC_ZSTD, CODEC_ZSTD_FIRST } from './body.js';
import { FrameCredit } from './frame-credit.js';
import { decodeRanges, type PrefixRange } from './prefix.js';
import { restoreRecords } from './restore.js';
import type { Stages } from './stages.js';

/** The stream refers to records that this end no longer holds or cannot read. The sender is told, and does without. */
export class HistoryLost extends Error {
  constructor(
    readonly ranges: readonly PrefixRange[],
    cause: unknown,
  ) {
    super('records that the stream refers to cannot be read', { cause });
  }
}

/** The records that a peer's references lie in. HistoryLost tells what of them cannot be read. */
export interface HistorySource {
  /** The payloads of records, end to end, at most `bytesMax` bytes. */
  payloads(ranges: readonly PrefixRange[], bytesMax: number): Promise<Buffer>;
  /** Parts of payloads, in order. */
  parts(ranges: readonly PayloadRange[]): Promise<Buffer[]>;
}

/** A batch with what its proof needs: if its chain is wrong, one of the records it refers to is not what it was. */
export interface RestoredBatch extends Batch {
  /** Records of history that it was made from. */
  bases: readonly PayloadRange[];
}

/**
 * Turns frame bodies back into records, those of one generation in order; every length is checked before anything is
 * allocated.
 */
export class Decoder {
  #capability: Capability;
  readonly #stages: Stages;
  readonly #history: HistorySource;
  #zstd: ZstdDecoder | undefined;
  #closed = false;
  #credit: FrameCredit;

  constructor(stages: Stages, history: HistorySource = NO_HISTORY, capability: Capability = ownCapability()) {
    this.#stages = stages;
    this.#history = history;
    this.#capability = capability;
    this.#credit = new FrameCredit(capability.windowLogMax);
  }

  /** What the peer may send. */
  get capability(): Capability {
    return this.#capability;
  }

  /** What the peer may send from here on; before the first batch. */
  offer(capability: Capability): void {
    this.#capability = capability;
    this.#credit = new FrameCredit(capability.windowLogMax);
  }

  /** What a body takes once it is decoded, as it says itself. */
  static decodedBytes(body: Buffer): number {
    if (body.byteLength < BODY_HEADER_BYTES) return 0;
    const [batch, payload] = [body.readUInt32LE(1), body.readUInt32LE(5)];
    return Math.max(Math.min(batch, BATCH_BYTES_MAX), Math.min(payload, BATCH_PAYLOAD_BYTES_MAX));
  }

  async decode(body: Buffer): Promise<RestoredBatch> {
    const begun = performance.now();
    if (body.byteLength < BODY_HEADER_BYTES) throw new ProtocolError(`a body of ${body.byteLength} bytes`, 'a batch');
    const codec = body.readUInt8(0);
    const batchBytes = body.readUInt32LE(1);
    if (batchBytes > BATCH_BYTES_MAX)
      throw new ProtocolError(`a batch of ${batchBytes} bytes`, `at most ${BATCH_BYTES_MAX}`);
    const bytes = await this.#decode(codec, body.subarray(BODY_HEADER_BYTES), batchBytes);
    this.#credit.earn(batchBytes);
    const batch = readBatch(bytes);
    if (batch.payloadBytes !== body.readUInt32LE(5))
      throw new ProtocolError(`${batch.payloadBytes} bytes of payload`, `${body.readUInt32LE(5)}, as its body says`);
    const records = restoreRecords(batch, await this.#bases(batch));
    this.#stages.add('restore', body.byteLength, batch.payloadBytes, performance.now() - begun);
    return { records, chain: batch.chain, floor: batch.floor, bases: batch.bases };
  }

  /** Begins a new generation: nothing of the one before is left. */
  reset(): void {
    this.#zstd?.close();
    this.#zstd = undefined;
    this.#credit = new FrameCredit(this.#capability.windowLogMax);
  }

  /** Frees the memory of the codec; what is under way fails. */
  close(): void {
    this.#closed = true;
    this.#zstd?.close();
  }

  get memoryBytes(): number {
    return this.#zstd?.memoryBytes ?? 0;
  }

  async #decode(codec: number, bytes: Buffer, batchBytes: number): Promise<Buffer> {
    const { lz4, zstd } = this.capability;
    if (codec === CODEC_ZSTD && zstd) return this.#decompress(bytes, batchBytes);
    if (codec === CODEC_ZSTD_FIRST && zstd) return this.#decompress(await this.#begin(bytes), batchBytes);
    if (codec === CODEC_LZ4 && lz4) return lz4Decompress(bytes, batchBytes);
    if (codec !== CODEC_NONE) throw new ProtocolError(`codec ${codec}`, 'one that WELCOME offers');
    if (bytes.byteLength !== batchBytes)
      throw new ProtocolError(`a batch of ${bytes.byteLength} bytes`, `${batchBytes} bytes`);
    return bytes;
  }

  /** The bytes of the bases that lie before the batch, each in its place. */
  async #bases({ headers, bases }: ReadBatch): Promise<(Buffer | undefined)[]> {
    const first = headers[0]?.sequence ?? 0;
    const before = bases.filter(({ sequence }) => sequence < first);
    if (before.length === 0) return [];
    const parts = await this.#history.parts(before);
    let next = 0;
    return bases.map(({ sequence }) => (sequence < first ? parts[next++] : undefined));
  }

  /** Begins a frame; returns its first stretch. */
  async #begin(bytes: Buffer): Promise<Buffer> {
    const { ranges, rest } = decodeRanges(bytes);
    const { windowLogMax } = this.capability;
    this.#zstd?.close();
    this.#zstd = undefined;
    this.#credit.begin();
    const prefix = ranges.length === 0 ? [] : await this.#history.payloads(ranges, 2 ** windowLogMax);
    this.#credit.spend(prefix.length);
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
const NO_HISTORY: HistorySource = {
  payloads: async (ranges) => noHistory(ranges[0]?.from),
  parts: async (ranges) => noHistory(ranges[0]?.sequence),
};

function noHistory(sequence: number | undefined): never {
  throw new ProtocolError(`a reference to record ${sequence}`, 'one that WELCOME offers');
}
