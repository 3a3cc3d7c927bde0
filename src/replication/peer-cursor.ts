import { CursorDetachedError, SequenceGoneError } from '../errors.js';
import type { Journal, JournalCursor, OnFull } from '../journal/journal.js';

export interface PeerCursorOptions {
  journal: Pick<Journal, 'cursor' | 'first' | 'last' | 'status'>;
  /** The name that the peer has here. */
  peer: string;
  /** The node that it was the last time; undefined for one that has never answered. */
  id: string | undefined;
  onFull: OnFull;
  queueBytesMax: number;
}

/** The acknowledged position is persisted after this much time, or when the peer has caught up. */
const INTERVAL_MS = 250;
/** As long as the queue holds less than this part of what it may; from there on after this much time. */
const PRESSED_PART = 1 / 4;
const PRESSED_INTERVAL_MS = 25;

const PREFIX = 'peer:';

/** Whether a cursor of a queue is that of a peer. */
export const isPeerCursor = (name: string): boolean => name.startsWith(PREFIX);

/**
 * What holds the queue for one peer: under the peer's name until that has said which node it is, and from then on under the id
 * of the node.
 */
export class PeerCursor {
  readonly #o: PeerCursorOptions;
  #id: string | undefined;
  #cursor: JournalCursor;
  #savedAtMs = 0;
  /** What the queue held when a peer that it went on without was last looked at. */
  #heldThrough: number | undefined;

  constructor(options: PeerCursorOptions) {
    this.#o = options;
    this.#id = options.id;
    this.#cursor = this.#hold(options.journal.first - 1);
  }

  get id(): string | undefined {
    return this.#id;
  }

  get name(): string {
    return `${PREFIX}${this.#id ?? `?${this.#o.peer}`}`;
  }

  /** What the peer is known to have, over restarts too. */
  get position(): number {
    return this.#cursor.position;
  }

  /** The queue was full and went on without the peer. */
  get isDetached(): boolean {
    return this.#cursor.detached;
  }

  /** The peer is that node. */
  bind(id: string): void {
    const at = this.#id === undefined ? this.position : this.#o.journal.first - 1;
    this.#id = id;
    this.#cursor = this.#hold(at);
  }

  /** The peer goes on behind a record, and holds the queue again if that had gone on without it. */
  async resume(behind: number): Promise<void> {
    if (this.isDetached) await this.#cursor.reattach(Math.max(behind, this.position));
  }

  /** Persists what the peer has, but not at every acknowledgement: each time is a sync that the queue's own would wait for. */
  async save(logged: number): Promise<void> {
    const nowMs = performance.now();
    const sinceMs = nowMs - this.#savedAtMs;
    const isDue = sinceMs >= INTERVAL_MS || (sinceMs >= PRESSED_INTERVAL_MS && this.#isPressed());
    if (!isDue && logged < this.#o.journal.last) return;
    this.#savedAtMs = nowMs;
    await this.move(logged);
  }

  /** A peer that the queue went on without holds it again once it has all that the queue held when it was last asked. */
  async move(logged: number): Promise<void> {
    const cursor = this.#cursor;
    if (!cursor.detached) {
      this.#heldThrough = undefined;
      return cursor.advance(logged).catch((error: unknown) => {
        if (!(error instanceof CursorDetachedError)) throw error;
      });
    }
    const { last } = this.#o.journal;
    const hasFollowed = logged === last || (this.#heldThrough !== undefined && logged >= this.#heldThrough);
    this.#heldThrough = last;
    if (!hasFollowed) return;
    return cursor.reattach(logged).catch((error: unknown) => {
      if (!(error instanceof SequenceGoneError)) throw error;
    });
  }

  #isPressed(): boolean {
    const { journal, queueBytesMax } = this.#o;
    return journal.status().queueBytes > queueBytesMax * PRESSED_PART;
  }

  #hold(at: number): JournalCursor {
    const { journal, onFull } = this.#o;
    return journal.cursor(this.name, { at, onFull });
  }
}
