import { AbortedError } from '../errors.js';
import type { JournalCursor } from '../journal/journal.js';
import type { Sender } from '../replication/sender.js';
import { type Catalog, checkpointBytes } from './catalog.js';
import type { Entry } from './entry.js';
import { fold } from './fold.js';
import { encodeOperation, type Operation } from './operation.js';

/**
 * Puts operations into the send queue and folds them into the catalog. The queue is the catalog's write-ahead log: a
 * cursor keeps what the catalog on disk does not say yet, and a checkpoint moves both on.
 */

export class Emitter {
  readonly #sender: Sender;
  readonly #catalog: Catalog;
  readonly #cursor: JournalCursor;
  readonly #signal: AbortSignal | undefined;
  #bytes = 0;

  constructor(sender: Sender, catalog: Catalog, cursor: JournalCursor, signal: AbortSignal | undefined) {
    this.#sender = sender;
    this.#catalog = catalog;
    this.#cursor = cursor;
    this.#signal = signal;
  }

  /** Adds an operation; `entry` says more about the entry it leaves than the operation itself. */
  async emit(operation: Operation, entry?: Entry): Promise<void> {
    const { kind, key, offset, payload } = encodeOperation(operation);
    if (this.#signal?.aborted) throw new AbortedError('sync', undefined, this.#signal.reason);
    await this.#sender.assign(payload, {
      kind,
      key,
      ...(offset === undefined ? {} : { offset }),
      ...(this.#signal === undefined ? {} : { signal: this.#signal }),
    });
    fold(this.#catalog, operation, entry);
    this.#bytes += payload.byteLength;
    if (this.#catalog.wantsFlush || this.#bytes >= checkpointBytes(this.#sender.queueBytesMax)) await this.checkpoint();
  }

  /** For changes of the catalog that need no record. */
  async put(entry: Entry): Promise<void> {
    this.#catalog.put(entry);
    if (this.#catalog.wantsFlush) await this.checkpoint();
  }

  /** Makes the catalog durable; what it says must be durable in the queue first. */
  async checkpoint(): Promise<void> {
    await checkpoint(this.#sender, this.#catalog, this.#cursor);
    this.#bytes = 0;
  }
}

/**
 * Makes the catalog durable through the queue's end and lets the queue go up to there. Only for whoever alone adds
 * operations at the time: every one with a number must be folded.
 */
export async function checkpoint(sender: Sender, catalog: Catalog, cursor: JournalCursor): Promise<void> {
  const { journal } = sender;
  const through = journal.assigned;
  if (through === catalog.through && !catalog.isChanged) return;
  await journal.flush();
  await catalog.flush(through);
  await cursor.advance(through);
}
