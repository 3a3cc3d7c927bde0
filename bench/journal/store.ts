import type { Group, Workload } from './workload.js';

/** A place that takes payloads in order and keeps them. */
export interface Store {
  /** Whether appends of many callers may be under way at once. Where not, groups stand in for them. */
  readonly concurrent: boolean;
  /** Durable when it is done. */
  append(payload: Uint8Array): unknown;
  /** All of them durable when it is done. */
  appendMany(group: Group): unknown;
  close(): unknown;
}

export interface ReadableStore extends Store {
  /** Calls `visit` with every payload from number `from` on, the first being 1. */
  read(from: number, visit: (payload: Uint8Array) => void): unknown;
}

export interface Contender<S extends Store = Store> {
  name: string;
  /** In a directory that exists: empty, or left by an earlier `close`. */
  open(dir: string, workload: Workload): Promise<S>;
}

/** A contender out of a package that may not be installed. */
export interface Rival {
  package: string;
  contender(exports: unknown): Contender<ReadableStore>;
}
