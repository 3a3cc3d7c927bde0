import type { ReadableStore, Rival } from '../store.js';
import type { Group } from '../workload.js';

/** The part of the package that is used here. */
interface Package {
  ClassicLevel: new (dir: string, o: { keyEncoding: 'view'; valueEncoding: 'view' }) => Database;
}
interface Database {
  open(): Promise<void>;
  put(key: Uint8Array, value: Uint8Array, o: { sync: true }): Promise<void>;
  batch(): Batch;
  keys(o: { reverse: true; limit: 1 }): { all(): Promise<Uint8Array[]> };
  values(o: { gte: Uint8Array; highWaterMarkBytes: number }): Values;
  close(): Promise<void>;
}
interface Batch {
  put(key: Uint8Array, value: Uint8Array): Batch;
  write(o: { sync: true }): Promise<void>;
}
interface Values {
  nextv(size: number): Promise<Uint8Array[]>;
  close(): Promise<void>;
}

const KEY_BYTES = 8;
const READ_BYTES = 1024 * 1024;
const READ_RECORDS = 4096;

/** LevelDB with a sync for each write; concurrent puts share one where the writer can join them. */
export const classicLevel: Rival = {
  package: 'classic-level',
  contender: (exports) => ({
    name: 'classic-level',
    async open(dir) {
      const { ClassicLevel } = exports as Package;
      const database = new ClassicLevel(dir, { keyEncoding: 'view', valueEncoding: 'view' });
      await database.open();
      const [newest] = await database.keys({ reverse: true, limit: 1 }).all();
      return new LevelStore(database, newest === undefined ? 0 : numberOf(newest));
    },
  }),
};

class LevelStore implements ReadableStore {
  readonly concurrent = true;

  constructor(
    private readonly database: Database,
    private last: number,
  ) {}

  append(payload: Uint8Array): Promise<void> {
    return this.database.put(keyOf(++this.last), payload, { sync: true });
  }

  appendMany({ payloads }: Group): Promise<void> {
    const batch = this.database.batch();
    for (const payload of payloads) batch.put(keyOf(++this.last), payload);
    return batch.write({ sync: true });
  }

  async read(from: number, visit: (payload: Uint8Array) => void): Promise<void> {
    const values = this.database.values({ gte: keyOf(from), highWaterMarkBytes: READ_BYTES });
    try {
      for (;;) {
        const some = await values.nextv(READ_RECORDS);
        if (some.length === 0) return;
        for (const payload of some) visit(payload);
      }
    } finally {
      await values.close();
    }
  }

  close(): Promise<void> {
    return this.database.close();
  }
}

function keyOf(sequence: number): Uint8Array {
  const key = Buffer.allocUnsafe(KEY_BYTES);
  key.writeBigUInt64BE(BigInt(sequence));
  return key;
}

function numberOf(key: Uint8Array): number {
  return Number(Buffer.from(key).readBigUInt64BE());
}
