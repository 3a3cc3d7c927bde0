import { ByteReader, ByteWriter } from '../engine/bytes.js';
import { ProtocolError } from '../errors.js';
import type { JournalRecord } from '../journal/journal.js';
import { KEY_BYTES_MAX, PAYLOAD_BYTES_MAX } from '../options.js';

/**
 * A batch: consecutive records as they lie in a frame body before compression.
 *
 *   first sequence   varint
 *   record count     varint
 *   chain            u64      of the last record, which the receiver's own chain must match
 *   record headers   one after the other (below)
 *   payloads         one after the other, lengths from the headers
 *
 * Record header: flags u8 (1 key, 2 offset), kind u8, epoch varint, timestamp varint (microseconds), payload length
 * varint, payload checksum u64, then the key (varint length and bytes) and the offset (varint) where flagged.
 */

export const BATCH_RECORDS_MAX = 4096;
/** Payload bytes after which a batch is closed; a single larger record makes a batch of its own. */
export const BATCH_BYTES = 1024 * 1024;
/** The most that one batch can hold: a full batch, then the largest record, and their headers. */
export const BATCH_BYTES_MAX = PAYLOAD_BYTES_MAX + BATCH_BYTES + BATCH_RECORDS_MAX * 64 + KEY_BYTES_MAX;

const HAS_KEY = 1;
const HAS_OFFSET = 2;

export interface BatchRecord {
  sequence: number;
  epoch: number;
  kind: number;
  timestamp: number;
  key?: Buffer;
  offset?: number;
  payload: Buffer;
  checksum: bigint;
}

export interface Batch {
  records: BatchRecord[];
  chain: bigint;
}

/** The parts of a batch, payloads uncopied. */
export function encodeBatch(records: readonly JournalRecord[]): Uint8Array[] {
  const first = records[0];
  const last = records[records.length - 1];
  if (first === undefined || last === undefined) return [];
  const writer = new ByteWriter(records.length * 48 + 32);
  writer.varint(first.sequence).varint(records.length).u64(last.chain);
  for (const record of records) {
    const flags = (record.key === undefined ? 0 : HAS_KEY) | (record.offset === undefined ? 0 : HAS_OFFSET);
    writer.u8(flags).u8(record.kind).varint(record.epoch).varint(record.timestamp);
    writer.varint(record.payload.byteLength).u64(record.checksum);
    if (record.key !== undefined) writer.bytes(record.key);
    if (record.offset !== undefined) writer.varint(record.offset);
  }
  return [writer.take(), ...records.map((record) => record.payload)];
}

/** Reads a batch that came from a peer; payloads are views of `bytes`. Checksums are the journal's to verify. */
export function decodeBatch(bytes: Buffer): Batch {
  const reader = new ByteReader(bytes, 'batch');
  const first = reader.varint();
  const count = reader.varint(BATCH_RECORDS_MAX);
  if (first < 1 || count < 1)
    throw new ProtocolError(`a batch of ${count} records from ${first}`, 'at least one record');
  const chain = reader.u64();
  const headers = Array.from({ length: count }, (_, i) => decodeHeader(reader, first + i));
  const records = headers.map(({ payloadLength, ...header }) => ({ ...header, payload: reader.raw(payloadLength) }));
  reader.end();
  return { records, chain };
}

function decodeHeader(reader: ByteReader, sequence: number): Omit<BatchRecord, 'payload'> & { payloadLength: number } {
  const flags = reader.u8();
  if (flags > (HAS_KEY | HAS_OFFSET)) throw new ProtocolError(`record flags ${flags}`, 'only known flags');
  const kind = reader.u8();
  const epoch = reader.varint();
  const timestamp = reader.varint();
  const payloadLength = reader.varint(PAYLOAD_BYTES_MAX);
  const checksum = reader.u64();
  return {
    sequence,
    kind,
    epoch,
    timestamp,
    payloadLength,
    checksum,
    ...(flags & HAS_KEY ? { key: reader.bytes(KEY_BYTES_MAX) } : {}),
    ...(flags & HAS_OFFSET ? { offset: reader.varint() } : {}),
  };
}
