import { isUtf8 } from 'node:buffer';
import { InvalidArgumentError, ProtocolError } from '../errors.js';

/**
 * Little-endian fields in a row, as every body on the wire and most records on disk are written. A varint is LEB128:
 * seven bits a byte, lowest first, the highest bit says that more follow; a safe integer takes at most eight bytes and
 * stays a plain number. `bytes` and `text` are a varint length and then the bytes.
 */

const INITIAL_BYTES = 256;
const UINT32_RANGE = 0x1_0000_0000;
const UINT64_MAX = 0xffff_ffff_ffff_ffffn;
const VARINT_BYTES_MAX = 8;

/** How many bytes `varint(value)` takes. */
export function varintBytes(value: number): number {
  let count = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) count++;
  return count;
}

/** How many bytes several parts are together. */
export function byteLengthOf(parts: readonly Uint8Array[]): number {
  return parts.reduce((sum, { byteLength }) => sum + byteLength, 0);
}

export class ByteWriter {
  #buffer: Buffer;
  #position = 0;

  constructor(initialBytes: number = INITIAL_BYTES) {
    this.#buffer = Buffer.allocUnsafeSlow(initialBytes);
  }

  get length(): number {
    return this.#position;
  }

  u8(value: number): this {
    if ((value & 0xff) !== value) refuse('u8', value, 'an integer from 0 to 255');
    this.#reserve(1);
    this.#buffer[this.#position++] = value;
    return this;
  }

  u16(value: number): this {
    if ((value & 0xffff) !== value) refuse('u16', value, 'an integer from 0 to 65535');
    this.#reserve(2);
    this.#position = this.#buffer.writeUInt16LE(value, this.#position);
    return this;
  }

  u32(value: number): this {
    if (value >>> 0 !== value) refuse('u32', value, 'an integer from 0 to 2^32 - 1');
    this.#reserve(4);
    this.#position = this.#buffer.writeUInt32LE(value, this.#position);
    return this;
  }

  u64(value: bigint | number): this {
    this.#reserve(8);
    if (typeof value === 'number') {
      if (!Number.isSafeInteger(value) || value < 0) refuse('u64', value, 'a safe integer from 0, or a bigint');
      this.#buffer.writeUInt32LE(value % UINT32_RANGE, this.#position);
      this.#buffer.writeUInt32LE(Math.floor(value / UINT32_RANGE), this.#position + 4);
    } else {
      if (value < 0n || value > UINT64_MAX) refuse('u64', value, 'from 0 to 2^64 - 1');
      this.#buffer.writeBigUInt64LE(value, this.#position);
    }
    this.#position += 8;
    return this;
  }

  varint(value: number): this {
    if (!Number.isSafeInteger(value) || value < 0) refuse('varint', value, 'a safe integer from 0');
    this.#reserve(VARINT_BYTES_MAX);
    const buffer = this.#buffer;
    let position = this.#position;
    let rest = value;
    // Bit operations see 32 bits only, so what is above them is divided off first.
    while (rest > 0x7fff_ffff) {
      buffer[position++] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    while (rest > 0x7f) {
      buffer[position++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    buffer[position++] = rest;
    this.#position = position;
    return this;
  }

  bytes(value: Uint8Array): this {
    return this.varint(value.byteLength).raw(value);
  }

  raw(value: Uint8Array): this {
    this.#reserve(value.byteLength);
    this.#buffer.set(value, this.#position);
    this.#position += value.byteLength;
    return this;
  }

  text(value: string): this {
    const length = Buffer.byteLength(value);
    this.varint(length);
    this.#reserve(length);
    this.#buffer.write(value, this.#position, 'utf8');
    this.#position += length;
    return this;
  }

  /** The bytes so far, which the caller then owns; the writer starts again from nothing. */
  take(): Buffer {
    const taken = this.#buffer.subarray(0, this.#position);
    // A buffer that is mostly used is given away; a small part of a large one would pin all of it, so it is copied.
    const gives = this.#position * 2 > this.#buffer.byteLength;
    if (gives) this.#buffer = Buffer.allocUnsafeSlow(this.#buffer.byteLength);
    this.#position = 0;
    return gives ? taken : Buffer.from(taken);
  }

  #reserve(bytes: number): void {
    const needed = this.#position + bytes;
    if (needed <= this.#buffer.byteLength) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#buffer.byteLength * 2));
    this.#buffer.copy(grown, 0, 0, this.#position);
    this.#buffer = grown;
  }
}

/** Reads what a `ByteWriter` wrote, from a peer that is not trusted: every length is checked against what is left. */
export class ByteReader {
  readonly #buffer: Buffer;
  readonly #what: string;
  #position = 0;

  constructor(bytes: Uint8Array, what = 'message') {
    this.#buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#what = what;
  }

  get position(): number {
    return this.#position;
  }

  get remaining(): number {
    return this.#buffer.byteLength - this.#position;
  }

  u8(): number {
    return this.#buffer[this.#advance(1)] as number;
  }

  u16(): number {
    return this.#buffer.readUInt16LE(this.#advance(2));
  }

  u32(): number {
    return this.#buffer.readUInt32LE(this.#advance(4));
  }

  u64(): bigint {
    return this.#buffer.readBigUInt64LE(this.#advance(8));
  }

  /** A u64 that must be a safe integer, such as a sequence number. */
  u64Number(max: number = Number.MAX_SAFE_INTEGER): number {
    const at = this.#advance(8);
    const value = this.#buffer.readUInt32LE(at + 4) * UINT32_RANGE + this.#buffer.readUInt32LE(at);
    // Above 2^53 the sum is rounded, but never down to or below it.
    if (value > max) throw new ProtocolError(`${this.#what}: number ${value}`, `at most ${max}`);
    return value;
  }

  varint(max: number = Number.MAX_SAFE_INTEGER): number {
    const start = this.#position;
    // Most are a single byte: lengths, flags, differences.
    const first = this.#buffer[start];
    if (first !== undefined && first < 0x80 && first <= max) {
      this.#position = start + 1;
      return first;
    }
    let value = 0;
    let scale = 1;
    for (let count = 1; ; count++) {
      const byte = this.#buffer[start + count - 1] ?? this.#endsEarly(count);
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        // One number, one encoding: two bodies that differ in bytes then differ in meaning.
        if (byte === 0 && count > 1) throw new ProtocolError(`${this.#what}: padded varint`, 'the shortest encoding');
        this.#position = start + count;
        break;
      }
      if (count === VARINT_BYTES_MAX) throw new ProtocolError(`${this.#what}: endless varint`, 'at most 8 bytes');
      scale *= 128;
    }
    if (value > max) throw new ProtocolError(`${this.#what}: number ${value}`, `at most ${max}`);
    return value;
  }

  /** A view of the bytes, not a copy. */
  bytes(max: number): Buffer {
    const length = this.varint();
    if (length > max) throw new ProtocolError(`${this.#what}: ${length} bytes`, `at most ${max}`);
    return this.raw(length);
  }

  /** A view of the next `count` bytes, not a copy. */
  raw(count: number): Buffer {
    const at = this.#advance(count);
    return this.#buffer.subarray(at, at + count);
  }

  /** `max` counts bytes, not characters. */
  text(max: number): string {
    const bytes = this.bytes(max);
    if (!isUtf8(bytes)) throw new ProtocolError(`${this.#what}: text that is not UTF-8`, 'UTF-8');
    return bytes.toString('utf8');
  }

  /** Asserts that nothing is left. */
  end(): void {
    if (this.remaining > 0) throw new ProtocolError(`${this.#what}: ${this.remaining} bytes too many`, 'its end');
  }

  #advance(count: number): number {
    const at = this.#position;
    // Written so that a count that is negative or no number at all fails too.
    if (!(count >= 0 && count <= this.#buffer.byteLength - at)) this.#endsEarly(count);
    this.#position = at + count;
    return at;
  }

  #endsEarly(count: number): never {
    throw new ProtocolError(`${this.#what} ends after ${this.remaining} of ${count} bytes`, 'the whole field');
  }
}

function refuse(argument: string, given: unknown, expected: string): never {
  throw new InvalidArgumentError(argument, given, expected);
}

/** Whether the memory has been transferred away; an empty view is asked by trying. */
export function isDetached(bytes: Uint8Array): boolean {
  if (bytes.byteLength > 0) return false;
  try {
    new Uint8Array(bytes.buffer);
    return false;
  } catch (error) {
    if (error instanceof TypeError) return true;
    throw error;
  }
}
