import type { Journal } from '../journal/journal.js';
import type { History } from '../reduce/history.js';
import type { Indexer } from '../reduce/indexer.js';

/**
 * Sees to it that history knows all records before the one that is about to be sent. Where nobody may wait for that it is
 * learned beside the stream, whose records go without references until then.
 */

/** A gap of that much is closed at once: it takes a few milliseconds. */
const AT_ONCE_BYTES = 8 * 1024 * 1024;

export interface CatchUpOptions {
  journal: Pick<Journal, 'reachingBack'>;
  indexer: Pick<Indexer, 'load'>;
  history: History;
  signal: AbortSignal;
}

export class CatchUp {
  #loading: Promise<void> | undefined;
  #failure: { error: unknown } | undefined;

  constructor(private readonly o: CatchUpOptions) {}

  /** Before the record `next` is prepared, which may wait when much waits behind it. Raises what learning raises. */
  async before(next: number, mayWait: boolean): Promise<void> {
    const { history } = this.o;
    if (mayWait) await this.#loading;
    if (this.#failure !== undefined) throw this.#failure.error;
    if (history.through >= next - 1) return;
    if (mayWait) return this.#load(next - 1);
    if (this.#loading !== undefined) return;
    const isShort = this.o.journal.reachingBack(next - 1, AT_ONCE_BYTES) <= history.through + 1;
    if (isShort) return this.#load(next - 1);
    this.#loading = this.#load(next - 1).then(
      () => {
        this.#loading = undefined;
      },
      (error: unknown) => {
        this.#failure = { error };
      },
    );
  }

  /** Resolves when nothing is being learned any more; it ends with the signal. */
  async idle(): Promise<void> {
    await this.#loading;
  }

  #load(through: number): Promise<void> {
    const { indexer, history, signal } = this.o;
    return indexer.load(history, through, signal);
  }
}
