import { copyFileSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { INSTALL } from '../kit/rivals.js';
import { type Sqlite, sqliteHere } from '../kit/sqlite.js';
import type { ChangeSet, Preparation } from './change-set.js';
import { addContent, captureIn, type PageCapture, pageSet } from './pages.js';
import { RecordWriter } from './record-file.js';
import { Shop, type ShopSize } from './shop.js';

/** A SQLite database under mixed transactions. Its write-ahead log is the list of its page writes, in order. */

const NAME = 'shop.db';
/** Also names the capture in the cache: whatever changes the workload changes it too. */
const SEED = 20261121;
const PAGE_BYTES = 4096;
const TRANSACTIONS_A_ROUND = 200;
const MIB = 1024 * 1024;

interface Scale extends ShopSize {
  /** Page writes are captured until there are that many bytes of them. */
  writeBytes: number;
}

const FULL: Scale = { customers: 90_000, products: 20_000, purchases: 330_000, writeBytes: 200 * MIB };
const TINY: Scale = { customers: 300, products: 100, purchases: 1000, writeBytes: MIB };

export async function sqlite(o: Preparation): Promise<ChangeSet | undefined> {
  const open = await sqliteHere();
  if (open === undefined) {
    o.say(`there is no SQLite, so its page writes are left out (${INSTALL} installs one, Node has one from 22.5 on)`);
    return undefined;
  }
  const dir = await o.prepared(`sqlite-${SEED}`, async (into) => capture(open, captureIn(into), o.tiny ? TINY : FULL));
  return pageSet('SQLite', captureIn(dir), PAGE_BYTES);
}

function capture(open: (path: string) => Sqlite, { before, after, content, writes }: PageCapture, scale: Scale): void {
  for (const dir of [before, after]) mkdirSync(dir);
  const path = join(after, NAME);
  const database = open(path);
  try {
    database.exec(`PRAGMA page_size = ${PAGE_BYTES}; PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0;`);
    database.exec('PRAGMA synchronous = OFF');
    const shop = new Shop(database, SEED, scale);
    transaction(database, () => shop.fill());
    checkpoint(database);
    copyFileSync(path, join(before, NAME));
    written(content, (writer) => addContent(writer, NAME, path));
    written(writes, (writer) => {
      while (writer.payloadBytes < scale.writeBytes) {
        for (let i = 0; i < TRANSACTIONS_A_ROUND; i++) transaction(database, () => shop.work());
        addFrames(writer, `${path}-wal`);
        checkpoint(database);
      }
    });
  } finally {
    database.close();
  }
  for (const suffix of ['-wal', '-shm']) rmSync(path + suffix, { force: true });
}

function transaction(database: Sqlite, work: () => void): void {
  database.exec('BEGIN');
  work();
  database.exec('COMMIT');
}

/** The log's pages go into the database, and the log begins anew with no bytes. */
function checkpoint(database: Sqlite): void {
  database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
}

const LOG_HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
/** Where the two salts lie, which all frames of one log have in common. */
const SALTS = { log: 16, frame: 8, bytes: 8 };

/** Every frame of a write-ahead log is one page write; its header begins with the page's number, the first page being 1. */
function addFrames(writer: RecordWriter, path: string): void {
  const log = readFileSync(path);
  const salts = log.subarray(SALTS.log, SALTS.log + SALTS.bytes);
  const frameBytes = FRAME_HEADER_BYTES + PAGE_BYTES;
  for (let at = LOG_HEADER_BYTES; at + frameBytes <= log.length; at += frameBytes) {
    const ofThisLog = log.subarray(at + SALTS.frame, at + SALTS.frame + SALTS.bytes).equals(salts);
    if (!ofThisLog) throw new Error(`${path} holds a frame of another log at ${at}`);
    const payload = log.subarray(at + FRAME_HEADER_BYTES, at + frameBytes);
    writer.add({ key: NAME, offset: (log.readUInt32BE(at) - 1) * PAGE_BYTES, payload });
  }
}

function written(path: string, add: (writer: RecordWriter) => void): void {
  const writer = new RecordWriter(path);
  try {
    add(writer);
  } finally {
    writer.close();
  }
}
