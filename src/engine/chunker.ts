import { GEAR_STATE, GEAR_STATE_FIELDS } from './content-layout.js';
import { kernels } from './engine.js';
import { type ChunkOptions, gearOf } from './gear.js';

const CUTS_AT_ONCE = 256;

/**
 * Content-defined chunks and their digests: equal content is found again wherever it has moved, because its chunks end
 * at the same places of it. Both engines cut and digest alike.
 */
export class Chunker {
  readonly #gear: Uint32Array;
  readonly #key: Uint8Array;

  /** Raises InvalidArgumentError for options out of bounds. The key is copied. */
  constructor(options: ChunkOptions) {
    this.#gear = gearOf(options);
    this.#key = Uint8Array.from(options.key);
  }

  /**
   * Cuts bytes[start, end) into chunks and digests each with keyed BLAKE3, all in one call. Writes where each chunk ends,
   * as an offset of `bytes` (below 4 GiB), into `cuts`, and its digest into `digests`: the first 64 bits as a number into
   * a BigUint64Array, the first 16 bytes into a Uint8Array. Returns the number of chunks. The last one ends at `end`
   * unless `cuts` is full; then a call with the last cut as its `start` goes on. With a `head` above 0 the last chunk is
   * digested up to that offset too, if it begins before: that digest comes behind the others.
   */
  digest(
    bytes: Uint8Array,
    cuts: Uint32Array,
    digests: BigUint64Array | Uint8Array,
    start = 0,
    end: number = bytes.byteLength,
    head = 0,
  ): number {
    return kernels.digestChunks(bytes, start, end, this.#gear, this.#key, cuts, digests, head);
  }

  /** The features of bytes[start, end), `FEATURES` of them; returns how many samples they are made of. */
  sketch(bytes: Uint8Array, start: number, end: number, features: Uint32Array): number {
    return kernels.sketch(bytes, start, end, this.#gear, features);
  }

  /** The digests of given ranges of `bytes`, whose starts and ends take turns in `ranges`, as those of chunks. */
  digestRanges(bytes: Uint8Array, ranges: Uint32Array, digests: BigUint64Array | Uint8Array): void {
    kernels.digestRanges(bytes, ranges, this.#key, digests);
  }

  /** For bytes that come in pieces. */
  stream(): ChunkStream {
    return new ChunkStream(this.#gear);
  }
}

/** The same cuts for bytes that come in pieces, whatever the pieces are. */
export class ChunkStream {
  readonly #gear: Uint32Array;
  readonly #state = new Uint32Array(GEAR_STATE_FIELDS);
  readonly #cuts = new Uint32Array(CUTS_AT_ONCE);
  #position = 0;

  constructor(gear: Uint32Array) {
    this.#gear = gear;
  }

  /** Takes the next piece, below 4 GiB, and returns where in the stream chunks have ended within it. */
  push(bytes: Uint8Array): number[] {
    const ends: number[] = [];
    for (let at = 0; at < bytes.byteLength; ) {
      const count = kernels.cutChunks(bytes, at, bytes.byteLength, this.#gear, this.#state, this.#cuts);
      for (const cut of this.#cuts.subarray(0, count)) ends.push(this.#position + cut);
      at = count === CUTS_AT_ONCE ? (this.#cuts[count - 1] as number) : bytes.byteLength;
    }
    this.#position += bytes.byteLength;
    return ends;
  }

  /** Where the last chunk ends, or undefined when none is open. A new stream begins with the next piece. */
  finish(): number | undefined {
    const end = this.#state[GEAR_STATE.open] === 0 ? undefined : this.#position;
    this.#state.fill(0);
    this.#position = 0;
    return end;
  }
}
