import { ByteReader, ByteWriter } from '../engine/bytes.js';
import { DIGEST_BYTES } from '../engine/digest.js';
import { displayPath, pathBytes, pathFromBytes } from './path.js';
import type { RootDigest } from './root-digest.js';

/** What a volume asks of its replica outside the stream, and how the answers are written. */

/** Compare the replica's files with its catalog and say what the catalog holds. Body: flags u8, bit 0 rereads content. */
export const VERIFY_QUESTION = 'volume.verify';
/** Say everything the catalog holds, as entries in path order (entry-codec.ts). */
export const LISTING_QUESTION = 'volume.listing';

export interface ReplicaReport extends RootDigest {
  /** Entries that were not as the stream had left them; the catalog says what is there instead. */
  drifted: number;
  /** Some of their paths, for people. */
  examples: string[];
}

export const EXAMPLES_MAX = 8;
const PATH_BYTES_MAX = 4096;

export function encodeVerifyQuestion(deep: boolean): Buffer {
  return Buffer.from([deep ? 1 : 0]);
}

export function encodeReport(report: ReplicaReport): Buffer {
  const writer = new ByteWriter().raw(report.digest).varint(report.entries).varint(report.files).varint(report.bytes);
  writer.varint(report.drifted).varint(report.examples.length);
  for (const path of report.examples) writer.bytes(pathBytes(path));
  return writer.take();
}

export function decodeReport(bytes: Buffer): ReplicaReport {
  const reader = new ByteReader(bytes, 'verify answer');
  const report = {
    digest: reader.raw(DIGEST_BYTES),
    entries: reader.varint(),
    files: reader.varint(),
    bytes: reader.varint(),
    drifted: reader.varint(),
    examples: Array.from({ length: reader.varint(EXAMPLES_MAX) }, () =>
      displayPath(pathFromBytes(reader.bytes(PATH_BYTES_MAX))),
    ),
  };
  reader.end();
  return report;
}
