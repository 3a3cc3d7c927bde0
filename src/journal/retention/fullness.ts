import { publish } from '../../engine/events.js';
import { DiskReserveError, type LonghaulError, QueueFullError } from '../../errors.js';
import type { JournalState } from '../state/state.js';
import type { GroupWriter } from '../write/writer.js';
import type { OpenCursor } from './cursor.js';
import type { CursorSet } from './cursors.js';
import type { DiskReserve } from './disk-reserve.js';
import type { Retention } from './retention.js';

export interface FullnessLimits {
  queueBytesMax: number;
  pendingBytesMax: number;
  /** For a journal that no cursor holds back. */
  onFull: 'block' | 'error';
}

/**
 * Whether the next record may come in: there is room in memory, the cursors do not hold back more than the queue may
 * take, and the disk keeps its reserve. What happens when not is each cursor's own choice; the strictest one that holds
 * something back wins, once those that would rather be left behind are. What stays for `keepFrom` alone is let
 * go of before anything else is done about a short disk: what would move it on may stand in line behind the append.
 */
export class Fullness {
  private relieving: Promise<void> | undefined;

  constructor(
    private readonly state: JournalState,
    private readonly writer: GroupWriter,
    private readonly retention: Retention,
    private readonly cursors: CursorSet,
    private readonly reserve: DiskReserve,
    private readonly limits: FullnessLimits,
    /** Called when something was let go, or need not be. */
    private readonly eased: () => void,
  ) {}

  /** `undefined`: come in. `'wait'`: not yet. An error: no. */
  verdict(): 'wait' | LonghaulError | undefined {
    const { pendingBytesMax, queueBytesMax } = this.limits;
    const { pendingBytes } = this.writer;
    const queueBytes = this.retention.queueBytes + pendingBytes;
    if (queueBytes > queueBytesMax) {
      const heldBytes = (cursor: OpenCursor) => this.retention.heldBytes(cursor.position);
      return this.decide({
        holdsBack: (cursor) => heldBytes(cursor) + pendingBytes > queueBytesMax,
        // What is not durable yet no cursor can have passed.
        mustLeave: (cursor) => heldBytes(cursor) > queueBytesMax,
        error: () => new QueueFullError(queueBytes, queueBytesMax),
      });
    }
    if (this.reserve.low) {
      if (this.retention.keepsAlone) {
        this.relieving ??= this.relieve(async () => this.giveWay());
        return 'wait';
      }
      const { freeBytes, bytes } = this.reserve;
      const holdsBack = (cursor: OpenCursor) => this.retention.holdsSegments(cursor.position);
      return this.decide({
        holdsBack,
        mustLeave: holdsBack,
        error: () => new DiskReserveError(this.state.dir, freeBytes, bytes),
      });
    }
    return pendingBytes > pendingBytesMax ? 'wait' : undefined;
  }

  private decide({ holdsBack, mustLeave, error }: Shortage): 'wait' | LonghaulError {
    const holders = this.cursors.list().filter((cursor) => !cursor.detached && holdsBack(cursor));
    const [slowest] = holders.filter(({ onFull }) => onFull === 'detach').sort((a, b) => a.position - b.position);
    if (slowest !== undefined) {
      if (mustLeave(slowest)) this.relieving ??= this.relieve(() => this.detach(slowest, () => mustLeave(slowest)));
      return 'wait';
    }
    const refuses =
      holders.length === 0 ? this.limits.onFull === 'error' : holders.some(({ onFull }) => onFull === 'error');
    return refuses ? error() : 'wait';
  }

  /** One at a time: what the slowest, or the oldest segment, lets go of may be enough. */
  private async relieve(letGo: () => Promise<boolean>): Promise<void> {
    const { state, retention, reserve } = this;
    try {
      if (await letGo()) {
        // Only then is it clear whether that was enough.
        await retention.idle();
        await reserve.remeasure();
      }
    } catch (error) {
      state.fail(error);
    }
    this.relieving = undefined;
    if (state.refusal === undefined) this.eased();
  }

  private async detach(cursor: OpenCursor, must: () => boolean): Promise<boolean> {
    if (!(await cursor.detach(must))) return false;
    publish('detached', { dir: this.state.dir, cursor: cursor.name, position: cursor.position });
    return true;
  }

  private giveWay(): boolean {
    this.retention.giveWay();
    return true;
  }
}

/** Why the journal is full, and because of whom. */
interface Shortage {
  holdsBack: (cursor: OpenCursor) => boolean;
  /** Whether one of these that has chosen `detach` has to go. */
  mustLeave: (cursor: OpenCursor) => boolean;
  error: () => LonghaulError;
}
