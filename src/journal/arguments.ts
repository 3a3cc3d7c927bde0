import { randomBytes } from 'node:crypto';
import { isDetached } from '../engine/bytes.js';
import { recordBytes } from '../engine/record-layout.js';
import { InvalidArgumentError, PayloadTooLargeError } from '../errors.js';
import {
  choiceOption,
  directoryOption,
  GIB,
  integerOption,
  KEY_BYTES_MAX,
  KIB,
  MIB,
  PAYLOAD_BYTES_MAX,
} from '../options.js';
import type { JournalFileSystem } from './disk/disk.js';
import { PAGE_BYTES } from './format/format.js';
import { type Entry, payloadChecksum } from './format/record.js';
import type { SequenceRange } from './read/payload-reader.js';
import type { PayloadRange } from './read/range-reader.js';
import type { BatchLimits, BatchOptions } from './read/reader.js';
import type { OnFull } from './retention/cursor.js';
import type { ReplicatedEntry } from './write/intake.js';

/** What callers pass in, with bounds and defaults; everything is checked before anything happens. */

export interface JournalOptions {
  /** Made when missing. */
  dir: string;
  /** 32 hex digits. Default: the volume that the directory holds, or a random one for a new journal. */
  volume?: string;
  /** The epoch of appended records, unless the journal holds a higher one. Default 1. */
  epoch?: number;
  /** Size at which a segment is full; a larger record has a segment of its own. Default 64 MiB, 64 KiB to 1 GiB. */
  segmentBytes?: number;
  /**
   * Bytes of records that some cursor has not passed; beyond, appends wait. Without any cursor all of the journal
   * counts, as nothing of it may be freed. Default 8 GiB, minimum 64 KiB.
   */
  queueBytesMax?: number;
  /** The records of this many milliseconds stay though every cursor has passed them. Default 0, at most 10 years. */
  retainAgeMs?: number;
  /**
   * Bytes of the file system that stay free for others: before the next segment would take of them, the journal counts
   * as full. Default 0 (off).
   */
  diskReserveBytes?: number;
  /**
   * What a full journal does with an append: `block` has it wait, `error` refuses it with QueueFullError or
   * DiskReserveError. Cursors may choose for themselves, `detach` included. Default `block`.
   */
  onFull?: 'block' | 'error';
  /** Bytes in memory that are not durable yet; beyond, appends wait. Default 64 MiB, minimum 64 KiB. */
  pendingBytesMax?: number;
  /** The newest bytes of the journal that stay though every cursor has passed them. Default 1 GiB, minimum 0. */
  historyBytes?: number;
  /**
   * `group`: an append resolves once synced, together with what else is queued. `none`: once written; a segment is
   * synced when it is full and when the journal closes, and a power cut may take what came after. Default `group`.
   */
  durability?: 'group' | 'none';
  /**
   * Bytes of the newest records that stay in memory once they are durable, for readers close behind. Default 8 MiB,
   * minimum 0.
   */
  tailBytes?: number;
  /**
   * How fast everything is read and checked once a day, beginning a minute after the open, as long as there are full
   * segments; what is found shows in the status. Bytes a second, default 16 MiB, 4096 to 1 TiB; 0 for never.
   */
  scrubBytesPerSecond?: number;
  /** Microseconds since 1970, for the timestamps of appended records. */
  now?: () => number;
  /** Replaces functions of `node:fs/promises`, for tests that make them fail. */
  fs?: JournalFileSystem;
}

export type CheckedOptions = Required<Omit<JournalOptions, 'volume' | 'fs'>> & Pick<JournalOptions, 'volume' | 'fs'>;

const RETAIN_AGE_MS_MAX = 10 * 366 * 24 * 3600 * 1000;
const SEQUENCE_MAX = Number.MAX_SAFE_INTEGER;
const U64_MAX = 0xffff_ffff_ffff_ffffn;

export function checkOptions(o: JournalOptions): CheckedOptions {
  const bytes = { max: SEQUENCE_MAX };
  return {
    dir: directoryOption('dir', o.dir),
    ...(o.volume === undefined ? {} : { volume: volumeArgument(o.volume) }),
    epoch: integerOption('epoch', o.epoch, { min: 1, max: SEQUENCE_MAX, default: 1 }),
    segmentBytes: wholePages(
      integerOption('segmentBytes', o.segmentBytes, { min: 64 * KIB, max: GIB, default: 64 * MIB }),
    ),
    queueBytesMax: integerOption('queueBytesMax', o.queueBytesMax, { ...bytes, min: 64 * KIB, default: 8 * GIB }),
    pendingBytesMax: integerOption('pendingBytesMax', o.pendingBytesMax, {
      ...bytes,
      min: 64 * KIB,
      default: 64 * MIB,
    }),
    historyBytes: integerOption('historyBytes', o.historyBytes, { ...bytes, min: 0, default: GIB }),
    retainAgeMs: integerOption('retainAgeMs', o.retainAgeMs, { min: 0, max: RETAIN_AGE_MS_MAX, default: 0 }),
    diskReserveBytes: integerOption('diskReserveBytes', o.diskReserveBytes, { ...bytes, min: 0, default: 0 }),
    onFull: choiceOption('onFull', o.onFull, ['block', 'error'], 'block'),
    tailBytes: integerOption('tailBytes', o.tailBytes, { ...bytes, min: 0, default: 8 * MIB }),
    scrubBytesPerSecond: scrubRate('scrubBytesPerSecond', o.scrubBytesPerSecond, 16 * MIB),
    durability: choiceOption('durability', o.durability, ['group', 'none'], 'group'),
    now: o.now ?? (() => Date.now() * 1000),
    ...(o.fs === undefined ? {} : { fs: o.fs }),
  };
}

function wholePages(bytes: number): number {
  return bytes - (bytes % PAGE_BYTES);
}

export function volumeArgument(volume: unknown): string {
  if (typeof volume === 'string' && /^[0-9a-f]{32}$/.test(volume)) return volume;
  throw new InvalidArgumentError('volume', volume, '32 hex digits in lower case');
}

/** Bytes a second; 0 stands for what the option says it does. */
export function scrubRate(name: string, value: number | undefined, fallback: number): number {
  return integerOption(name, value, { min: value === 0 ? 0 : 4 * KIB, max: 1024 * GIB, default: fallback });
}

export function newVolume(): string {
  return randomBytes(16).toString('hex');
}

export interface AppendOptions {
  /** 0 to 127 are the embedder's, 128 to 255 Longhaul's own. Default 0. */
  kind?: number;
  /** A locality hint, at most KEY_BYTES_MAX bytes; a string means UTF-8. */
  key?: string | Uint8Array;
  /** Where in the object of that key the payload belongs. */
  offset?: number;
  signal?: AbortSignal;
}

export interface ReplicatedRecord {
  sequence: number;
  epoch: number;
  timestamp: number;
  kind?: number;
  key?: string | Uint8Array;
  offset?: number;
  payload: Uint8Array;
  /**
   * XXH64 over key and payload, as the journal it comes from stored it. Without it the record is believed if the chain of
   * it, or of one behind it in the same call, is right; one of the two must be there.
   */
  checksum?: bigint;
  /** The chain up to and including the record there; when given, it has to be the same here. */
  chain?: bigint;
}

export interface CursorOptions {
  /** Where a new cursor starts. Default 0. */
  at?: number;
  /** What happens when the cursor holds back more than the journal may keep. */
  onFull?: OnFull;
}

export function checkCursorOptions(o: CursorOptions): CursorOptions {
  if (o.onFull !== undefined) choiceOption('onFull', o.onFull, ['block', 'error', 'detach'], 'block');
  return o;
}

/** Turns arguments into an entry that has no number yet. */
export function newEntry(payload: Uint8Array, o: AppendOptions): Entry {
  return entryOf('', payload, o);
}

/** Checks payloads that share all else with a checked entry. */
export function checkPayloads(payloads: unknown): readonly Uint8Array[] {
  if (!Array.isArray(payloads) || payloads.length === 0) {
    throw new InvalidArgumentError('payloads', payloads, 'an array of at least one Uint8Array');
  }
  for (const payload of payloads) checkPayload('payload', payload);
  // A copy, because the caller's array may change while the call waits.
  return payloads.slice();
}

function checkPayload(name: string, payload: unknown): asserts payload is Uint8Array {
  if (!(payload instanceof Uint8Array) || (payload.length === 0 && isDetached(payload))) {
    throw new InvalidArgumentError(name, payload, 'a Uint8Array with memory of its own');
  }
  if (payload.length > PAYLOAD_BYTES_MAX) throw new PayloadTooLargeError(payload.length, PAYLOAD_BYTES_MAX);
}

function entryOf(where: string, payload: Uint8Array, o: Pick<AppendOptions, 'kind' | 'key' | 'offset'>): Entry {
  checkPayload(`${where}payload`, payload);
  const { kind = 0, offset } = o;
  if (!Number.isInteger(kind) || kind < 0 || kind > 255) {
    throw new InvalidArgumentError(`${where}kind`, kind, 'an integer from 0 to 255');
  }
  if (offset !== undefined && (!Number.isSafeInteger(offset) || offset < 0)) {
    throw new InvalidArgumentError(`${where}offset`, offset, 'a safe integer from 0');
  }
  const key = o.key === undefined ? undefined : keyBytes(where, o.key);
  const bytes = recordBytes(key?.byteLength ?? 0, payload.byteLength);
  return { sequence: 0, epoch: 0, kind, timestamp: 0, key, offset, payload, bytes };
}

function keyBytes(where: string, key: unknown): Uint8Array {
  const bytes = typeof key === 'string' ? Buffer.from(key, 'utf8') : key;
  if (bytes instanceof Uint8Array && bytes.byteLength <= KEY_BYTES_MAX && !isDetached(bytes)) return bytes;
  throw new InvalidArgumentError(`${where}key`, key, `a string or Uint8Array of at most ${KEY_BYTES_MAX} bytes`);
}

/** Checks a record that comes from another journal, its content included. */
export function replicatedEntry(record: ReplicatedRecord, index: number): ReplicatedEntry {
  const where = `records[${index}].`;
  const entry = entryOf(where, record.payload, record);
  entry.sequence = integer(`${where}sequence`, record.sequence, 1);
  entry.epoch = integer(`${where}epoch`, record.epoch, 0);
  entry.timestamp = integer(`${where}timestamp`, record.timestamp, 0);
  const checksum = payloadChecksum(entry.key, entry.payload);
  if (record.checksum !== undefined && checksum !== record.checksum) {
    throw new InvalidArgumentError(
      `${where}checksum`,
      record.checksum,
      `${checksum}, the XXH64 of its key and payload`,
    );
  }
  return { ...entry, checksum, chain: record.chain === undefined ? undefined : chainArgument(record.chain) };
}

/** A record without its checksum needs a chain, its own or that of one behind it. */
export function checkProofs(records: readonly ReplicatedRecord[]): void {
  const proved = records.findLastIndex(({ chain }) => chain !== undefined);
  const index = records.findIndex(({ checksum }, place) => place > proved && checksum === undefined);
  if (index < 0) return;
  throw new InvalidArgumentError(`records[${index}].checksum`, undefined, 'a checksum, or a chain there or behind it');
}

export function integer(name: string, value: unknown, min: number): number {
  if (Number.isSafeInteger(value) && (value as number) >= min) return value as number;
  throw new InvalidArgumentError(name, value, `a safe integer from ${min}`);
}

export function rangeArguments(ranges: unknown): readonly PayloadRange[] {
  if (!Array.isArray(ranges))
    throw new InvalidArgumentError('ranges', ranges, 'an array of { sequence, offset, length }');
  for (const [index, range] of ranges.entries()) {
    integer(`ranges[${index}].sequence`, range?.sequence, 1);
    integer(`ranges[${index}].offset`, range?.offset, 0);
    integer(`ranges[${index}].length`, range?.length, 0);
  }
  return ranges;
}

/** Records in rows that rise. */
export function stretchArguments(ranges: unknown): readonly SequenceRange[] {
  if (!Array.isArray(ranges)) throw new InvalidArgumentError('ranges', ranges, 'an array of { from, to }');
  let end = 0;
  for (const [index, range] of ranges.entries()) {
    integer(`ranges[${index}].from`, range?.from, end + 1);
    integer(`ranges[${index}].to`, range?.to, range.from);
    end = range.to;
  }
  return ranges;
}

/** As a Buffer of the same memory. */
export function memoryArgument(name: string, bytes: unknown): Buffer {
  if (!(bytes instanceof Uint8Array)) throw new InvalidArgumentError(name, bytes, 'a Uint8Array');
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

export function chainArgument(chain: unknown): bigint {
  if (typeof chain === 'bigint' && chain >= 0n && chain <= U64_MAX) return chain;
  throw new InvalidArgumentError('chain', chain, 'a bigint of 64 bits');
}

export function batchLimits(o: BatchOptions): BatchLimits {
  return {
    bytesMax: integerOption('batchBytesMax', o.batchBytesMax, { min: 1, max: GIB, default: MIB }),
    recordsMax: integerOption('batchRecordsMax', o.batchRecordsMax, { min: 1, max: 1_000_000, default: 4096 }),
  };
}
