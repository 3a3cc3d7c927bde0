import { join } from 'node:path';
import { checksum64 } from '../../engine/checksum.js';
import { FormatVersionError, StateDamagedError } from '../../errors.js';
import type { Disk } from '../disk/disk.js';
import {
  decodeSegmentHeader,
  encodeSegmentHeader,
  FORMAT_VERSION,
  getU64,
  SEGMENT_HEADER_BYTES,
  type SegmentHeader,
  setU64,
  viewOf,
} from '../format/format.js';

/**
 * The file `truncate`: the decision to cut the end of a journal off. It holds the header of the segment that takes the
 * place of the one that held the first record to go, then
 *
 *   sequence, chain        the last record that stays, and its chain
 *   cutOffset, cutEnd      what goes of the old segment; from 0 when all of it goes
 *   checksum               XXH64 of the four, from the checksum of the header
 */

const FIELD = { sequence: 0, chain: 8, cutOffset: 16, cutEnd: 24, checksum: 32 } as const;
const FIELD_BYTES = 40;
const FILE = 'truncate';

export interface Truncation {
  /** Of the segment that ends with `sequence`; it may be without any record. */
  header: SegmentHeader;
  sequence: number;
  chain: bigint;
  cutOffset: number;
  cutEnd: number;
}

/** What the checksums in the segment of that header start from: it tells the new segment from the old. */
export function seedOf(header: SegmentHeader): bigint {
  return encodeSegmentHeader(header).seed;
}

export function encodeTruncation(decision: Truncation): Buffer {
  const { bytes, seed } = encodeSegmentHeader(decision.header);
  const fields = Buffer.alloc(FIELD_BYTES);
  const view = viewOf(fields);
  setU64(view, FIELD.sequence, decision.sequence);
  view.setBigUint64(FIELD.chain, decision.chain, true);
  setU64(view, FIELD.cutOffset, decision.cutOffset);
  setU64(view, FIELD.cutEnd, decision.cutEnd);
  view.setBigUint64(FIELD.checksum, checksum64(fields.subarray(0, FIELD.checksum), seed), true);
  return Buffer.concat([bytes, fields]);
}

export function decodeTruncation(bytes: Buffer): Truncation | undefined {
  const decoded = decodeSegmentHeader(bytes);
  if (decoded.state !== 'valid' || bytes.byteLength !== SEGMENT_HEADER_BYTES + FIELD_BYTES) return undefined;
  const fields = bytes.subarray(SEGMENT_HEADER_BYTES);
  const view = viewOf(fields);
  const checksum = checksum64(fields.subarray(0, FIELD.checksum), decoded.seed);
  if (view.getBigUint64(FIELD.checksum, true) !== checksum) return undefined;
  return {
    header: decoded.header,
    sequence: getU64(view, FIELD.sequence),
    chain: view.getBigUint64(FIELD.chain, true),
    cutOffset: getU64(view, FIELD.cutOffset),
    cutEnd: getU64(view, FIELD.cutEnd),
  };
}

/** Makes the decision: from here on whoever opens the directory carries it out. */
export async function decideTruncation(disk: Disk, dir: string, decision: Truncation): Promise<void> {
  const path = join(dir, FILE);
  await disk.placeFile(`${path}.tmp`, path, encodeTruncation(decision));
  await disk.syncDirectory(dir);
}

/** The decision that was made and not carried out, if there is one. */
export async function pendingTruncation(disk: Disk, dir: string): Promise<Truncation | undefined> {
  const names = await disk.list(dir);
  if (!names.includes(FILE)) {
    if (names.includes(`${FILE}.tmp`)) await disk.remove(join(dir, `${FILE}.tmp`));
    return undefined;
  }
  const path = join(dir, FILE);
  const file = await disk.open(path, 'r');
  try {
    const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES + FIELD_BYTES);
    const filled = await file.read(bytes, 0);
    const decision = decodeTruncation(bytes.subarray(0, filled));
    if (decision !== undefined) return decision;
    const header = decodeSegmentHeader(bytes.subarray(0, SEGMENT_HEADER_BYTES));
    if (header.state === 'other') throw new FormatVersionError(path, header.version, FORMAT_VERSION);
  } finally {
    await file.close();
  }
  throw new StateDamagedError(
    path,
    'the decision to cut the journal is damaged',
    'remove it to keep the records that were to go, and cut again',
  );
}

/** Ends the matter: the decision is carried out. */
export async function forgetTruncation(disk: Disk, dir: string): Promise<void> {
  await disk.remove(join(dir, FILE));
  await disk.syncDirectory(dir);
}
