import { loadRival } from './rivals.js';

/** The part that the SQLite of Node and that of `better-sqlite3` have in common. */
export interface Sqlite {
  exec(sql: string): unknown;
  prepare(sql: string): { run(...values: (number | string)[]): unknown };
  close(): unknown;
}

type Opens = new (path: string) => Sqlite;

/** Opens databases; undefined where there is no SQLite. */
export async function sqliteHere(): Promise<((path: string) => Sqlite) | undefined> {
  const rival = loadRival('better-sqlite3')?.exports as Opens | undefined;
  const Database = rival ?? (await ofNode());
  return Database === undefined ? undefined : (path) => new Database(path);
}

/** Node has one of its own from 22.5 on; the types of the oldest version that is supported do not know it. */
async function ofNode(): Promise<Opens | undefined> {
  const name = 'node:sqlite';
  try {
    return ((await import(name)) as { DatabaseSync: Opens }).DatabaseSync;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_UNKNOWN_BUILTIN_MODULE') return undefined;
    throw error;
  }
}
