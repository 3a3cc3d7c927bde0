import { endianness } from 'node:os';
import { checksum64 } from '../../engine/checksum.js';
import { CANONICAL_BYTES, NO_KEY, RECORD, RECORD_HEADER_BYTES, recordBytes } from '../../engine/record-layout.js';
import { getU64, viewOf } from './format.js';

/** Encoding and decoding of one record; the kernels in engine/ fill in and check the checksums. */

export interface JournalRecord {
  sequence: number;
  epoch: number;
  kind: number;
  /** Microseconds since 1970. */
  timestamp: number;
  key?: Buffer;
  offset?: number;
  payload: Buffer;
  /** XXH64 over key and payload, as stored. */
  checksum: bigint;
  /** The chain up to and including this record. */
  chain: bigint;
}

/** A record on its way into the journal. */
export interface Entry {
  sequence: number;
  epoch: number;
  kind: number;
  timestamp: number;
  key: Uint8Array | undefined;
  offset: number | undefined;
  payload: Uint8Array;
  /** What the record takes on disk. */
  bytes: number;
}

const EMPTY_KEY_SEED = checksum64(new Uint8Array(0));
const ALL_ONES = 0xffffffff;
const TWO_32 = 2 ** 32;

/** XXH64 over key, then payload: the hash of the key is the seed for the payload. */
export function payloadChecksum(key: Uint8Array | undefined, payload: Uint8Array): bigint {
  return checksum64(payload, key === undefined ? EMPTY_KEY_SEED : checksum64(key));
}

/** Memory for records, which begin at multiples of 8 of it: the same bytes seen in three ways. */
export interface RecordMemory {
  bytes: Uint8Array;
  view: DataView;
  /** Stores to it are what the encoding of small records takes most of its time for, and cost half of a DataView's. */
  words: Uint32Array;
}

export function memoryOf(bytes: Uint8Array): RecordMemory {
  return { bytes, view: viewOf(bytes), words: wordsOf(bytes) };
}

export function wordsOf(bytes: Uint8Array): Uint32Array {
  return new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >>> 2);
}

/** A word as it has to be stored to be little endian in memory. */
const toLittleEndian: (word: number) => number =
  endianness() === 'LE'
    ? (word) => word
    : (word) => (word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24);

function setNumber(words: Uint32Array, at: number, value: number): void {
  words[at] = toLittleEndian(value >>> 0);
  words[at + 1] = value < TWO_32 ? 0 : toLittleEndian(Math.floor(value / TWO_32));
}

/** What the chain runs over, but for the checksum of the payload. */
function encodeCanonical(words: Uint32Array, at: number, entry: Entry): void {
  const { key, payload } = entry;
  const word = at >>> 2;
  setNumber(words, word + RECORD.sequence / 4, entry.sequence);
  setNumber(words, word + RECORD.epoch / 4, entry.epoch);
  setNumber(words, word + RECORD.timestamp / 4, entry.timestamp);
  if (entry.offset === undefined) {
    words[word + RECORD.offset / 4] = ALL_ONES;
    words[word + RECORD.offset / 4 + 1] = ALL_ONES;
  } else {
    setNumber(words, word + RECORD.offset / 4, entry.offset);
  }
  words[word + RECORD.payloadLength / 4] = toLittleEndian(payload.length);
  // Key length, kind and a byte of zeros share a word.
  words[word + RECORD.keyLength / 4] = toLittleEndian((key === undefined ? NO_KEY : key.length) | (entry.kind << 16));
}

/** The chain of a record that is not encoded yet. */
export class ChainLink {
  private readonly memory = memoryOf(new Uint8Array(CANONICAL_BYTES));

  after(previous: bigint, entry: Entry, checksum: bigint): bigint {
    encodeCanonical(this.memory.words, 0, entry);
    this.memory.view.setBigUint64(RECORD.payloadChecksum, checksum, true);
    return checksum64(this.memory.bytes, previous);
  }
}

/** Writes the record at `at` of the memory; the kernel that seals it fills in its checksums. */
export function encodeRecord({ bytes, words }: RecordMemory, at: number, entry: Entry): void {
  const { key, payload } = entry;
  encodeCanonical(words, at, entry);
  // The last eight bytes hold the padding, and the end of key or payload, which comes over it.
  const end = (at + entry.bytes) >>> 2;
  words[end - 2] = 0;
  words[end - 1] = 0;
  let position = at + RECORD_HEADER_BYTES;
  if (key !== undefined) {
    bytes.set(key, position);
    position += key.length;
  }
  bytes.set(payload, position);
}

export function sequenceAt(view: DataView, at: number): number {
  return getU64(view, at + RECORD.sequence);
}

export function timestampAt(view: DataView, at: number): number {
  return getU64(view, at + RECORD.timestamp);
}

export function chainOfRecordAt(view: DataView, at: number): bigint {
  return view.getBigUint64(at + RECORD.chain, true);
}

export function keyLengthAt(view: DataView, at: number): number {
  const length = view.getUint16(at + RECORD.keyLength, true);
  return length === NO_KEY ? 0 : length;
}

/** What the record at `at` takes, as its header says; the caller sees to it that the header lies in the bytes. */
export function recordBytesAt(view: DataView, at: number): number {
  return recordBytes(keyLengthAt(view, at), view.getUint32(at + RECORD.payloadLength, true));
}

/** The record at `at`, which has been checked or was never on a disk; key and payload are views of the bytes. */
export function decodeRecord(bytes: Buffer, view: DataView, at: number): JournalRecord {
  const keyStart = at + RECORD_HEADER_BYTES;
  const keyEnd = keyStart + keyLengthAt(view, at);
  const record: JournalRecord = {
    sequence: getU64(view, at + RECORD.sequence),
    epoch: getU64(view, at + RECORD.epoch),
    kind: view.getUint8(at + RECORD.kind),
    timestamp: getU64(view, at + RECORD.timestamp),
    payload: bytes.subarray(keyEnd, keyEnd + view.getUint32(at + RECORD.payloadLength, true)),
    checksum: view.getBigUint64(at + RECORD.payloadChecksum, true),
    chain: view.getBigUint64(at + RECORD.chain, true),
  };
  if (view.getUint16(at + RECORD.keyLength, true) !== NO_KEY) record.key = bytes.subarray(keyStart, keyEnd);
  if (view.getUint32(at + RECORD.offset + 4, true) !== ALL_ONES) record.offset = getU64(view, at + RECORD.offset);
  return record;
}
