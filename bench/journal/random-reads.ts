import { join } from 'node:path';
import { Journal } from '../../src/index.js';
import type { Bench } from '../bench.js';
import { dropPageCache } from '../kit/page-cache.js';
import { loadRival } from '../kit/rivals.js';
import type { Shelf } from './shelf.js';
import { readShelves, type Way } from './shelves.js';

/** Records asked for in one call. */
const AT_ONCE = 64;
const CALLS_FROM_DISK = 32;
const KEY_BYTES = 8;

/** How fast single records come back from anywhere. */
export const journalRandomRead: Bench = {
  name: 'journal-random-read',
  describe: `records at random positions, ${AT_ONCE} a call, by payload size, compared with other stores`,
  run: (o) => readShelves(o, waysFor, recordsPerSecond),
};

interface CallsWay extends Way {
  /** At least so long, and at least so many calls. */
  seconds: number;
  calls: number;
}

function waysFor(seconds: number): CallsWay[] {
  return [
    { what: 'random reads, from disk', forget: true, seconds: 0, calls: CALLS_FROM_DISK },
    { what: 'random reads', forget: false, seconds, calls: 1 },
  ];
}

async function recordsPerSecond(shelf: Shelf, { forget, seconds, calls }: CallsWay): Promise<number> {
  const open = OPENERS[shelf.name];
  if (open === undefined) throw new Error(`nothing knows how to read ${shelf.name} at random`);
  const { payloadBytes } = shelf.workload;
  const reader = await open(shelf.dir, payloadBytes);
  try {
    const next = positions(shelf.records);
    if (forget) dropPageCache();
    const begun = performance.now();
    let records = 0;
    for (let call = 0; call < calls || performance.now() - begun < seconds * 1000; call++) {
      const payloads = await reader.read(Array.from({ length: AT_ONCE }, next));
      records += payloads.length;
      if (payloads.some((payload) => payload.byteLength !== payloadBytes))
        throw new Error(`${shelf.name}: wrong length`);
    }
    return (records * 1000) / (performance.now() - begun);
  } finally {
    await reader.close();
  }
}

/** Numbers from 1 to `records`, the same ones for everybody (xorshift32). */
function positions(records: number): () => number {
  let state = 0x2545_f491;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return ((state >>> 0) % records) + 1;
  };
}

interface RandomReader {
  read(sequences: number[]): Uint8Array[] | Promise<Uint8Array[]>;
  close(): unknown;
}
type Opener = (dir: string, payloadBytes: number) => Promise<RandomReader>;

const OPENERS: Record<string, Opener> = {
  async journal(dir, length) {
    const opened = await Journal.open({ dir });
    return {
      read: (sequences) => opened.readRanges(sequences.map((sequence) => ({ sequence, offset: 0, length }))),
      close: () => opened.close(),
    };
  },

  async lmdb(path) {
    interface Database {
      getBinary(key: number): Uint8Array;
      close(): Promise<void>;
    }
    const { open } = exportsOf('lmdb') as { open(o: object): Database };
    const database = open({ path, encoding: 'binary', keyEncoding: 'uint32', overlappingSync: false });
    return {
      read: (sequences) => sequences.map((sequence) => database.getBinary(sequence)),
      close: () => database.close(),
    };
  },

  async 'better-sqlite3'(dir) {
    interface Statement {
      pluck(): Statement;
      get(value: number): Uint8Array;
    }
    type Database = { prepare(sql: string): Statement; close(): unknown };
    const database = new (exportsOf('better-sqlite3') as new (file: string) => Database)(join(dir, 'database'));
    const select = database.prepare('SELECT payload FROM log WHERE sequence = ?').pluck();
    return { read: (sequences) => sequences.map((sequence) => select.get(sequence)), close: () => database.close() };
  },

  async 'classic-level'(dir) {
    interface Database {
      open(): Promise<void>;
      getMany(keys: Uint8Array[]): Promise<Uint8Array[]>;
      close(): Promise<void>;
    }
    const { ClassicLevel } = exportsOf('classic-level') as { ClassicLevel: new (dir: string, o: object) => Database };
    const database = new ClassicLevel(dir, { keyEncoding: 'view', valueEncoding: 'view' });
    await database.open();
    return {
      read: (sequences) =>
        database.getMany(
          sequences.map((sequence) => {
            const key = Buffer.allocUnsafe(KEY_BYTES);
            key.writeBigUInt64BE(BigInt(sequence));
            return key;
          }),
        ),
      close: () => database.close(),
    };
  },

  async 'hypercore (no sync)'(dir) {
    type Core = { ready(): Promise<void>; get(index: number): Promise<Uint8Array>; close(): Promise<void> };
    const core = new (exportsOf('hypercore') as new (dir: string) => Core)(dir);
    await core.ready();
    return {
      read: (sequences) => Promise.all(sequences.map((sequence) => core.get(sequence - 1))),
      close: () => core.close(),
    };
  },
};

function exportsOf(name: string): unknown {
  return loadRival(name)?.exports;
}
