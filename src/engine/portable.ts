import { fdatasync, writev } from 'node:fs';
import { promisify } from 'node:util';
import xxhash from 'xxhash-wasm';
import { unwritten } from './gathered.js';
import type { Kernels } from './kernels.js';
import { cutChunks } from './portable-chunks.js';
import { firstNonZero, xorBytes, zeroRuns } from './portable-delta.js';
import { digestChunks, digestRanges } from './portable-digest.js';
import { matchBytes } from './portable-match.js';
import { sketch } from './portable-sketch.js';
import { readSpans } from './portable-spans.js';
import { CANONICAL_BYTES, NO_KEY, RECORD, RECORD_HEADER_BYTES, recordBytes, STATE, STOP } from './record-layout.js';

/** The twin of the addon, in TypeScript and WebAssembly: same arguments, same results, on every platform. */

const { create64, h64Raw } = await xxhash();
const writeBuffers = promisify(writev);
const syncData = promisify(fdatasync);

export const portable: Kernels = {
  checksum64: h64Raw,
  checksumParts,
  discard: () => false,
  sealRecords,
  checkRecords,
  cutChunks,
  digestChunks,
  sketch,
  digestRanges,
  checksumRanges,
  xorBytes,
  firstNonZero,
  zeroRuns,
  matchBytes,
  writeDurable,
  bypassCache: () => false,
  allocatePages: (bytes) => Buffer.allocUnsafeSlow(bytes),
  preallocate: cannot,
  writeZeros: cannot,
  readSpans,
  setCongestionControl: () => undefined,
  probeCongestionControl: () => undefined,
  setPacingRate: () => false,
  setNotSentLowat: () => false,
  setUserTimeout: () => false,
  readTcpInfo: () => false,
};

function checksumParts(parts: readonly Uint8Array[], seed: bigint): bigint {
  const checksum = create64(seed);
  for (const part of parts) checksum.update(part);
  return checksum.digest();
}

function checksumRanges(bytes: Uint8Array, ranges: Uint32Array, seed: bigint, checksums: BigUint64Array): void {
  for (let index = 0; 2 * index + 1 < ranges.length; index++) {
    checksums[index] = h64Raw(bytes.subarray(ranges[2 * index], ranges[2 * index + 1]), seed);
  }
}

/** A stretch of memory with records, as bytes and as numbers. */
interface Memory {
  bytes: Uint8Array;
  view: DataView;
}

function memoryOf(bytes: Uint8Array): Memory {
  return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength) };
}

const part = ({ bytes }: Memory, from: number, length: number): Uint8Array => bytes.subarray(from, from + length);

function keyBytes({ view }: Memory, at: number): number {
  const length = view.getUint16(at + RECORD.keyLength, true);
  return length === NO_KEY ? 0 : length;
}

function bytesOfRecord(memory: Memory, at: number): number {
  return recordBytes(keyBytes(memory, at), memory.view.getUint32(at + RECORD.payloadLength, true));
}

function payloadChecksum(memory: Memory, at: number): bigint {
  const keyLength = keyBytes(memory, at);
  const key = part(memory, at + RECORD_HEADER_BYTES, keyLength);
  const payloadLength = memory.view.getUint32(at + RECORD.payloadLength, true);
  return h64Raw(part(memory, at + RECORD_HEADER_BYTES + keyLength, payloadLength), h64Raw(key, 0n));
}

const chainAfter = (chain: bigint, memory: Memory, at: number): bigint =>
  h64Raw(part(memory, at, CANONICAL_BYTES), chain);

const headerChecksum = (memory: Memory, at: number, seed: bigint): bigint =>
  h64Raw(part(memory, at, RECORD.headerChecksum), seed);

const field = (state: BigUint64Array, index: number): bigint => state[index] as bigint;

function sealRecords(bytes: Uint8Array, start: number, end: number, state: BigUint64Array): number {
  const memory = memoryOf(bytes);
  const { view } = memory;
  const seed = field(state, STATE.segmentSeed);
  let chain = field(state, STATE.chain);
  let records = 0;
  for (let at = start; at < end; records++) {
    if (end - at < RECORD_HEADER_BYTES) return -1 - at;
    const length = bytesOfRecord(memory, at);
    if (length > end - at) return -1 - at;
    view.setBigUint64(at + RECORD.payloadChecksum, payloadChecksum(memory, at), true);
    chain = chainAfter(chain, memory, at);
    view.setBigUint64(at + RECORD.chain, chain, true);
    view.setBigUint64(at + RECORD.headerChecksum, headerChecksum(memory, at, seed), true);
    at += length;
  }
  state[STATE.chain] = chain;
  return records;
}

function checkRecords(
  bytes: Uint8Array,
  start: number,
  end: number,
  state: BigUint64Array,
  found: Float64Array | Uint32Array,
): number {
  const memory = memoryOf(bytes);
  let sound = 0;
  let stop: number = STOP.end;
  for (let at = start; at < end && sound < found.length; ) {
    stop = checkRecord(memory, at, end, state);
    if (stop !== STOP.end) break;
    found[sound++] = at;
    at += bytesOfRecord(memory, at);
  }
  state[STATE.stop] = BigInt(stop);
  return sound;
}

function checkRecord(memory: Memory, at: number, end: number, state: BigUint64Array): number {
  const { view } = memory;
  if (end - at < RECORD_HEADER_BYTES) return STOP.cutOff;
  const checksum = headerChecksum(memory, at, field(state, STATE.segmentSeed));
  if (view.getBigUint64(at + RECORD.headerChecksum, true) !== checksum) return STOP.headerChecksum;
  const sequence = view.getBigUint64(at + RECORD.sequence, true);
  if (sequence !== field(state, STATE.sequence)) return STOP.sequence;
  const epoch = view.getBigUint64(at + RECORD.epoch, true);
  if (epoch < field(state, STATE.epoch)) return STOP.epoch;
  const chain = chainAfter(field(state, STATE.chain), memory, at);
  if (view.getBigUint64(at + RECORD.chain, true) !== chain) return STOP.chain;
  if (bytesOfRecord(memory, at) > end - at) return STOP.cutOff;
  if (view.getBigUint64(at + RECORD.payloadChecksum, true) !== payloadChecksum(memory, at)) return STOP.payloadChecksum;
  state[STATE.chain] = chain;
  state[STATE.sequence] = sequence + 1n;
  state[STATE.epoch] = epoch;
  return STOP.end;
}

async function writeDurable(
  fd: number,
  buffers: readonly Uint8Array[],
  position: number,
  sync: boolean,
): Promise<void> {
  let rest = buffers.filter((buffer) => buffer.byteLength > 0);
  for (let at = position; rest.length > 0; ) {
    const { bytesWritten } = await writeBuffers(fd, rest, at);
    // Never seen; asking again would go on for ever.
    if (bytesWritten === 0) throw Object.assign(new Error('EIO: nothing written, write'), NOTHING_WRITTEN);
    at += bytesWritten;
    rest = unwritten(rest, bytesWritten);
  }
  if (sync) await syncData(fd);
}

const NOTHING_WRITTEN = { code: 'EIO', errno: -5, syscall: 'write' };

/** Node has no call for it. */
async function cannot(): Promise<boolean> {
  return false;
}
