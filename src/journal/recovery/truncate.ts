import { join } from 'node:path';
import { InvalidArgumentError, JournalDamagedError } from '../../errors.js';
import type { Disk } from '../disk/disk.js';
import { seedAt, seedIn } from '../disk/seed.js';
import { copyTail, pruneTails, tailPath } from '../disk/tails.js';
import { DATA_START, firstOfName, type SegmentHeader, segmentName } from '../format/format.js';
import { recordBytesAt, sequenceAt } from '../format/record.js';
import type { Segment } from '../format/segment.js';
import { type CursorSet, moveStored, type StoredCursor } from '../retention/cursors.js';
import { GroupWalk } from '../scan/group-walk.js';
import { removeSides } from '../side/remove.js';
import type { JournalState } from '../state/state.js';
import { SegmentBuilder } from '../write/segment-builder.js';
import { type GroupWriter, randomSalt } from '../write/writer.js';
import { decideTruncation, forgetTruncation, pendingTruncation, seedOf, type Truncation } from './truncation.js';

/**
 * Cutting the end of a journal off, safely under a crash. A group says how long it is, so the segment that holds the
 * first record to go is made anew, aside, with what stays of it. Then the decision falls (truncation.ts), and from then
 * on every step can be done again: put whole segments aside, copy what goes of the old segment aside, rename the new
 * one over it, move the cursors back, and remove the decision.
 */

const ASIDE = 'truncate.segment';

/** What a cut needs of the journal around it, in which nothing is written and nothing freed meanwhile. */
export interface TruncateHome {
  state: JournalState;
  writer: GroupWriter;
  cursors: CursorSet;
  segmentBytes: number;
}

/** Makes `sequence` the last record. Fails without harm until the decision falls, and breaks the journal after. */
export async function truncate(home: TruncateHome, sequence: number): Promise<void> {
  const { state } = home;
  const { first, last } = state;
  if (sequence < first - 1 || sequence > last) {
    throw new InvalidArgumentError('sequence', sequence, `an integer from ${first - 1} to ${last}, the newest record`);
  }
  const old = state.segments.holding(sequence + 1);
  if (old === undefined) return;
  const rebuilt = await prepare(home, old, sequence);
  try {
    await carryOut(home, rebuilt);
  } catch (error) {
    state.fail(error);
    await rebuilt.builder.close().catch(() => {});
    throw state.failure ?? error;
  }
}

async function carryOut(home: TruncateHome, { builder, decision }: Rebuilt): Promise<void> {
  const { state, writer, cursors } = home;
  const { disk, dir } = state;
  await decideTruncation(disk, dir, decision);
  await renaming(state, () => {
    state.cut(builder.segment, decision.chain, builder.epoch);
    builder.noteRecent(state.recent);
    return replace(disk, dir, decision);
  });
  await writer.replaceFile(builder.renamed());
  await cursors.moveBack(decision.sequence, decision.chain);
  await finish(disk, dir, decision);
}

/** Lets nobody open a segment by its name while names change. */
async function renaming<T>(state: JournalState, work: () => Promise<T>): Promise<T> {
  let done: () => void = () => {};
  state.renaming = new Promise((resolve) => {
    done = resolve;
  });
  try {
    return await work();
  } finally {
    state.renaming = undefined;
    done();
  }
}

/** Carries on with a cut that was decided and not finished, if there is one. */
export async function resumeTruncate(
  disk: Disk,
  dir: string,
  stored: readonly StoredCursor[],
  segmentBytes: number,
): Promise<void> {
  const decision = await pendingTruncation(disk, dir);
  if (decision === undefined) return disk.remove(join(dir, ASIDE));
  // Only the process may have ended: the decision has to be on the disk before anything follows from it.
  await disk.syncDirectory(dir);
  const { sequence, chain, header } = decision;
  const path = join(dir, segmentName(header.first));
  const seed = seedOf(header);
  // A power cut may have taken the new segment between its two names.
  if ((await seedAt(disk, path)) !== seed && (await seedAt(disk, join(dir, ASIDE))) !== seed) {
    const { builder } = await rebuild(disk, dir, path, { ...decision, fileBytesMax: segmentBytes });
    await builder.close();
    await disk.syncDirectory(dir);
  }
  await replace(disk, dir, decision);
  for (const cursor of stored) {
    const { slot } = cursor;
    if (slot.sequence > sequence) await moveStored(disk, cursor, { ...slot, sequence, chain });
  }
  await finish(disk, dir, decision);
}

interface Rebuilt {
  builder: SegmentBuilder;
  decision: Truncation;
}

/** Makes the new segment, aside and durable. Nothing else is changed yet. */
async function prepare({ state, segmentBytes }: TruncateHome, old: Segment, sequence: number): Promise<Rebuilt> {
  const { disk, dir } = state;
  const header = { ...old.header, salt: randomSalt(), recycled: false };
  const plan = { header, sequence, cutEnd: old.bytes, fileBytesMax: segmentBytes };
  try {
    const rebuilt = await rebuild(disk, dir, old.path, plan);
    await disk.syncDirectory(dir).catch(async (error: unknown) => {
      await rebuilt.builder.close();
      throw error;
    });
    return rebuilt;
  } catch (error) {
    await disk.remove(join(dir, ASIDE)).catch(() => {});
    throw error;
  }
}

interface RebuildPlan {
  header: SegmentHeader;
  sequence: number;
  cutEnd: number;
  fileBytesMax: number;
}

/** Copies what stays of the old segment into the new one, aside. */
async function rebuild(disk: Disk, dir: string, oldPath: string, plan: RebuildPlan): Promise<Rebuilt> {
  const { header, sequence, cutEnd, fileBytesMax } = plan;
  const builder = await SegmentBuilder.create(disk, dir, { path: join(dir, ASIDE), header, fileBytesMax });
  try {
    const cutOffset = sequence < header.first ? 0 : await copyThrough(disk, oldPath, plan, builder);
    const { chain } = await builder.finish();
    return { builder, decision: { header, sequence, chain, cutOffset, cutEnd } };
  } catch (error) {
    await builder.close();
    throw error;
  }
}

/** Copies the records up to `sequence`; returns where the first one lies that goes. What is bad behind is no matter. */
async function copyThrough(disk: Disk, path: string, plan: RebuildPlan, builder: SegmentBuilder): Promise<number> {
  const { header, sequence, cutEnd } = plan;
  const { first, chain, epoch } = header;
  const file = await disk.open(path, 'r');
  try {
    const seed = await seedIn(file);
    if (typeof seed !== 'bigint') throw new JournalDamagedError(path, 0, first, sequence, 'its header is damaged');
    let kept = DATA_START;
    const walk = new GroupWalk(
      file,
      seed,
      { offset: DATA_START, last: first - 1, chain, epoch },
      {
        record(block, at) {
          if (sequenceAt(block.view, at) > sequence) return;
          const bytes = recordBytesAt(block.view, at);
          builder.addBytes(block.bytes.subarray(at, at + bytes));
          kept = block.fileOffset + at + bytes;
        },
      },
    );
    while (builder.last < sequence) {
      const ended = await walk.next(cutEnd);
      await builder.relieve();
      if (ended === undefined || builder.last === sequence) continue;
      const { offset, found } =
        ended.reason === 'bad' ? ended.bad : { ...walk.position, found: 'no group starts here' };
      throw new JournalDamagedError(path, offset, builder.last + 1, sequence, found);
    }
    return kept;
  } finally {
    await file.close();
  }
}

/** Puts what goes aside and the new segment in its place. */
async function replace(disk: Disk, dir: string, decision: Truncation): Promise<void> {
  const { header, cutOffset, cutEnd } = decision;
  const path = join(dir, segmentName(header.first));
  const old = await seedAt(disk, path);
  const names = (await disk.list(dir)).sort();
  await removeSides(disk, dir, names, (first) => first >= header.first);
  for (const name of names) {
    const first = firstOfName(name);
    const whole = first !== undefined && (first > header.first || (first === header.first && cutOffset === 0));
    if (!whole || (first === header.first && old === seedOf(header))) continue;
    await disk.rename(join(dir, name), tailPath(join(dir, name), 0));
  }
  await disk.syncDirectory(dir);
  if (old === seedOf(header)) return;
  if (cutOffset > 0) await keepPart(disk, path, cutOffset, cutEnd);
  await disk.rename(join(dir, ASIDE), path);
  await disk.syncDirectory(dir);
}

async function keepPart(disk: Disk, path: string, from: number, to: number): Promise<void> {
  const file = await disk.open(path, 'r');
  try {
    await copyTail(disk, file, from, to);
  } finally {
    await file.close();
  }
}

/** Ends the matter. Old tails go as far as they are too many, but none of what lay behind this cut. */
async function finish(disk: Disk, dir: string, { header }: Truncation): Promise<void> {
  await disk.remove(join(dir, ASIDE));
  await forgetTruncation(disk, dir);
  await pruneTails(disk, dir, (name) => name >= segmentName(header.first));
}
