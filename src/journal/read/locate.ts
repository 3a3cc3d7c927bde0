import { isErrno } from '../../engine/files.js';
import { JournalDamagedError, SequenceGoneError, StorageError } from '../../errors.js';
import type { DiskFile } from '../disk/disk.js';
import { decodeGroupHeader, GROUP_HEADER_BYTES, type GroupHeader, INITIAL_CHAIN } from '../format/format.js';
import { chainOfRecordAt, sequenceAt } from '../format/record.js';
import type { Segment } from '../format/segment.js';
import { EMPTY_BLOCK, readBlock } from '../scan/block.js';
import { GroupWalk } from '../scan/group-walk.js';
import type { JournalState } from '../state/state.js';

/** Finds the group of a record: from the nearest known place from header to header. */

const LOCATE_BLOCK_BYTES = 64 * 1024;

export async function locateGroup(
  file: DiskFile,
  segment: Segment,
  sequence: number,
): Promise<{ offset: number; header: GroupHeader }> {
  let { sequence: next, offset } = segment.near(sequence);
  let block = EMPTY_BLOCK;
  const end = Math.max(segment.bytes, segment.writtenBytes);
  for (;;) {
    if (!block.holds(offset, GROUP_HEADER_BYTES)) {
      block = await readBlock(file, offset, Math.max(0, Math.min(LOCATE_BLOCK_BYTES, end - offset)));
      if (!block.holds(offset, GROUP_HEADER_BYTES)) throw damage(segment, offset, next, 'the file ends before it');
    }
    const header = decodeGroupHeader(block.bytes, offset - block.fileOffset, segment.seed);
    if (header === undefined) throw damage(segment, offset, next, 'no group header starts here');
    if (header.first !== next) throw damage(segment, offset, next, `record ${header.first} stands in its place`);
    if (sequence < next + header.records) return { offset, header };
    offset += header.bytes;
    next += header.records;
  }
}

export function damage(segment: Segment, offset: number, sequence: number, found: string): JournalDamagedError {
  return new JournalDamagedError(segment.path, offset, sequence, sequence, found);
}

/** Opens a segment for reading; undefined when it was freed meanwhile. */
export async function openSegment(state: JournalState, segment: Segment): Promise<DiskFile | undefined> {
  while (state.renaming !== undefined) await state.renaming;
  try {
    return await state.disk.open(segment.path, 'r');
  } catch (error) {
    const gone = error instanceof StorageError && isErrno(error.cause, 'ENOENT');
    if (gone && !state.segments.has(segment)) return undefined;
    throw gone ? new JournalDamagedError(segment.path, 0, segment.first, segment.last, 'the file is gone') : error;
  }
}

/** Damage in a segment that was freed meanwhile is none: its file serves another one by now. */
export function unlessFreed(state: JournalState, segment: Segment, sequence: number, error: unknown): unknown {
  if (state.segments.has(segment)) return error;
  return new SequenceGoneError(sequence, state.first, state.last);
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
  if (segment.last === sequence) return state.segments.after(segment)?.header.chain;
  const file = await openSegment(state, segment);
  // Freed meanwhile, or cut behind the record: asked anew, the journal knows.
  if (file === undefined) return chainAt(state, sequence);
  try {
    return await chainInFile(file, segment, sequence);
  } catch (error) {
    if (!state.segments.has(segment)) return chainAt(state, sequence);
    throw error;
  } finally {
    await file.close();
  }
}

async function chainInFile(file: DiskFile, segment: Segment, sequence: number): Promise<bigint> {
  const { offset, header } = await locateGroup(file, segment, sequence);
  let chain: bigint | undefined;
  const position = { offset, last: header.first - 1, chain: header.chain, epoch: 0 };
  const walk = new GroupWalk(file, segment.seed, position, {
    record(block, at) {
      if (sequenceAt(block.view, at) === sequence) chain = chainOfRecordAt(block.view, at);
    },
  });
  const ended = await walk.to(offset + header.bytes);
  if (chain !== undefined) return chain;
  const bad = ended.reason === 'bad' ? ended.bad : { offset, sequence, found: 'it is not in its group' };
  throw damage(segment, bad.offset, bad.sequence, bad.found);
}
