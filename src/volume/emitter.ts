import { AbortedError } from '../errors.js';
import type { JournalCursor } from '../journal/journal.js';
import type { Sender } from '../replication/sender.js';
import type { Catalog } from './catalog.js';
import type { Entry } from './entry.js';
import { fold } from './fold.js';
import { encodeOperation, type Operation } from './operation.js';

/**
 * Puts operations into the send queue and folds them into the catalog. The queue is the catalog's write-ahead log: a
 * cursor keeps what the catalog on disk does not say yet, and a checkpoint moves both on.
 */

/** Queue bytes after which the catalog is checkpointed, so that its cursor does not hold the queue back for long. */
const CHECKPOINT_BYTES = 256 * 1024 * 1024;

export class Emitter {
  readonly #sender: Sender;
  readonly #catalog: Catalog;
  readonly #cursor: JournalCursor;
  readonly #signal: AbortSignal | undefined;
  #bytes = 0;
  #last: number;
  #unflushed = false;

  constructor(sender: Sender, catalog: Catalog, cursor: JournalCursor, signal: AbortSignal | undefined) {
    this.#sender = sender;
    this.#catalog = catalog;
    this.#cursor = cursor;
    this.#signal = signal;
    this.#last = sender.journal.last;
  }

  /** Adds an operation; `entry` says more about the entry it leaves than the operation itself. */
  async emit(operation: Operation, entry?: Entry): Promise<void> {
    const { kind, key, offset, payload } = encodeOperation(operation);
    if (this.#signal?.aborted) throw new AbortedError('sync', undefined, this.#signal.reason);
    const sequence = await this.#sender.assign(payload, {
      kind,
      key,
      ...(offset === undefined ? {} : { offset }),
      ...(this.#signal === undefined ? {} : { signal: this.#signal }),
    });
    this.#last = sequence;
    this.#unflushed = true;
    fold(this.#catalog, operation, entry);
    this.#bytes += payload.byteLength;
    if (this.#catalog.wantsFlush || this.#bytes >= CHECKPOINT_BYTES) await this.checkpoint();
  }

  /** Makes the catalog durable; what it says must be durable in the queue first. */
  async checkpoint(): Promise<void> {
    if (!this.#unflushed && !this.#catalog.isChanged) return;
    await this.#sender.journal.flush();
    await this.#catalog.flush(this.#last);
    await this.#cursor.advance(this.#last);
    this.#bytes = 0;
    this.#unflushed = false;
  }
}
