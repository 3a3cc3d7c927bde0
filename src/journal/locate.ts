import { isErrno } from '../engine/files.js';
import { JournalDamagedError, StorageError } from '../errors.js';
import type { DiskFile } from './disk.js';
import { INITIAL_CHAIN, RECORD_HEADER_BYTES } from './format.js';
import { decodeHeader, type RecordHeader } from './record.js';
import { EMPTY_BLOCK, readBlock } from './scan.js';
import type { Segment } from './segment.js';
import type { JournalState } from './state.js';

/** Finds a record by its number: from the nearest known place from header to header, adding to the index on the way. */

const LOCATE_BLOCK_BYTES = 64 * 1024;

export async function locate(
  file: DiskFile,
  segment: Segment,
  sequence: number,
): Promise<{ offset: number; header: RecordHeader }> {
  let { sequence: next, offset } = segment.near(sequence);
  let block = EMPTY_BLOCK;
  for (;;) {
    const at = offset - block.fileOffset;
    if (at < 0 || at + RECORD_HEADER_BYTES > block.bytes.byteLength) {
      block = await readBlock(file, offset, Math.max(0, Math.min(LOCATE_BLOCK_BYTES, segment.bytes - offset)));
      if (block.bytes.byteLength < RECORD_HEADER_BYTES) throw damage(segment, offset, next, 'the file ends before it');
      continue;
    }
    const header = decodeHeader(block, at, segment.seed);
    if (typeof header === 'string') throw damage(segment, offset, next, header);
    if (header.sequence !== next) throw damage(segment, offset, next, `record ${header.sequence} stands in its place`);
    segment.note(next, offset, header.timestamp);
    if (next === sequence) return { offset, header };
    offset += header.bytes;
    next++;
  }
}

function damage(segment: Segment, offset: number, sequence: number, found: string): JournalDamagedError {
  return new JournalDamagedError(segment.path, offset, sequence, sequence, found);
}

/** The chain up to and including a record; undefined when the journal does not hold it. */
export async function chainAt(state: JournalState, sequence: number): Promise<bigint | undefined> {
  if (sequence === state.last) return state.lastChain;
  if (sequence === state.first - 1) return state.segments.oldest.header.chain;
  if (sequence === 0) return INITIAL_CHAIN;
  if (sequence > state.last || sequence < state.first) return undefined;
  const recent = state.recent.chainOf(sequence);
  if (recent !== undefined) return recent;
  const segment = state.segments.holding(sequence);
  if (segment === undefined) return undefined;
  let file: DiskFile;
  try {
    file = await state.disk.open(segment.path, 'r');
  } catch (error) {
    if (error instanceof StorageError && isErrno(error.cause, 'ENOENT') && !state.segments.has(segment))
      return undefined;
    throw error;
  }
  try {
    return (await locate(file, segment, sequence)).header.chain;
  } finally {
    await file.close();
  }
}
