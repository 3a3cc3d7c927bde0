import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import { RECORD, RECORD_HEADER_BYTES } from '../../src/engine/record-layout.js';
import { SequenceGoneError } from '../../src/errors.js';
import { DATA_START, GROUP, GROUP_HEADER_BYTES, GROUP_MAGIC } from '../../src/journal/format/format.js';
import { Journal, type JournalOptions, type JournalRecord } from '../../src/journal/journal.js';

/** Journals in directories of their own, closed and removed after each test, whatever its outcome. */

const opened = new Set<Journal>();
const directories = new Set<string>();

afterEach(async () => {
  for (const journal of opened) await journal.close().catch(() => {});
  opened.clear();
  for (const dir of directories) rmSync(dir, { recursive: true, force: true });
  directories.clear();
});

export function newDirectory(): string {
  const dir = mkdtempSync(join(tmpdir(), 'longhaul-journal-'));
  directories.add(dir);
  return dir;
}

/** The directory of an open journal as it is at this moment: what a killed process would leave. */
export function crashCopy(dir: string): string {
  const copy = newDirectory();
  cpSync(dir, copy, { recursive: true, filter: (path) => !/\/lock[^/]*$/.test(path) });
  return copy;
}

/** Every file under a directory with its content, to tell whether anything was changed. */
export function snapshot(dir: string): Map<string, string> {
  const files = readdirSync(dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const contentOf = (path: string) => readFileSync(path).toString('latin1');
  return new Map(files.map(({ parentPath, name }) => [join(parentPath, name), contentOf(join(parentPath, name))]));
}

const patterns = new Map<number, Uint8Array>();

/** Bytes each of which tells its record and where in it it stands. There are 256 such patterns, and each is made once. */
export function patternOf(sequence: number, bytes: number): Buffer {
  const first = (sequence * 31) % 256;
  let pattern = patterns.get(first);
  if (pattern === undefined || pattern.byteLength < bytes) {
    pattern = Uint8Array.from({ length: bytes }, (_, at) => first + at * 7 + (at >> 8));
    patterns.set(first, pattern);
  }
  return Buffer.from(pattern.subarray(0, bytes));
}

export const VOLUME = '00112233445566778899aabbccddeeff';
export const SEGMENT_BYTES_MIN = 64 * 1024;

/** A clock that only the number of calls moves. */
export function counterClock(): () => number {
  let now = 1_700_000_000_000_000;
  return () => ++now;
}

export async function openJournal(o: Partial<JournalOptions> & { dir: string }): Promise<Journal> {
  const journal = await Journal.open({ segmentBytes: SEGMENT_BYTES_MIN, now: counterClock(), ...o });
  opened.add(journal);
  return journal;
}

/** Opens a journal in a new directory. */
export async function newJournal(o: Partial<JournalOptions> = {}): Promise<{ journal: Journal; dir: string }> {
  const dir = o.dir ?? newDirectory();
  return { journal: await openJournal({ ...o, dir }), dir };
}

export async function collect(records: AsyncIterable<JournalRecord>): Promise<JournalRecord[]> {
  const all: JournalRecord[] = [];
  for await (const record of records) all.push(record);
  return all;
}

export async function contents(journal: Journal, from = journal.first): Promise<string[]> {
  return (await collect(journal.read(from))).map((record) => record.payload.toString());
}

/** The next value of an iterator that has not ended. */
export async function nextOf<T>(iterator: AsyncIterator<T>): Promise<T> {
  const result = await iterator.next();
  if (result.done) throw new Error('the iterator has ended');
  return result.value;
}

/** Three that read for as long as somebody writes; how often it came back, and how often it was gone. */
export async function readBeside(
  write: () => Promise<void>,
  read: () => Promise<void>,
): Promise<{ right: number; gone: number }> {
  const outcomes = { right: 0, gone: 0 };
  let writing = true;
  const readOn = async () => {
    while (writing) {
      try {
        await read();
        outcomes.right++;
      } catch (error) {
        if (!(error instanceof SequenceGoneError)) throw error;
        outcomes.gone++;
      }
    }
  };
  await Promise.all([write().finally(() => (writing = false)), readOn(), readOn(), readOn()]);
  return outcomes;
}

export function segmentFiles(dir: string): string[] {
  return readdirSync(dir)
    .filter((name) => name.endsWith('.log'))
    .sort()
    .map((name) => join(dir, name));
}

export function lastSegment(dir: string): string {
  const path = segmentFiles(dir).at(-1);
  if (path === undefined) throw new Error(`${dir} has no segment`);
  return path;
}

/** What the segments and the spare files of a journal take. */
export function fileBytes(dir: string): number {
  const names = readdirSync(dir).filter((name) => name.endsWith('.log') || name.endsWith('.spare'));
  return names.reduce((sum, name) => sum + statSync(join(dir, name)).size, 0);
}

export interface FoundRecord {
  sequence: number;
  offset: number;
  keyLength: number;
  payloadLength: number;
  bytes: number;
  /** Where its group starts and ends. */
  group: { offset: number; end: number };
}

/** The records of an undamaged segment file, found without the code under test. */
export function recordsOf(path: string): FoundRecord[] {
  const bytes = readFileSync(path);
  const found: FoundRecord[] = [];
  let offset = DATA_START;
  while (offset + GROUP_HEADER_BYTES <= bytes.length && bytes.readUInt32LE(offset) === GROUP_MAGIC) {
    const group = { offset, end: offset + bytes.readUInt32LE(offset + GROUP.bytes) };
    for (offset += GROUP_HEADER_BYTES; offset < group.end; ) {
      const record = recordAt(bytes, offset);
      found.push({ ...record, offset, group });
      offset += record.bytes;
    }
  }
  return found;
}

function recordAt(bytes: Buffer, offset: number): Omit<FoundRecord, 'offset' | 'group'> {
  const keyField = bytes.readUInt16LE(offset + RECORD.keyLength);
  const keyLength = keyField === 0xffff ? 0 : keyField;
  const payloadLength = bytes.readUInt32LE(offset + RECORD.payloadLength);
  const size = Math.ceil((RECORD_HEADER_BYTES + keyLength + payloadLength) / 8) * 8;
  return { sequence: Number(bytes.readBigUInt64LE(offset + RECORD.sequence)), keyLength, payloadLength, bytes: size };
}

/** Where the groups of an undamaged segment file end. */
export function endOfRecords(path: string): number {
  return recordsOf(path).at(-1)?.group.end ?? DATA_START;
}

/** Changes a file in place. */
export function patch(path: string, change: (bytes: Buffer) => Buffer | undefined): void {
  const bytes = readFileSync(path);
  writeFileSync(path, change(bytes) ?? bytes);
}

export function flipBit(path: string, offset: number, bit = 0): void {
  patch(path, (bytes) => {
    bytes[offset] = (bytes[offset] ?? 0) ^ (1 << bit);
    return undefined;
  });
}
