import { ProtocolError } from '../errors.js';
import type { PayloadRange } from '../journal/journal.js';
import type { BatchRecord, ReadBatch } from './batch.js';

/** Puts the payloads of a batch together from its literals and its bases. */

/** Up to so many bytes are copied in less time than a call takes. */
const CALL_BYTES = 32;

/** `known` has the bytes of each base that lies before the batch; the others are found in it. */
export function restoreRecords(batch: ReadBatch, known: readonly (Buffer | undefined)[]): BatchRecord[] {
  const { headers, content } = batch;
  const first = headers[0]?.sequence ?? 0;
  const records: BatchRecord[] = [];
  const bases = new BaseMemory(batch.bases, known, (range) => ownBase(records, first, range));
  for (const { payloadLength, references, ...header } of headers) {
    let payload: Buffer;
    if (references) {
      const parts = new Parts(payloadLength);
      content.stretches(
        payloadLength,
        (literals) => parts.add(literals, 0, literals.byteLength),
        (from, bytes) => bases.read(from, bytes, parts),
      );
      payload = parts.take();
    } else {
      payload = content.literal(payloadLength);
    }
    records.push({ ...header, payload });
  }
  content.end();
  return records;
}

/** A base within the batch itself: of a record that is complete already. */
function ownBase(records: readonly BatchRecord[], first: number, { sequence, offset, length }: PayloadRange): Buffer {
  const payload = records[sequence - first]?.payload;
  if (payload === undefined || offset + length > payload.byteLength) {
    throw new ProtocolError(`a base of ${length} bytes at ${offset} of record ${sequence}`, 'a part of an earlier one');
  }
  return payload.subarray(offset, offset + length);
}

/** The bases of a batch, laid end to end. Most reads go on where the one before has ended. */
class BaseMemory {
  /** Where each base starts, and where the last one ends. */
  private readonly starts: Float64Array;
  /** The base that was read last. */
  private index = 0;

  constructor(
    private readonly ranges: readonly PayloadRange[],
    private readonly known: readonly (Buffer | undefined)[],
    private readonly own: (range: PayloadRange) => Buffer,
  ) {
    this.starts = new Float64Array(ranges.length + 1);
    for (const [index, { length }] of ranges.entries()) {
      this.starts[index + 1] = (this.starts[index] as number) + length;
    }
  }

  read(from: number, bytes: number, into: Parts): void {
    const { starts } = this;
    const end = from + bytes;
    if (end > (starts[this.ranges.length] as number))
      throw new ProtocolError(`a copy from ${from} of ${bytes} bytes`, 'a part of the bases');
    this.seek(from);
    for (let at = from; at < end; this.index++) {
      const [start, next] = [starts[this.index] as number, starts[this.index + 1] as number];
      const to = Math.min(end, next);
      const base = this.known[this.index] ?? this.own(this.ranges[this.index] as PayloadRange);
      into.add(base, at - start, to - start);
      at = to;
      if (to < next) break;
    }
  }

  /** To the base that holds a place, which is there. */
  private seek(place: number): void {
    const { starts } = this;
    const holds = (index: number): boolean =>
      place >= (starts[index] as number) && place < (starts[index + 1] ?? Number.NEGATIVE_INFINITY);
    if (holds(this.index)) return;
    if (holds(this.index + 1)) {
      this.index++;
      return;
    }
    let [low, high] = [0, this.ranges.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((starts[middle] as number) <= place) low = middle;
      else high = middle - 1;
    }
    this.index = low;
  }
}

/** A payload from its parts. */
class Parts {
  readonly #bytes: number;
  #memory: Buffer | undefined;
  #filled = 0;

  constructor(bytes: number) {
    this.#bytes = bytes;
  }

  /** Takes the bytes from `start` to `end`; there may be a million of such parts, of a few bytes each. */
  add(source: Buffer, start: number, end: number): void {
    const bytes = end - start;
    // A whole payload stays where it is, unless it would keep much more in memory.
    if (bytes === this.#bytes && 2 * bytes >= source.buffer.byteLength) {
      this.#memory = source.subarray(start, end);
    } else {
      this.#memory ??= Buffer.allocUnsafe(this.#bytes);
      this.#copy(this.#memory, source, start, end);
    }
    this.#filled += bytes;
  }

  #copy(memory: Buffer, source: Buffer, start: number, end: number): void {
    if (end - start > CALL_BYTES) source.copy(memory, this.#filled, start, end);
    else for (let from = start, to = this.#filled; from < end; from++, to++) memory[to] = source[from] as number;
  }

  take(): Buffer {
    return this.#memory ?? Buffer.alloc(0);
  }
}
