import { ByteReader, ByteWriter } from '../engine/bytes.js';
import { ProtocolError } from '../errors.js';
import type { JournalRecord, PayloadRange } from '../journal/journal.js';
import { KEY_BYTES_MAX, MIB, PAYLOAD_BYTES_MAX } from '../options.js';
import { ContentReader, ContentWriter, type Copy, unzigzag, zigzag } from './content.js';

/**
 * A batch: consecutive records, before compression. What is alike lies together, column by column, as it compresses best;
 * docs/protocol.md ("BATCH") has the table. Content that the peer's log holds already is not in it: a record with
 * references is made of copies from the bases, and of literals. Neither are the checksums of the records: the chain behind
 * the last of them proves them all.
 */

export const BATCH_RECORDS_MAX = 4096;
/** Payload bytes after which a batch is closed; a single larger record makes a batch of its own. */
export const BATCH_BYTES = MIB;
/** The most that the payloads of a batch can be. */
export const BATCH_PAYLOAD_BYTES_MAX = PAYLOAD_BYTES_MAX + BATCH_BYTES;
/** The most that a batch can take: its payloads as literals, and all else. */
export const BATCH_BYTES_MAX = BATCH_PAYLOAD_BYTES_MAX + BATCH_RECORDS_MAX * 64 + 2 * KEY_BYTES_MAX + MIB;
/** The most that its bases can be, and how many there can be of them. */
export const BASES_MAX = 64 * 1024;
/** The least that one of them is: putting a payload together from crumbs would take the receiver its time. */
export const BASE_BYTES_MIN = 32;
export const BASE_BYTES_MAX = 2 * BATCH_PAYLOAD_BYTES_MAX;

export interface BatchRecord {
  sequence: number;
  epoch: number;
  kind: number;
  timestamp: number;
  key?: Buffer;
  offset?: number;
  payload: Buffer;
}

export interface Batch {
  records: BatchRecord[];
  chain: bigint;
  /** The oldest record that anything behind this batch may refer to. */
  floor: number;
}

/** What history holds of the content of a batch. */
export interface References {
  /** Parts of payloads, laid end to end: the memory that copies are from. */
  bases: readonly PayloadRange[];
  /** For each record its copies in order, or undefined when it is all literal. */
  copies: readonly (readonly Copy[] | undefined)[];
}

export const NO_REFERENCES: References = { bases: [], copies: [] };

/** What a record's flags say. */
const FLAG = {
  key: 1,
  offset: 2,
  /** The key is that of the record before, and is not repeated. */
  sameKey: 4,
  references: 8,
  /** The offset is as it is; else it is the distance from the end of the record before. */
  absoluteOffset: 16,
  absoluteTime: 32,
  newEpoch: 64,
  /** The distance of the offset is in units of 4096. */
  wideOffset: 128,
} as const;
/** Twice a distance must be a safe integer too. */
const DISTANCE_MAX = 2 ** 51;
/** Pages lie at multiples of this. */
const OFFSET_UNIT = 4096;

/** The parts of a batch, larger literals uncopied. */
export function encodeBatch(
  records: readonly JournalRecord[],
  floor: number,
  { bases, copies }: References = NO_REFERENCES,
): Uint8Array[] {
  const first = records[0];
  const last = records[records.length - 1];
  if (first === undefined || last === undefined) return [];
  const head = new ByteWriter(64);
  head
    .varint(first.sequence)
    .varint(records.length)
    .u64(last.chain)
    .varint(Math.max(0, last.sequence + 1 - floor));
  const columns = new HeaderColumns(records.length);
  const content = new ContentWriter();
  let before: JournalRecord | undefined;
  for (const [index, record] of records.entries()) {
    const own = copies[index];
    columns.add(record, before, own !== undefined);
    if (own === undefined) content.literal(record.payload);
    else content.stretches(own, record.payload);
    before = record;
  }
  return [head.take(), ...columns.take(), encodeBases(bases, first.sequence), ...content.take()];
}

/** The headers of records, column by column. */
class HeaderColumns {
  readonly #flags: ByteWriter;
  readonly #kinds: ByteWriter;
  readonly #epochs = new ByteWriter(16);
  readonly #times: ByteWriter;
  readonly #lengths: ByteWriter;
  readonly #keys = new ByteWriter();
  readonly #offsets = new ByteWriter();

  constructor(records: number) {
    [this.#flags, this.#kinds] = [new ByteWriter(records), new ByteWriter(records)];
    [this.#times, this.#lengths] = [new ByteWriter(3 * records + 8), new ByteWriter(2 * records + 8)];
  }

  add(record: JournalRecord, before: JournalRecord | undefined, references: boolean): void {
    const { key, offset, epoch, timestamp, kind, payload } = record;
    let flags = references ? FLAG.references : 0;
    if (epoch !== before?.epoch) {
      flags |= FLAG.newEpoch;
      this.#epochs.varint(epoch);
    }
    const elapsed = timestamp - (before?.timestamp ?? 0);
    if (before === undefined || Math.abs(elapsed) > DISTANCE_MAX) {
      flags |= FLAG.absoluteTime;
      this.#times.varint(timestamp);
    } else {
      this.#times.varint(zigzag(elapsed));
    }
    if (key !== undefined) flags |= FLAG.key | this.#key(key, before?.key);
    if (offset !== undefined) flags |= FLAG.offset | this.#offset(offset, before);
    this.#flags.u8(flags);
    this.#kinds.u8(kind);
    this.#lengths.varint(payload.byteLength);
  }

  take(): Buffer[] {
    const all = [this.#flags, this.#kinds, this.#epochs, this.#times, this.#lengths, this.#keys, this.#offsets];
    return all.map((column) => column.take());
  }

  #key(key: Buffer, before: Buffer | undefined): number {
    if (before !== undefined && key.equals(before)) return FLAG.sameKey;
    const shared = before === undefined ? 0 : sharedBytes(before, key);
    this.#keys.varint(shared).bytes(key.subarray(shared));
    return 0;
  }

  #offset(offset: number, before: JournalRecord | undefined): number {
    const distance = offset - endOf(before);
    if (Math.abs(distance) > DISTANCE_MAX) {
      this.#offsets.varint(offset);
      return FLAG.absoluteOffset;
    }
    const wide = distance !== 0 && distance % OFFSET_UNIT === 0;
    this.#offsets.varint(zigzag(wide ? distance / OFFSET_UNIT : distance));
    return wide ? FLAG.wideOffset : 0;
  }
}

/** Count, then for each how far its record lies behind that of the one before, its start and its length. */
function encodeBases(bases: readonly PayloadRange[], first: number): Buffer {
  const [distances, starts, lengths] = [new ByteWriter(), new ByteWriter(), new ByteWriter()];
  let before = first;
  for (const { sequence, offset, length } of bases) {
    distances.varint(zigzag(sequence - before));
    starts.varint(offset);
    lengths.varint(length);
    before = sequence;
  }
  return new ByteWriter().varint(bases.length).raw(distances.take()).raw(starts.take()).raw(lengths.take()).take();
}

type RecordHeader = Omit<BatchRecord, 'payload'> & { payloadLength: number; references: boolean };

/** A batch that came from a peer, its content still to be put together. */
export interface ReadBatch {
  headers: RecordHeader[];
  chain: bigint;
  floor: number;
  bases: PayloadRange[];
  content: ContentReader;
  payloadBytes: number;
}

export function readBatch(bytes: Buffer): ReadBatch {
  const reader = new ByteReader(bytes, 'batch');
  const first = reader.varint();
  const count = reader.varint(BATCH_RECORDS_MAX);
  if (first < 1 || count < 1)
    throw new ProtocolError(`a batch of ${count} records from ${first}`, 'at least one record');
  const chain = reader.u64();
  const behind = reader.varint();
  const headers = readHeaders(reader, first, count);
  const payloadBytes = headers.reduce((sum, { payloadLength }) => sum + payloadLength, 0);
  if (payloadBytes > BATCH_PAYLOAD_BYTES_MAX) {
    throw new ProtocolError(`a batch of ${payloadBytes} bytes of payload`, `at most ${BATCH_PAYLOAD_BYTES_MAX}`);
  }
  const bases = readBases(reader, first);
  return { headers, chain, floor: first + count - behind, bases, content: new ContentReader(reader), payloadBytes };
}

function readHeaders(reader: ByteReader, first: number, count: number): RecordHeader[] {
  const flags = reader.raw(count);
  const kinds = reader.raw(count);
  let epoch = 0;
  let time = 0;
  const headers = Array.from({ length: count }, (_, index): RecordHeader => {
    const flag = flags[index] as number;
    if ((flag & FLAG.newEpoch) !== 0) epoch = reader.varint();
    const kind = kinds[index] as number;
    const references = (flag & FLAG.references) !== 0;
    return { sequence: first + index, epoch, kind, timestamp: 0, payloadLength: 0, references };
  });
  for (const [index, header] of headers.entries()) {
    time = has(flags, index, FLAG.absoluteTime) ? reader.varint() : distanced(time, reader.varint(), 'timestamp');
    header.timestamp = time;
  }
  for (const header of headers) header.payloadLength = reader.varint(PAYLOAD_BYTES_MAX);
  for (const [index, header] of headers.entries()) {
    if (has(flags, index, FLAG.key)) header.key = readKey(reader, has(flags, index, FLAG.sameKey), headers[index - 1]);
  }
  let end = 0;
  for (const [index, header] of headers.entries()) {
    if (has(flags, index, FLAG.offset)) {
      const unit = has(flags, index, FLAG.wideOffset) ? OFFSET_UNIT : 1;
      const absolute = has(flags, index, FLAG.absoluteOffset);
      header.offset = absolute ? reader.varint() : distanced(end, reader.varint(), 'offset', unit);
    }
    end = endOfHeader(header);
  }
  return headers;
}

function readKey(reader: ByteReader, same: boolean, before: RecordHeader | undefined): Buffer {
  const known = before?.key;
  if (same) {
    if (known === undefined) throw new ProtocolError('a key as that of a record without one', 'the key');
    return known;
  }
  const shared = reader.varint(known?.byteLength ?? 0);
  const rest = reader.bytes(KEY_BYTES_MAX - shared);
  return shared === 0 || known === undefined ? rest : Buffer.concat([known.subarray(0, shared), rest]);
}

function readBases(reader: ByteReader, first: number): PayloadRange[] {
  const count = reader.varint(BASES_MAX);
  let sequence = first;
  const bases = Array.from({ length: count }, () => {
    sequence = distanced(sequence, reader.varint(), 'base');
    return { sequence, offset: 0, length: 0 };
  });
  for (const base of bases) base.offset = reader.varint(PAYLOAD_BYTES_MAX);
  let total = 0;
  for (const base of bases) {
    base.length = reader.varint(PAYLOAD_BYTES_MAX - base.offset);
    total += base.length;
    if (base.length < BASE_BYTES_MIN || base.sequence < 1 || total > BASE_BYTES_MAX) {
      const given = `a base of ${base.length} bytes of record ${base.sequence}`;
      throw new ProtocolError(given, `${BASE_BYTES_MIN} at least, and ${BASE_BYTES_MAX} bytes in all at most`);
    }
  }
  return bases;
}

function distanced(from: number, coded: number, what: string, unit = 1): number {
  const value = from + unzigzag(coded) * unit;
  if (value < 0 || !Number.isSafeInteger(value)) throw new ProtocolError(`${what} ${value}`, 'a safe integer from 0');
  return value;
}

const has = (flags: Buffer, index: number, flag: number): boolean => ((flags[index] as number) & flag) !== 0;

function endOf(record: JournalRecord | undefined): number {
  return record === undefined ? 0 : endOfHeader({ offset: record.offset, payloadLength: record.payload.byteLength });
}

/** Where a record would go on; 0 when it has no offset, or ends beyond all numbers. */
function endOfHeader({ offset, payloadLength }: { offset?: number | undefined; payloadLength: number }): number {
  const end = offset === undefined ? 0 : offset + payloadLength;
  return Number.isSafeInteger(end) ? end : 0;
}

function sharedBytes(a: Buffer, b: Buffer): number {
  const most = Math.min(a.byteLength, b.byteLength);
  let count = 0;
  while (count < most && a[count] === b[count]) count++;
  return count;
}
