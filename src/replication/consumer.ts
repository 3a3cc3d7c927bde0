import type { JournalRecord } from '../journal/journal.js';

/** Who takes the records out of a receive log: an embedder's `apply` callback, or a replica. */
export interface Consumer {
  /**
   * Makes the effect of consecutive records durable, in order, and reports how far it has come. Called again from the
   * last reported number after a failure. What `applied` returns resolves once that number is on disk, so that nothing
   * up to it comes again after a crash. Once the signal has fired the rest may be left for another time.
   */
  apply(records: JournalRecord[], applied: (sequence: number) => Promise<void>, signal: AbortSignal): Promise<void>;
  /** The log is about to begin anew at `base`: nothing below it will come again. Called while apply stands still. */
  rebase?(base: number): Promise<void>;
  /** The log has begun anew, durably. */
  rebased?(): Promise<void>;
  /** Answers a question of the sender; undefined when the question is not one of its own. */
  query?(name: string, body: Buffer): AsyncIterable<Buffer> | undefined;
  /** Whether the files hold content that no record of the log brought. */
  readonly holdsContent?: boolean;
}

export type ApplyCallback = (record: JournalRecord) => Promise<void> | void;

export function callbackConsumer(apply: ApplyCallback): Consumer {
  return {
    async apply(records, applied, signal) {
      for (const record of records) {
        if (signal.aborted) return;
        await apply(record);
        void applied(record.sequence);
      }
    },
  };
}
