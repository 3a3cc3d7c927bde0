import type { JournalRecord, PayloadRange } from '../src/journal/journal.js';
import { BASE_BYTES_MIN, encodeBatch, type ReadBatch, type References } from '../src/reduce/batch.js';
import type { Copy } from '../src/reduce/content.js';
import { changed } from './changes.js';
import type { Random } from './random.js';

/** Batches as a peer encodes them, whose references lie in a small history or in the batch itself. */

/** The first record of each batch; history holds those before it. */
export const FIRST = 50;
const HISTORY_RECORD_BYTES = 3000;
/** Each may go through all bases. */
const LONG_COPIES_MAX = 400;
const HISTORY = Buffer.from(
  Uint8Array.from({ length: FIRST * HISTORY_RECORD_BYTES }, (_, at) => at * 7 + (at >> 8) * 13 + (at >> 16)),
);

export interface RandomBatch {
  records: JournalRecord[];
  floor: number;
  references: References;
}

/** A part of a record of history; undefined when there is no such part. */
export function partOfHistory({ sequence, offset, length }: PayloadRange): Buffer | undefined {
  if (sequence < 1 || sequence >= FIRST || offset + length > HISTORY_RECORD_BYTES) return undefined;
  const start = sequence * HISTORY_RECORD_BYTES + offset;
  return HISTORY.subarray(start, start + length);
}

/** The payloads of records, end to end; undefined when history does not hold one of them. */
export function stretchOfHistory(from: number, to: number): Buffer | undefined {
  if (from < 1 || to >= FIRST) return undefined;
  return HISTORY.subarray(from * HISTORY_RECORD_BYTES, (to + 1) * HISTORY_RECORD_BYTES);
}

/** The bytes of the bases before a batch, each in its place; undefined when history does not hold one of them. */
export function basesOf({ headers, bases }: ReadBatch): (Buffer | undefined)[] | undefined {
  const first = headers[0]?.sequence ?? 0;
  const known = bases.map((base) => (base.sequence < first ? partOfHistory(base) : undefined));
  const held = known.every((bytes, index) => bytes !== undefined || (bases[index] as PayloadRange).sequence >= first);
  return held ? known : undefined;
}

export function encoded({ records, floor, references }: RandomBatch): Buffer {
  return Buffer.concat(encodeBatch(records, floor, references));
}

/** A real batch with changes, one that asks for much work, or noise. */
export function hostileBatch(random: Random): Buffer {
  const kind = random.fraction();
  if (kind < 0.1) return random.bytes(random.below(2000));
  if (kind < 0.2) return manyCopies(random);
  let bytes = encoded(randomBatch(random));
  for (let changes = random.pick([1, 1, 2, 5]); changes > 0 && bytes.byteLength > 0; changes--) {
    bytes = changed(random, bytes);
  }
  return bytes;
}

/** Records of every shape, made of literals, parts of history and parts of records before them. */
export function randomBatch(random: Random): RandomBatch {
  const bases = Array.from({ length: random.below(random.pick([1, 5, 40])) }, () => randomBase(random));
  let memory = Buffer.concat(bases.map((base) => partOfHistory(base) as Buffer));
  const copies: (Copy[] | undefined)[] = [];
  const records: JournalRecord[] = [];
  for (let count = random.between(1, random.pick([1, 10, 60])); count > 0; count--) {
    const own = random.chance(0.7) ? ([] as Copy[]) : undefined;
    const payload = randomPayload(random, memory, own);
    const record = { ...randomHeader(random, records[records.length - 1]), payload };
    copies.push(own);
    records.push(record);
    if (payload.byteLength < BASE_BYTES_MIN || random.chance(0.7)) continue;
    const offset = random.below(payload.byteLength - BASE_BYTES_MIN + 1);
    const length = random.between(BASE_BYTES_MIN, payload.byteLength - offset);
    bases.push({ sequence: record.sequence, offset, length });
    memory = Buffer.concat([memory, payload.subarray(offset, offset + length)]);
  }
  return { records, floor: random.between(1, FIRST), references: { bases, copies } };
}

/** Small and made to be read to its end: copies that jump between the ends of many bases, and long ones. */
function manyCopies(random: Random): Buffer {
  const bases = Array.from({ length: random.between(1, random.pick([10, 3000, 12_000])) }, () =>
    randomBase(random, BASE_BYTES_MIN + 1),
  );
  const memoryBytes = bases.reduce((sum, { length }) => sum + length, 0);
  const near = Math.min(memoryBytes, 100);
  const longCopies = random.pick([1, LONG_COPIES_MAX]);
  const copies: Copy[] = [];
  let start = 0;
  for (let index = random.below(8000); index >= 0; index--) {
    const from = index % 2 === 0 ? random.below(near) : memoryBytes - 1 - random.below(near);
    const length = index < longCopies ? memoryBytes - from : Math.min(8, memoryBytes - from);
    copies.push({ start, from, length });
    start += length;
    if (start > 8 * 1024 * 1024) break;
  }
  const record = { ...randomHeader(random, undefined), payload: Buffer.alloc(start) };
  return encoded({ records: [record], floor: 1, references: { bases, copies: [copies] } });
}

function randomBase(random: Random, lengthMax = HISTORY_RECORD_BYTES): PayloadRange {
  const offset = random.below(HISTORY_RECORD_BYTES - lengthMax + 1);
  const length = random.between(BASE_BYTES_MIN, random.pick([BASE_BYTES_MIN, Math.min(50, lengthMax), lengthMax]));
  return { sequence: random.between(1, FIRST - 1), offset, length };
}

/** Fills in `copies`, if there may be any. */
function randomPayload(random: Random, memory: Buffer, copies: Copy[] | undefined): Buffer {
  const parts: Buffer[] = [];
  let start = 0;
  for (let count = random.below(7); count > 0; count--) {
    let part = random.bytes(random.pick([0, 1, random.below(60)]));
    if (copies !== undefined && memory.byteLength > 0 && random.chance(0.6)) {
      const from = random.below(memory.byteLength);
      const length = random.between(1, Math.min(memory.byteLength - from, random.pick([3, 100, 5000])));
      copies.push({ start, from, length });
      part = memory.subarray(from, from + length);
    }
    parts.push(part);
    start += part.byteLength;
  }
  return Buffer.concat(parts);
}

function randomHeader(random: Random, before: JournalRecord | undefined): Omit<JournalRecord, 'payload'> {
  const anyNumber = () => random.below(2 ** random.between(1, 21)) * 2 ** random.pick([0, 12, 31]);
  const header: Omit<JournalRecord, 'payload'> = {
    sequence: (before?.sequence ?? FIRST - 1) + 1,
    epoch: (before?.epoch ?? 0) + (random.chance(0.1) ? random.below(1000) : 0),
    kind: random.below(256),
    timestamp: random.chance(0.9) && before !== undefined ? before.timestamp + random.below(1000) : anyNumber(),
    checksum: random.u64(),
    chain: random.u64(),
  };
  if (random.chance(0.6)) header.key = randomKey(random, before?.key);
  if (random.chance(0.6)) {
    const end = before?.offset === undefined ? 0 : before.offset + before.payload.byteLength;
    header.offset = random.pick([end, end + 4096 * random.below(9), anyNumber()]);
  }
  return header;
}

function randomKey(random: Random, before: Buffer | undefined): Buffer {
  if (before !== undefined && random.chance(0.3)) return before;
  const shared = before?.subarray(0, random.below(before.byteLength + 1)) ?? Buffer.alloc(0);
  return Buffer.concat([shared, random.bytes(random.below(40))]);
}
