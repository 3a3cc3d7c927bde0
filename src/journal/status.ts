import { type Engine, engine } from '../engine/engine.js';
import type { JournalDamage } from './repair/scrub.js';
import type { Scrubber, ScrubStatus } from './repair/scrubber.js';
import type { OnFull, OpenCursor } from './retention/cursor.js';
import type { CursorSet } from './retention/cursors.js';
import type { Retention } from './retention/retention.js';
import type { JournalState } from './state/state.js';
import type { Intake } from './write/intake.js';
import type { GroupWriter } from './write/writer.js';

/** Records that wait this long for a cursor make it a stalled one. */
const STALLED_MS = 3_600_000;

export interface CursorStatus {
  name: string;
  position: number;
  /** Durable bytes and records that it holds back: those behind its position, none when it is detached. */
  heldBytes: number;
  heldRecords: number;
  /** How long ago the first record was written that it holds back; 0 when there is none. */
  behindMs: number;
  /** How long the cursor has not moved in this process. */
  idleMs: number;
  /** Whether records have waited for it for more than an hour. */
  stalled: boolean;
  onFull: OnFull;
  detached: boolean;
}

export interface JournalStatus {
  first: number;
  last: number;
  assigned: number;
  diskBytes: number;
  /** Durable bytes that some cursor has not passed; all of them without cursors. */
  queueBytes: number;
  pendingBytes: number;
  /** The record from which on everything stays, as `keepFrom` asked for or as a short disk has left it. */
  keptFrom?: number;
  /** The time of the oldest record that some cursor has not passed, or of one shortly before it. */
  oldestUnreleasedTimestamp?: number;
  cursors: CursorStatus[];
  /** What scrubs of this run found unreadable in what is still there; it does not keep the journal from working. */
  damage: JournalDamage[];
  scrub: ScrubStatus;
  /** What computes its checksums and writes. */
  engine: Engine;
  /** Why the journal takes nothing more. */
  broken?: string;
}

export function describeJournal(
  state: JournalState,
  intake: Intake,
  writer: GroupWriter,
  retention: Retention,
  cursors: CursorSet,
  scrubber: Scrubber,
): JournalStatus {
  const status: JournalStatus = {
    first: state.first,
    last: state.last,
    assigned: intake.assigned,
    diskBytes: retention.diskBytes,
    queueBytes: retention.queueBytes,
    pendingBytes: writer.pendingBytes,
    cursors: cursors.list().map((cursor) => describeCursor(cursor, state, retention)),
    damage: scrubber.damage,
    scrub: scrubber.status,
    engine,
  };
  if (retention.keeps !== undefined) status.keptFrom = retention.keeps;
  const timestamp = retention.oldestTimestamp;
  if (timestamp !== undefined) status.oldestUnreleasedTimestamp = timestamp;
  if (state.failure !== undefined) status.broken = state.failure.message;
  return status;
}

function describeCursor(cursor: OpenCursor, state: JournalState, retention: Retention): CursorStatus {
  const { name, position, onFull, detached } = cursor;
  const oldest = detached ? undefined : retention.timestampBehind(position);
  const behindMs = oldest === undefined ? 0 : Math.max(0, (retention.now() - oldest) / 1000);
  return {
    name,
    position,
    heldBytes: detached ? 0 : retention.heldBytes(position),
    heldRecords: detached ? 0 : state.last - Math.max(position, state.first - 1),
    behindMs,
    idleMs: performance.now() - cursor.movedAt,
    stalled: behindMs > STALLED_MS,
    onFull,
    detached,
  };
}
