import { ByteReader, ByteWriter } from '../engine/bytes.js';
import { ProtocolError } from '../errors.js';

/**
 * What of a record's payload lies in the bases of its batch. Between two copies, and behind the last, lie literals. Three
 * columns say so, each with its length in front: how many literals come before a copy, its length, and how far its start
 * lies from where the one before would have gone on, had it taken the literals along. A change in place is 0.
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

interface LiteralSink {
  add(bytes: Uint8Array): void;
}

export class CopyColumns {
  readonly #literals = new ByteWriter();
  readonly #lengths = new ByteWriter();
  readonly #distances = new ByteWriter();
  #expected = 0;

  /** Adds what a record is made of: its copies, in order, and the rest of its payload. */
  add(copies: readonly Copy[], payload: Uint8Array, literals: LiteralSink): void {
    let end = 0;
    for (const { start, from, length } of copies) {
      const literal = start - end;
      if (literal > 0) literals.add(payload.subarray(end, start));
      const distance = from - (this.#expected + literal);
      this.#literals.varint(literal);
      this.#lengths.varint(length);
      this.#distances.varint(distance < 0 ? -2 * distance - 1 : 2 * distance);
      this.#expected = from + length;
      end = start + length;
    }
    const rest = payload.byteLength - end;
    if (rest === 0) return;
    this.#literals.varint(rest);
    literals.add(payload.subarray(end));
    this.#expected += rest;
  }

  take(): Buffer[] {
    return [this.#literals, this.#lengths, this.#distances].flatMap((column) => {
      const bytes = column.take();
      return [new ByteWriter(8).varint(bytes.byteLength).take(), bytes];
    });
  }
}

/** Reads the columns again, record by record. */
export class CopyReader {
  #expected = 0;

  constructor(
    private readonly literals: ByteReader,
    private readonly lengths: ByteReader,
    private readonly distances: ByteReader,
  ) {}

  /**
   * Calls back for each part of the next record, in order: `literal` with how many bytes are not copied, `copy` with where
   * and how many are.
   */
  parts(payloadBytes: number, literal: (bytes: number) => void, copy: (from: number, bytes: number) => void): void {
    for (let left = payloadBytes; left > 0; ) {
      const bytes = this.literals.varint(left);
      if (bytes > 0) literal(bytes);
      this.#expected += bytes;
      left -= bytes;
      if (left === 0) return;
      const length = this.lengths.varint(left);
      const coded = this.distances.varint();
      const from = this.#expected + (coded % 2 === 0 ? coded / 2 : -(coded + 1) / 2);
      if (length < 1 || from < 0) throw new ProtocolError(`a copy of ${length} bytes from ${from}`, 'a part of a base');
      copy(from, length);
      this.#expected = from + length;
      left -= length;
    }
  }

  /** Asserts that nothing is left. */
  end(): void {
    this.literals.end();
    this.lengths.end();
    this.distances.end();
  }
}

export function readCopies(reader: ByteReader): CopyReader {
  const column = (what: string): ByteReader => new ByteReader(reader.bytes(reader.remaining), what);
  return new CopyReader(column('literals'), column('copy lengths'), column('copy distances'));
}
