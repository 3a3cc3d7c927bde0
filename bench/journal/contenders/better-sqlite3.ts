import { join } from 'node:path';
import type { ReadableStore, Rival } from '../store.js';
import type { Group } from '../workload.js';

/** The part of the package that is used here. */
type Package = new (file: string) => Database;
interface Database {
  pragma(text: string): unknown;
  exec(sql: string): unknown;
  prepare(sql: string): Statement;
  transaction<T>(run: (argument: T) => void): (argument: T) => void;
  close(): unknown;
}
interface Statement {
  run(value: Uint8Array): unknown;
  pluck(): Statement;
  iterate(value: number): Iterable<Uint8Array>;
}

/** With a write-ahead log that is synced at each commit; statements are prepared once. */
export const betterSqlite3: Rival = {
  package: 'better-sqlite3',
  contender: (exports) => ({
    name: 'better-sqlite3',
    async open(dir) {
      const database = new (exports as Package)(join(dir, 'database'));
      database.pragma('journal_mode = WAL');
      database.pragma('synchronous = FULL');
      database.exec('CREATE TABLE IF NOT EXISTS log (sequence INTEGER PRIMARY KEY, payload BLOB NOT NULL)');
      return new SqliteStore(database);
    },
  }),
};

class SqliteStore implements ReadableStore {
  readonly concurrent = false;
  readonly #insert: Statement;
  readonly #insertMany: (payloads: readonly Uint8Array[]) => void;
  readonly #select: Statement;

  constructor(private readonly database: Database) {
    const insert = database.prepare('INSERT INTO log (payload) VALUES (?)');
    this.#insert = insert;
    this.#insertMany = database.transaction((payloads) => {
      for (const payload of payloads) insert.run(payload);
    });
    this.#select = database.prepare('SELECT payload FROM log WHERE sequence >= ? ORDER BY sequence').pluck();
  }

  append(payload: Uint8Array): void {
    this.#insert.run(payload);
  }

  appendMany({ payloads }: Group): void {
    this.#insertMany(payloads);
  }

  read(from: number, visit: (payload: Uint8Array) => void): void {
    for (const payload of this.#select.iterate(from)) visit(payload);
  }

  close(): void {
    this.database.close();
  }
}
