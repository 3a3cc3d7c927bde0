import { publish } from '../engine/events.js';
import { DiskReserveError, type LonghaulError, QueueFullError } from '../errors.js';
import type { OpenCursor } from './cursor.js';
import type { CursorSet } from './cursors.js';
import type { DiskReserve } from './disk-reserve.js';
import type { Retention } from './retention.js';
import type { JournalState } from './state.js';
import type { GroupWriter } from './writer.js';

export interface FullnessLimits {
  queueBytesMax: number;
  pendingBytesMax: number;
  /** For a journal that no cursor holds back. */
  onFull: 'block' | 'error';
}

/**
 * Whether the next record may come in: there is room in memory, the cursors do not hold back more than the queue may
 * take, and the disk keeps its reserve. What happens when not is each cursor's own choice; the strictest one that holds
 * something back wins, once those that would rather be left behind are.
 */
export class Fullness {
  private detaching: Promise<void> | undefined;

  constructor(
    private readonly state: JournalState,
    private readonly writer: GroupWriter,
    private readonly retention: Retention,
    private readonly cursors: CursorSet,
    private readonly reserve: DiskReserve,
    private readonly limits: FullnessLimits,
  ) {}

  /** `undefined`: come in. `'wait'`: not yet. An error: no. */
  verdict(): 'wait' | LonghaulError | undefined {
    const { pendingBytesMax, queueBytesMax } = this.limits;
    const { pendingBytes } = this.writer;
    const queueBytes = this.retention.queueBytes + pendingBytes;
    if (queueBytes > queueBytesMax) {
      const room = queueBytesMax - pendingBytes;
      return this.decide(
        (cursor) => this.retention.heldBytes(cursor.position) > room,
        () => new QueueFullError(queueBytes, queueBytesMax),
      );
    }
    if (this.reserve.low) {
      const { freeBytes, bytes } = this.reserve;
      return this.decide(
        (cursor) => this.retention.holdsSegments(cursor.position),
        () => new DiskReserveError(this.state.dir, freeBytes, bytes),
      );
    }
    return pendingBytes > pendingBytesMax ? 'wait' : undefined;
  }

  private decide(holdsBack: (cursor: OpenCursor) => boolean, error: () => LonghaulError): 'wait' | LonghaulError {
    const holders = this.cursors.list().filter((cursor) => !cursor.detached && holdsBack(cursor));
    const leaving = holders.filter((cursor) => cursor.onFull === 'detach');
    if (leaving.length > 0) {
      this.detaching ??= this.detach(leaving);
      return 'wait';
    }
    const refuses =
      holders.length === 0 ? this.limits.onFull === 'error' : holders.some(({ onFull }) => onFull === 'error');
    return refuses ? error() : 'wait';
  }

  private async detach(cursors: OpenCursor[]): Promise<void> {
    try {
      for (const cursor of cursors) {
        await cursor.detach();
        publish('detached', { dir: this.state.dir, cursor: cursor.name, position: cursor.position });
      }
    } catch (error) {
      this.state.fail(error);
    } finally {
      this.detaching = undefined;
    }
  }
}
