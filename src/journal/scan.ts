import type { DiskFile } from './disk.js';
import {
  RECORD_ALIGNMENT,
  RECORD_HEADER_BYTES,
  RECORD_MAGIC,
  SEGMENT_HEADER_BYTES,
  type SegmentHeader,
} from './format.js';
import { Block, chainAfter, decodeHeader, decodeRecord, type RecordHeader } from './record.js';

/** Reads a segment from its start and says how far it is sound, and what the rest proves. */

const SCAN_BLOCK_BYTES = 1024 * 1024;

export interface Scan {
  /** The newest sound record; first - 1 when there is none. */
  last: number;
  chain: bigint;
  epoch: number;
  /** Where the sound records end. */
  end: number;
  /** The highest `durableThrough` of any sound header, also behind a bad record. */
  proven: number;
  bad?: { found: string; through: number };
}

export const EMPTY_BLOCK = new Block(Buffer.alloc(0), 0);

/** The block, if it holds the range already, or else a new one that starts with it; it is shorter if the file is. */
export async function covering(
  file: DiskFile,
  block: Block,
  offset: number,
  bytes: number,
  end: number,
): Promise<Block> {
  if (offset >= block.fileOffset && offset + bytes <= block.fileEnd) return block;
  return readBlock(file, offset, Math.min(Math.max(bytes, SCAN_BLOCK_BYTES), end - offset));
}

export async function readBlock(file: DiskFile, offset: number, bytes: number): Promise<Block> {
  const buffer = Buffer.allocUnsafeSlow(bytes);
  const filled = await file.read(buffer, offset);
  return new Block(filled === bytes ? buffer : buffer.subarray(0, filled), offset);
}

export async function scanSegment(
  file: DiskFile,
  header: SegmentHeader,
  seed: bigint,
  visit: (record: RecordHeader, offset: number) => void,
): Promise<Scan> {
  const size = await file.size();
  const scan: Scan = {
    last: header.first - 1,
    chain: header.chain,
    epoch: header.epoch,
    end: SEGMENT_HEADER_BYTES,
    proven: header.first - 1,
  };
  let block = EMPTY_BLOCK;
  while (scan.end < size) {
    block = await covering(file, block, scan.end, RECORD_HEADER_BYTES, size);
    let record = headerAt(block, scan, seed);
    if (typeof record !== 'string') {
      if (scan.end + record.bytes <= size) block = await covering(file, block, scan.end, record.bytes, size);
      record = contentAt(block, scan.end, record);
    }
    if (typeof record === 'string') {
      const behind = await evidenceBehind(file, scan.end + RECORD_ALIGNMENT, size, seed);
      scan.bad = { found: record, through: behind.firstSequence - 1 };
      scan.proven = Math.max(scan.proven, behind.proven);
      return scan;
    }
    visit(record, scan.end);
    scan.end += record.bytes;
    scan.last = record.sequence;
    scan.chain = record.chain;
    scan.epoch = record.epoch;
    scan.proven = Math.max(scan.proven, record.durableThrough);
  }
  return scan;
}

/** The header of the record that should follow, or what is wrong with it. */
function headerAt(block: Block, scan: Scan, seed: bigint): RecordHeader | string {
  const at = scan.end - block.fileOffset;
  if (at + RECORD_HEADER_BYTES > block.bytes.byteLength) return 'the file ends within a header';
  const record = decodeHeader(block, at, seed);
  if (typeof record === 'string') return record;
  if (record.sequence !== scan.last + 1) return `record ${record.sequence} stands where ${scan.last + 1} belongs`;
  if (record.epoch < scan.epoch) return `epoch ${record.epoch} follows ${scan.epoch}`;
  if (record.chain !== chainAfter(scan.chain, block, at)) return 'chain differs';
  return record;
}

function contentAt(block: Block, offset: number, record: RecordHeader): RecordHeader | string {
  const at = offset - block.fileOffset;
  if (at < 0 || at + record.bytes > block.bytes.byteLength) return 'the file ends within a record';
  return decodeRecord(block, at, record) === undefined ? 'payload checksum differs' : record;
}

/** Looks for sound headers behind a bad record: the highest proof among them and the sequence number of the first. */
async function evidenceBehind(
  file: DiskFile,
  from: number,
  size: number,
  seed: bigint,
): Promise<{ proven: number; firstSequence: number }> {
  const magic = Buffer.alloc(4);
  magic.writeUInt32LE(RECORD_MAGIC);
  let proven = 0;
  let firstSequence = Number.POSITIVE_INFINITY;
  for (let offset = from; offset + RECORD_HEADER_BYTES <= size; ) {
    const block = await readBlock(file, offset, Math.min(SCAN_BLOCK_BYTES, size - offset));
    const end = block.bytes.byteLength - RECORD_HEADER_BYTES;
    for (let at = block.bytes.indexOf(magic); at >= 0 && at <= end; at = block.bytes.indexOf(magic, at + 1)) {
      if (at % RECORD_ALIGNMENT !== 0) continue;
      const record = decodeHeader(block, at, seed);
      if (typeof record === 'string') continue;
      proven = Math.max(proven, record.durableThrough);
      firstSequence = Math.min(firstSequence, record.sequence);
    }
    if (block.fileEnd >= size || end < 0) break;
    // The next block begins where a header no longer fitted into this one.
    offset = block.fileEnd - RECORD_HEADER_BYTES + RECORD_ALIGNMENT;
  }
  return { proven, firstSequence };
}
