import { isErrno } from '../../engine/files.js';
import {
  JournalBusyError,
  JournalDamagedError,
  JournalMissingError,
  StateDamagedError,
  StorageError,
} from '../../errors.js';
import type { Disk } from '../disk/disk.js';
import { Spares } from '../disk/spares.js';
import { DATA_START } from '../format/format.js';
import { locateGroup } from '../read/locate.js';
import { CURSOR_DIRECTORY, readCursors, type StoredCursor } from '../retention/cursors.js';
import { JournalState } from '../state/state.js';
import { Attempt, type RecoveryReport, refuseOtherVolume } from './restore.js';
import { survey } from './survey.js';

/**
 * A journal as it lies on the disk, looked at without changing anything. Somebody may be writing to it: what does not
 * fit together then fits at the next try, and what is still the same at the next try is no matter of timing.
 */

const TRIES_MAX = 8;

/** Files that say that a reset or a cut is not finished. */
const DECISIONS = ['reset', 'truncate'];

export interface SnapshotOptions {
  volume: string | undefined;
  /** Whether the position of a cursor proves that what it has passed is durable. */
  cursorsProve: boolean;
}

export interface Snapshot {
  /** `last` is the newest record that something proves durable, `written` the newest sound one. */
  state: JournalState;
  cursors: StoredCursor[];
  /** Labels of the rows of the recovery table that apply. */
  rows: string[];
}

export async function takeSnapshot(disk: Disk, dir: string, options: SnapshotOptions): Promise<Snapshot> {
  let before: Error | undefined;
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    try {
      return await look(disk, dir, options);
    } catch (error) {
      if (!mayBeTiming(error)) throw error;
      if (error.message === before?.message && !(error instanceof JournalBusyError)) throw error;
      before = error;
    }
  }
  if (before instanceof JournalBusyError) throw before;
  throw new JournalBusyError(dir, 'it changed at each try', before);
}

function mayBeTiming(error: unknown): error is Error {
  if (error instanceof StorageError) return isErrno(error.cause, 'ENOENT');
  return (
    error instanceof JournalDamagedError || error instanceof StateDamagedError || error instanceof JournalBusyError
  );
}

async function look(disk: Disk, dir: string, options: SnapshotOptions): Promise<Snapshot> {
  const names = await listed(disk, dir);
  const pending = DECISIONS.find((name) => names.includes(name));
  if (pending !== undefined) throw new JournalBusyError(dir, `a ${pending} of it is not finished`);
  // The cursors first: what they have passed by now is in the segments that are looked at later.
  const cursors = names.includes(CURSOR_DIRECTORY) ? await readCursors(disk, dir) : [];
  const positions = cursors.map((cursor) => cursor.slot.sequence);
  let proof = options.cursorsProve ? Math.max(0, ...positions) : 0;
  const found = await survey(disk, dir, options.volume);
  refuseOtherVolume(found, options.volume, dir);
  const report: RecoveryReport = { rows: [], tails: [], rewritten: 0 };
  for (;;) {
    const attempt = new Attempt(disk, dir, found, proof, report, true);
    try {
      const outcome = await attempt.run();
      if (outcome === 'create') throw new JournalMissingError(dir);
      if (outcome === 'accept') return { state: await stateOf(disk, dir, attempt), cursors, rows: report.rows };
      // As if the segment that was just being made were not there; everything before it was synced.
      proof = Math.max(proof, (found.segments.pop()?.first ?? 1) - 1);
    } finally {
      await attempt.release();
    }
  }
}

async function listed(disk: Disk, dir: string): Promise<string[]> {
  try {
    return await disk.list(dir);
  } catch (error) {
    const missing = error instanceof StorageError && isErrno(error.cause, 'ENOENT', 'ENOTDIR');
    throw missing ? new JournalMissingError(dir, error) : error;
  }
}

/** The journal up to the end of the group that holds the newest record proved durable: a group is synced as a whole. */
async function stateOf(disk: Disk, dir: string, attempt: Attempt): Promise<JournalState> {
  const { segments, recent, file, scan, proven } = attempt.accepted;
  const { active } = segments;
  const end = { last: scan.last, lastChain: scan.chain, bytes: scan.end };
  if (proven < active.first)
    Object.assign(end, { last: active.first - 1, lastChain: active.header.chain, bytes: DATA_START });
  else if (proven < scan.last) {
    const { header, offset } = await locateGroup(file, active, proven);
    end.last = header.first + header.records - 1;
    end.bytes = offset + header.bytes;
    if (end.last < scan.last) end.lastChain = (await locateGroup(file, active, end.last + 1)).header.chain;
  }
  active.last = end.last;
  active.bytes = end.bytes;
  const { last, lastChain } = end;
  const durable = {
    dir,
    disk,
    segments,
    recent,
    spares: new Spares(disk, dir, 0),
    last,
    lastChain,
    lastEpoch: scan.epoch,
  };
  const state = new JournalState(durable, 0);
  state.written = scan.last;
  active.writtenBytes = scan.end;
  return state;
}
