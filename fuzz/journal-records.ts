import { NO_KEY, RECORD, RECORD_HEADER_BYTES, recordBytes } from '../src/engine/record-layout.js';
import type { Random } from './random.js';

/** Records as a journal encodes them, their checksums still to come. */

export interface RawRecord {
  sequence: number;
  epoch: number;
  key: Uint8Array | undefined;
  payload: Uint8Array;
}

/** The records one after the other, and where each starts. */
export function encode(records: readonly RawRecord[]): { bytes: Buffer; starts: number[] } {
  const starts: number[] = [];
  const parts = records.map((record) => encodeOne(record));
  let at = 0;
  for (const part of parts) {
    starts.push(at);
    at += part.byteLength;
  }
  return { bytes: Buffer.concat(parts), starts };
}

function encodeOne({ sequence, epoch, key, payload }: RawRecord): Buffer {
  const keyLength = key?.byteLength ?? 0;
  const bytes = Buffer.alloc(recordBytes(keyLength, payload.byteLength));
  bytes.writeBigUInt64LE(BigInt(sequence), RECORD.sequence);
  bytes.writeBigUInt64LE(BigInt(epoch), RECORD.epoch);
  bytes.writeBigUInt64LE(1_700_000_000_000_000n + BigInt(sequence), RECORD.timestamp);
  bytes.writeBigUInt64LE(0xffff_ffff_ffff_ffffn, RECORD.offset);
  bytes.writeUInt32LE(payload.byteLength, RECORD.payloadLength);
  bytes.writeUInt16LE(key === undefined ? NO_KEY : keyLength, RECORD.keyLength);
  bytes.writeUInt8(sequence % 256, RECORD.kind);
  if (key !== undefined) bytes.set(key, RECORD_HEADER_BYTES);
  bytes.set(payload, RECORD_HEADER_BYTES + keyLength);
  return bytes;
}

/** Records numbered from `first`, of every shape: no key, an empty one, long ones; no payload, odd and large ones. */
export function randomRecords(random: Random, count: number, first: number): RawRecord[] {
  let epoch = random.below(5);
  return Array.from({ length: count }, (_, index) => {
    if (random.chance(0.1)) epoch++;
    const key = random.chance(0.3) ? undefined : random.bytes(random.pick([0, 1, 7, random.below(300)]));
    const payload = random.bytes(random.pick([0, 1, 8, random.below(200), random.below(5000)]));
    return { sequence: first + index, epoch, key, payload };
  });
}
