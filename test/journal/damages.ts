import { copyFileSync, mkdirSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { expect } from 'vitest';
import { RECORD_HEADER_BYTES } from '../../src/engine/record-layout.js';
import { FOOTER_BYTES, footerBytesOf } from '../../src/journal/format/footer.js';
import { segmentName } from '../../src/journal/format/format.js';
import {
  contents,
  crashCopy,
  endOfRecords,
  flipBit,
  lastSegment,
  newDirectory,
  newJournal,
  openJournal,
  patch,
  recordsOf,
  segmentFiles,
  snapshot,
  VOLUME,
} from './harness.js';

/**
 * Append, damage, open, append, read. The sample is a journal of ten records in one segment: the first eight in groups
 * of their own, 9 and 10 in one. It was closed, or its process died. In the latter case nothing proves 9 and 10 durable;
 * in the former the footer does, and what would be a torn tail is damage.
 */

export const PAYLOADS = Array.from({ length: 10 }, (_, index) => `payload of record ${index + 1}`);

export type Ending = 'died' | 'closed';

/** A fresh copy of the sample, which is made once. */
export async function sample(ending: Ending): Promise<string> {
  const files = made.get(ending) ?? relativeFiles(await makeSample(ending));
  made.set(ending, files);
  const dir = newDirectory();
  mkdirSync(join(dir, 'cursors'));
  for (const [name, bytes] of files) writeFileSync(join(dir, name), bytes);
  return dir;
}

const made = new Map<Ending, Map<string, Buffer>>();

function relativeFiles(dir: string): Map<string, Buffer> {
  return new Map([...snapshot(dir)].map(([path, text]) => [relative(dir, path), Buffer.from(text, 'latin1')]));
}

export async function makeSample(ending: Ending, o: { cursorAt?: number } = {}): Promise<string> {
  const { journal, dir } = await newJournal({ volume: VOLUME });
  const options = { key: 'key', offset: 5 };
  for (const text of PAYLOADS.slice(0, 8)) await journal.append(Buffer.from(text), options);
  await journal.appendMany(
    PAYLOADS.slice(8).map((text) => Buffer.from(text)),
    options,
  );
  if (o.cursorAt !== undefined) await journal.cursor('peer').advance(o.cursorAt);
  return endingSo(ending, dir, () => journal.close());
}

/** Six segments of one large record each; record 7 lies in the seventh, small and last. */
export async function segmented(ending: Ending = 'died'): Promise<{ dir: string; files: string[] }> {
  const { journal, dir } = await newJournal({ volume: VOLUME });
  for (let index = 0; index < 6; index++) await journal.append(Buffer.alloc(60_000, index));
  await journal.append(Buffer.alloc(10_000));
  const kept = await endingSo(ending, dir, () => journal.close());
  const files = segmentFiles(kept);
  expect(files).toHaveLength(7);
  return { dir: kept, files };
}

async function endingSo(ending: Ending, dir: string, close: () => Promise<void>): Promise<string> {
  if (ending === 'died') return crashCopy(dir);
  await close();
  return dir;
}

/** Where a record of the last segment lies. */
export interface Place {
  path: string;
  group: number;
  start: number;
  key: number;
  payload: number;
  padding: number;
  end: number;
}

export function place(dir: string, sequence: number): Place {
  const path = lastSegment(dir);
  const record = recordsOf(path).find((found) => found.sequence === sequence);
  if (record === undefined) throw new Error(`no record ${sequence} in ${path}`);
  const key = record.offset + RECORD_HEADER_BYTES;
  const payload = key + record.keyLength;
  const padding = payload + record.payloadLength;
  return { path, group: record.group.offset, start: record.offset, key, payload, padding, end: record.group.end };
}

export type Damage = (dir: string) => void;
export type Part = Exclude<keyof Place, 'path'>;

/** Flips the lowest bit of a byte, counted from a part of a record. */
export function flip(sequence: number, part: Part, by = 0): Damage {
  return (dir) => {
    const found = place(dir, sequence);
    flipBit(found.path, found[part] + by);
  };
}

/** Ends the file so many bytes behind a part of a record. */
export function tear(sequence: number, part: Part, by = 0): Damage {
  return (dir) => {
    const found = place(dir, sequence);
    truncateSync(found.path, found[part] + by);
  };
}

/** Writes zeros from one part of a record to a part of another. */
export function zero(from: [number, Part], to: [number, Part]): Damage {
  return (dir) => {
    const { path } = place(dir, from[0]);
    const [start, end] = [place(dir, from[0])[from[1]], place(dir, to[0])[to[1]]];
    patch(path, (bytes) => {
      bytes.fill(0, start, end);
      return undefined;
    });
  };
}

/** Zeros the 512-byte sector that holds a byte, counted from a part of a record. */
export function zeroSector(sequence: number, part: Part, by = 0): Damage {
  return (dir) => {
    const found = place(dir, sequence);
    const at = found[part] + by;
    const sector = at - (at % 512);
    patch(found.path, (bytes) => {
      bytes.fill(0, sector, sector + 512);
      return undefined;
    });
  };
}

export function appendBytes(added: Buffer): Damage {
  return (dir) => patch(lastSegment(dir), (bytes) => Buffer.concat([bytes, added]));
}

/** The path of a segment by its place among them, from 0. */
function segment(dir: string, index: number): string {
  const path = segmentFiles(dir)[index];
  if (path === undefined) throw new Error(`${dir} has no segment ${index}`);
  return path;
}

export function removeSegments(...indexes: number[]): Damage {
  return (dir) => {
    for (const path of indexes.map((index) => segment(dir, index))) rmSync(path);
  };
}

export function cutSegment(index: number, bytes: number): Damage {
  return (dir) => truncateSync(segment(dir, index), bytes);
}

export function swapSegments(one: number, other: number): Damage {
  return (dir) => {
    const [a, b, aside] = [segment(dir, one), segment(dir, other), join(dir, 'aside')];
    renameSync(a, aside);
    renameSync(b, a);
    renameSync(aside, b);
  };
}

/** Puts a copy of a segment where one that begins with record `first` is or would be. */
export function duplicateSegment(index: number, first: number): Damage {
  return (dir) => copyFileSync(segment(dir, index), join(dir, segmentName(first)));
}

/** Where the footer of a segment starts, its trailer, and the end of the file. */
export function footerOf(path: string): { index: number; trailer: number; end: number } {
  const bytes = readFileSync(path);
  const length = footerBytesOf(bytes);
  if (length === undefined) throw new Error(`${path} has no footer`);
  return { index: bytes.length - length, trailer: bytes.length - FOOTER_BYTES, end: bytes.length };
}

/** What an open does with the damage: the records up to `last` are there, and the journal goes on behind them. */
export async function expectSurvivors(dir: string, survivors: number, row: string, texts = PAYLOADS): Promise<void> {
  const segment = lastSegment(dir);
  const before = readFileSync(segment);
  const journal = await openJournal({ dir });
  expect(journal.last).toBe(survivors);
  expect(journal.recovery.rows).toEqual([row]);
  expect(await contents(journal)).toEqual(texts.slice(0, survivors));
  expectTail(segment, before, journal.recovery.tails, row.startsWith('torn'));

  expect(await journal.append(Buffer.from('after'))).toBe(survivors + 1);
  const chain = journal.lastChain;
  await journal.close();
  const again = await openJournal({ dir });
  expect(again.recovery).toMatchObject({ rows: ['sound'], tails: [], rewritten: 0 });
  expect(await contents(again)).toEqual([...texts.slice(0, survivors), 'after']);
  expect(again.lastChain).toBe(chain);
}

/** What was cut off is kept aside, up to the last byte that is not zero or to the footer. */
function expectTail(segment: string, before: Buffer, tails: string[], torn: boolean): void {
  const end = endOfRecords(segment);
  expect(tails).toEqual(torn ? [`${segment}.${end}.tail`] : []);
  if (!torn) return;
  const kept = readFileSync(tails[0] ?? '');
  expect(kept.equals(before.subarray(end, end + kept.length))).toBe(true);
  const footerAt = before.length - (footerBytesOf(before) ?? 0);
  expect(before.subarray(end + kept.length, footerAt).every((byte) => byte === 0)).toBe(true);
}

/** What an open says of damage to durable records, each time, without changing anything. */
export async function expectRefusal(dir: string, error: object): Promise<void> {
  const before = snapshot(dir);
  await expect(openJournal({ dir })).rejects.toMatchObject(error);
  await expect(openJournal({ dir })).rejects.toMatchObject(error);
  expect(snapshot(dir)).toEqual(before);
}
