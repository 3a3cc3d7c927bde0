import { AbortedError, ClosedError, JournalDamagedError, StorageError } from '../../errors.js';
import type { DiskFile } from '../disk/disk.js';
import { seedIn } from '../disk/seed.js';
import type { Segment } from '../format/segment.js';
import { openSegment } from '../read/locate.js';
import { findGroup } from '../scan/find-group.js';
import { GroupWalk, type WalkEnd, type WalkPosition } from '../scan/group-walk.js';
import { startOf } from '../scan/scan.js';
import type { JournalState } from '../state/state.js';

/**
 * Reading everything a journal holds and checking it, before somebody needs it: what has gone bad on the disk can be
 * repaired for as long as a peer still has it. What the system keeps in memory is not read from the disk again.
 */

/** Something that cannot be read, as JournalDamagedError tells it too. */
export interface JournalDamage {
  segment: string;
  offset: number;
  fromSequence: number;
  toSequence: number;
  found: string;
}

export interface ScrubProgress {
  checkedBytes: number;
  totalBytes: number;
}

export interface ScrubReport {
  /** Segments that were read whole, and those that were freed before or meanwhile. */
  segments: number;
  skipped: number;
  records: number;
  bytes: number;
  damage: JournalDamage[];
}

export interface ScrubWork {
  /** Ends the scrub with AbortedError. */
  signal: AbortSignal;
  /** Called with what has been read; the scrub goes on when it resolves. */
  spent(bytes: number): Promise<void>;
  progress(progress: ScrubProgress): void;
  damaged(segment: Segment, damage: JournalDamage): void;
}

/** Past this, the rest of a segment counts as damaged in one piece. */
const DAMAGES_PER_SEGMENT_MAX = 100;

/** Reads all segments as they are now, the durable part of the active one last. */
export async function scrub(state: JournalState, work: ScrubWork): Promise<ScrubReport> {
  const segments = [...state.segments.sealed(), state.segments.active];
  const totalBytes = segments.reduce((sum, segment) => sum + segment.bytes, 0);
  const report: ScrubReport = { segments: 0, skipped: 0, records: 0, bytes: 0, damage: [] };
  let checkedBytes = 0;
  const spent = async (bytes: number) => {
    checkedBytes += bytes;
    work.progress({ checkedBytes, totalBytes: Math.max(totalBytes, checkedBytes) });
    await work.spent(bytes);
    if (state.closed) throw new ClosedError(`journal ${state.dir}`);
    if (work.signal.aborted) throw new AbortedError('scrub', undefined, work.signal.reason);
  };
  for (const segment of segments) {
    const before = checkedBytes;
    const check = new SegmentCheck(state, segment, spent);
    if (await check.run()) {
      report.segments++;
      report.records += check.records;
      report.bytes += checkedBytes - before;
      for (const damage of check.damage) work.damaged(segment, damage);
      report.damage.push(...check.damage);
    } else {
      report.skipped++;
    }
    await spent(Math.max(0, before + segment.bytes - checkedBytes));
  }
  return report;
}

/** One segment, up to where it was durable when its turn came. */
class SegmentCheck {
  readonly damage: JournalDamage[] = [];
  records = 0;
  private readonly end: number;
  private readonly last: number;
  /** The chain of record `last`. */
  private readonly chain: bigint;

  constructor(
    private readonly state: JournalState,
    private readonly segment: Segment,
    private readonly spent: (bytes: number) => Promise<void>,
  ) {
    this.end = segment.bytes;
    this.last = segment.last;
    this.chain = state.segments.after(segment)?.header.chain ?? state.lastChain;
  }

  /** False when the segment was freed: then its file may serve another one, and what was found means nothing. */
  async run(): Promise<boolean> {
    const { state, segment } = this;
    if (!state.segments.has(segment)) return false;
    let file: DiskFile | undefined;
    try {
      file = await openSegment(state, segment);
      if (file === undefined) return false;
      await this.header(file);
      await this.groups(file);
    } catch (error) {
      if (!(error instanceof StorageError || error instanceof JournalDamagedError)) throw error;
      // A disk that cannot be read from is what a scrub is there to find.
      this.note({ offset: 0, from: segment.first, to: this.last, found: error.message });
    } finally {
      await file?.close();
    }
    return state.segments.has(segment);
  }

  private async header(file: DiskFile): Promise<void> {
    if ((await seedIn(file)) === this.segment.seed) return;
    this.note({ offset: 0, from: this.segment.first, to: this.last, found: 'the header of the segment is damaged' });
  }

  private async groups(file: DiskFile): Promise<void> {
    const { end, last } = this;
    let position: WalkPosition = startOf(this.segment);
    for (;;) {
      const ended = await this.walk(file, position);
      if (ended.reason === 'end') break;
      const bad =
        ended.reason === 'bad'
          ? ended.bad
          : { offset: position.offset, sequence: position.last + 1, found: 'no group header starts here' };
      const room = this.damage.length < DAMAGES_PER_SEGMENT_MAX;
      const search = { from: position.offset + 1, to: end, after: position.last + 1 };
      const next = room ? await findGroup(file, this.segment.seed, search) : undefined;
      this.note({ ...bad, from: bad.sequence, to: next === undefined ? last : next.header.first - 1 });
      if (next === undefined) return;
      await this.spent(next.offset - position.offset);
      const { first, chain } = next.header;
      position = { offset: next.offset, last: first - 1, chain, epoch: 0 };
    }
    if (position.last === last && position.chain === this.chain) return;
    const found = position.last === last ? 'the chain does not lead to what follows' : 'the segment ends before it';
    this.note({ offset: position.offset, from: Math.min(position.last + 1, last), to: last, found });
  }

  /** Goes over sound groups; the position is behind the last of them. */
  private async walk(file: DiskFile, position: WalkPosition): Promise<WalkEnd> {
    const walk = new GroupWalk(file, this.segment.seed, position, {
      group: (header) => {
        this.records += header.records;
      },
    });
    for (;;) {
      const { offset } = position;
      const ended = await walk.next(this.end);
      if (ended !== undefined) return ended;
      await this.spent(position.offset - offset);
    }
  }

  private note({ offset, from, to, found }: { offset: number; from: number; to: number; found: string }): void {
    const toSequence = Math.max(from, to);
    this.damage.push({ segment: this.segment.path, offset, fromSequence: from, toSequence, found });
  }
}
