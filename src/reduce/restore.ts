import { ProtocolError } from '../errors.js';
import type { PayloadRange } from '../journal/journal.js';
import type { BatchRecord, ReadBatch } from './batch.js';

/** Puts the payloads of a batch together from its literals and its bases. */

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
        (literals) => parts.add(literals),
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
  /** The base that was read last, and where it starts. */
  #index = 0;
  #start = 0;

  constructor(
    private readonly ranges: readonly PayloadRange[],
    private readonly known: readonly (Buffer | undefined)[],
    private readonly own: (range: PayloadRange) => Buffer,
  ) {}

  read(from: number, bytes: number, into: Parts): void {
    while (from < this.#start) this.#start -= (this.ranges[--this.#index] as PayloadRange).length;
    for (let [at, left] = [from, bytes]; left > 0; ) {
      const range = this.ranges[this.#index];
      if (range === undefined) throw new ProtocolError(`a copy from ${from} of ${bytes} bytes`, 'a part of the bases');
      const within = at - this.#start;
      if (within >= range.length) {
        this.#start += range.length;
        this.#index++;
        continue;
      }
      const count = Math.min(left, range.length - within);
      const base = this.known[this.#index] ?? this.own(range);
      into.add(base.subarray(within, within + count));
      at += count;
      left -= count;
    }
  }
}

/** A payload from its parts; one that is a single part stays where it is. */
class Parts {
  readonly #bytes: number;
  #memory: Buffer | undefined;
  #filled = 0;

  constructor(bytes: number) {
    this.#bytes = bytes;
  }

  add(part: Buffer): void {
    if (part.byteLength === this.#bytes) {
      this.#memory = part;
    } else {
      this.#memory ??= Buffer.allocUnsafe(this.#bytes);
      part.copy(this.#memory, this.#filled);
    }
    this.#filled += part.byteLength;
  }

  take(): Buffer {
    return this.#memory ?? Buffer.alloc(0);
  }
}
