import type { ReadableStore, Rival } from '../store.js';
import type { Group } from '../workload.js';

/** The part of the package that is used here. */
interface Package {
  open(o: { path: string; encoding: 'binary'; keyEncoding: 'uint32'; overlappingSync: boolean }): Database;
}
interface Database {
  put(key: number, value: Uint8Array): Promise<boolean>;
  transactionSync(run: () => void): void;
  getRange(o: { start: number }): Iterable<{ value: Uint8Array }>;
  getStats(): { entryCount: number };
  close(): Promise<void>;
}

/**
 * A put or transaction that has resolved is on disk when commits and syncs do not overlap. Groups are fastest as
 * synchronous transactions; puts of one turn of the event loop share a transaction by themselves.
 */
export const lmdb: Rival = {
  package: 'lmdb',
  contender: (exports) => ({
    name: 'lmdb',
    async open(path) {
      const { open } = exports as Package;
      return new LmdbStore(open({ path, encoding: 'binary', keyEncoding: 'uint32', overlappingSync: false }));
    },
  }),
};

class LmdbStore implements ReadableStore {
  readonly concurrent = true;
  #last: number;

  constructor(private readonly database: Database) {
    this.#last = database.getStats().entryCount;
  }

  append(payload: Uint8Array): Promise<unknown> {
    return this.database.put(++this.#last, payload);
  }

  appendMany({ payloads }: Group): void {
    this.database.transactionSync(() => {
      for (const payload of payloads) this.database.put(++this.#last, payload).catch(() => {});
    });
  }

  read(from: number, visit: (payload: Uint8Array) => void): void {
    for (const { value } of this.database.getRange({ start: from })) visit(value);
  }

  close(): Promise<void> {
    return this.database.close();
  }
}
