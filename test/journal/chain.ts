import { checksum64 } from '../../src/engine/checksum.js';
import type { JournalRecord } from '../../src/journal/journal.js';

/** The chain of a record, from the description of the format and not from the code under test. */
export function chainBehind(before: bigint, record: Omit<JournalRecord, 'checksum' | 'chain'>): bigint {
  const canonical = Buffer.alloc(48);
  canonical.writeBigUInt64LE(BigInt(record.sequence), 0);
  canonical.writeBigUInt64LE(BigInt(record.epoch), 8);
  canonical.writeBigUInt64LE(BigInt(record.timestamp), 16);
  canonical.writeBigUInt64LE(record.offset === undefined ? 2n ** 64n - 1n : BigInt(record.offset), 24);
  canonical.writeBigUInt64LE(checksum64(record.payload, checksum64(record.key ?? Buffer.alloc(0))), 32);
  canonical.writeUInt32LE(record.payload.length, 40);
  canonical.writeUInt16LE(record.key?.length ?? 0xffff, 44);
  canonical.writeUInt8(record.kind, 46);
  return checksum64(canonical, before);
}
