import { InvalidArgumentError } from '../errors.js';
import { checksum64 } from './checksum.js';
import { CANONICAL_BYTES, NO_KEY, RECORD, RECORD_HEADER_BYTES, recordBytes } from './record-layout.js';

const EMPTY_KEY_SEED = checksum64(new Uint8Array(0));

/** Why checkRecords stopped: what it leaves in state[3]. */
export const STOPPED = { atEnd: 0, cutOff: 1, header: 2, sequence: 3, chain: 4, payload: 5, epoch: 6 } as const;

export function sealRecords(bytes: Uint8Array, start: number, end: number, state: BigUint64Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const seed = state[0] as bigint;
  let chain = state[1] as bigint;
  let count = 0;
  let at = start;
  while (at < end) {
    const keyField = view.getUint16(at + RECORD.keyLength, true);
    const keyLength = keyField === NO_KEY ? 0 : keyField;
    const payloadLength = view.getUint32(at + RECORD.payloadLength, true);
    const size = recordBytes(keyLength, payloadLength);
    if (at + size > end) throw new InvalidArgumentError('bytes', bytes, 'whole records');
    const payloadAt = at + RECORD_HEADER_BYTES + keyLength;
    const keySeed = keyLength === 0 ? EMPTY_KEY_SEED : checksum64(bytes.subarray(at + RECORD_HEADER_BYTES, payloadAt));
    const payload = checksum64(bytes.subarray(payloadAt, payloadAt + payloadLength), keySeed);
    view.setBigUint64(at + RECORD.payloadChecksum, payload, true);
    chain = checksum64(bytes.subarray(at, at + CANONICAL_BYTES), chain);
    view.setBigUint64(at + RECORD.chain, chain, true);
    const header = checksum64(bytes.subarray(at, at + RECORD.headerChecksum), seed);
    view.setBigUint64(at + RECORD.headerChecksum, header, true);
    at += size;
    count++;
  }
  state[1] = chain;
  return count;
}

export function checkRecords(
  bytes: Uint8Array,
  start: number,
  end: number,
  state: BigUint64Array,
  found: Float64Array,
): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const seed = state[0] as bigint;
  let chain = state[1] as bigint;
  let sequence = state[2] as bigint;
  let epoch = state[4] as bigint;
  let count = 0;
  let at = start;
  let reason: number = STOPPED.atEnd;
  while (at < end && count < found.length) {
    if (at + RECORD_HEADER_BYTES > end) {
      reason = STOPPED.cutOff;
      break;
    }
    const header = checksum64(bytes.subarray(at, at + RECORD.headerChecksum), seed);
    if (view.getBigUint64(at + RECORD.headerChecksum, true) !== header) {
      reason = STOPPED.header;
      break;
    }
    if (view.getBigUint64(at + RECORD.sequence, true) !== sequence) {
      reason = STOPPED.sequence;
      break;
    }
    const ownEpoch = view.getBigUint64(at + RECORD.epoch, true);
    if (ownEpoch < epoch) {
      reason = STOPPED.epoch;
      break;
    }
    const ownChain = checksum64(bytes.subarray(at, at + CANONICAL_BYTES), chain);
    if (view.getBigUint64(at + RECORD.chain, true) !== ownChain) {
      reason = STOPPED.chain;
      break;
    }
    const keyField = view.getUint16(at + RECORD.keyLength, true);
    const keyLength = keyField === NO_KEY ? 0 : keyField;
    const payloadLength = view.getUint32(at + RECORD.payloadLength, true);
    const size = recordBytes(keyLength, payloadLength);
    if (at + size > end) {
      reason = STOPPED.cutOff;
      break;
    }
    const payloadAt = at + RECORD_HEADER_BYTES + keyLength;
    const keySeed = keyLength === 0 ? EMPTY_KEY_SEED : checksum64(bytes.subarray(at + RECORD_HEADER_BYTES, payloadAt));
    const payload = checksum64(bytes.subarray(payloadAt, payloadAt + payloadLength), keySeed);
    if (view.getBigUint64(at + RECORD.payloadChecksum, true) !== payload) {
      reason = STOPPED.payload;
      break;
    }
    found[count++] = at;
    chain = ownChain;
    epoch = ownEpoch;
    sequence++;
    at += size;
  }
  state[1] = chain;
  state[2] = sequence;
  state[3] = BigInt(reason);
  state[4] = epoch;
  return count;
}
