import { type ByteReader, ByteWriter } from '../engine/bytes.js';
import { ProtocolError } from '../errors.js';

/**
 * The content of a batch, record by record. A record without references is its payload. One with references is a row of
 * stretches, each of them literals and then a copy from the bases:
 *
 *   literals       varint   twice how many there are, and 1 more when `distance` is there
 *   length         varint   of the copy; 0 for all that is left of the payload. Not there when the literals are all of it
 *   distance       varint   zigzag: from where the copy before would have gone on, had it taken the literals along
 *   literal bytes
 *
 * A change in place has no distance. Literals lie beside what they replace, not in a column of their own: on pages of
 * databases the codec makes a tenth less of them so.
 */

/** A stretch of a payload that a base holds. */
export interface Copy {
  /** Where in the payload. */
  start: number;
  /** Where in the bases, laid end to end. */
  from: number;
  /** In bytes, at least 1. */
  length: number;
}

/** A payload is made of at most so many copies: reading them one by one takes the receiver its time. */
export function copiesMax(payloadBytes: number): number {
  return 8 + Math.floor(payloadBytes / 8);
}

/** Shorter stretches are put together before they are handed on. */
const GATHER_BYTES = 4096;

export class ContentWriter {
  readonly #parts: Uint8Array[] = [];
  readonly #small = new ByteWriter(GATHER_BYTES);
  #expected = 0;

  literal(payload: Uint8Array): void {
    if (payload.byteLength < GATHER_BYTES) {
      this.#small.raw(payload);
    } else {
      this.#flush();
      this.#parts.push(payload);
    }
  }

  /** Adds what a record is made of: its copies, in order, and the rest of its payload. */
  stretches(copies: readonly Copy[], payload: Uint8Array): void {
    let end = 0;
    for (const { start, from, length } of copies) {
      const literals = start - end;
      const distance = from - (this.#expected + literals);
      const toEnd = start + length === payload.byteLength;
      this.#small.varint(2 * literals + (distance === 0 ? 0 : 1)).varint(toEnd ? 0 : length);
      if (distance !== 0) this.#small.varint(zigzag(distance));
      this.literal(payload.subarray(end, start));
      this.#expected = from + length;
      end = start + length;
    }
    const rest = payload.byteLength - end;
    if (rest === 0) return;
    this.#small.varint(2 * rest);
    this.literal(payload.subarray(end));
    this.#expected += rest;
  }

  /** What was written, larger literals uncopied. */
  take(): Uint8Array[] {
    this.#flush();
    return this.#parts;
  }

  #flush(): void {
    if (this.#small.length > 0) this.#parts.push(this.#small.take());
  }
}

/** Reads it again, record by record. */
export class ContentReader {
  #expected = 0;

  constructor(private readonly reader: ByteReader) {}

  literal(bytes: number): Buffer {
    return this.reader.raw(bytes);
  }

  /** Calls back for each part of the next record, in order: literals, and stretches of the bases. */
  stretches(payloadBytes: number, literal: (bytes: Buffer) => void, copy: (from: number, bytes: number) => void): void {
    const { reader } = this;
    let copies = copiesMax(payloadBytes);
    for (let left = payloadBytes; left > 0; ) {
      const head = reader.varint();
      const literals = Math.floor(head / 2);
      if (literals > left) throw new ProtocolError(`${literals} literals`, `at most ${left}, the rest of the payload`);
      left -= literals;
      const length = left === 0 ? 0 : reader.varint(left) || left;
      const distance = head % 2 === 0 ? 0 : unzigzag(reader.varint());
      if (literals > 0) literal(reader.raw(literals));
      this.#expected += literals;
      if (length === 0) {
        if (distance !== 0) throw new ProtocolError('a distance without a copy', 'a copy, or no distance');
        return;
      }
      const from = this.#expected + distance;
      if (from < 0) throw new ProtocolError(`a copy from ${from}`, 'a part of a base');
      if (copies-- === 0) throw new ProtocolError('copies without end', `at most ${copiesMax(payloadBytes)}`);
      copy(from, length);
      this.#expected = from + length;
      left -= length;
    }
  }

  /** Asserts that nothing is left. */
  end(): void {
    this.reader.end();
  }
}

/** Small numbers of either sign as small numbers. */
export function zigzag(value: number): number {
  return value < 0 ? -2 * value - 1 : 2 * value;
}

export function unzigzag(value: number): number {
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
}
