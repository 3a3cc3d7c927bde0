import type { CursorSet } from './cursors.js';
import type { Intake } from './intake.js';
import type { Retention } from './retention.js';
import type { JournalState } from './state.js';
import type { GroupWriter } from './writer.js';

export interface JournalStatus {
  first: number;
  last: number;
  assigned: number;
  diskBytes: number;
  /** Durable bytes that some cursor has not passed; all of them without cursors. */
  queueBytes: number;
  pendingBytes: number;
  /** The time of the oldest record that some cursor has not passed, or of one shortly before it. */
  oldestUnreleasedTimestamp?: number;
  cursors: { name: string; position: number }[];
  /** Why the journal takes nothing more. */
  broken?: string;
}

export function describeJournal(
  state: JournalState,
  intake: Intake,
  writer: GroupWriter,
  retention: Retention,
  cursors: CursorSet,
): JournalStatus {
  const status: JournalStatus = {
    first: state.first,
    last: state.last,
    assigned: intake.assigned,
    diskBytes: retention.diskBytes,
    queueBytes: retention.queueBytes,
    pendingBytes: writer.pendingBytes,
    cursors: cursors.list().map(({ name, position }) => ({ name, position })),
  };
  const timestamp = retention.oldestTimestamp;
  if (timestamp !== undefined) status.oldestUnreleasedTimestamp = timestamp;
  if (state.failure !== undefined) status.broken = state.failure.message;
  return status;
}
