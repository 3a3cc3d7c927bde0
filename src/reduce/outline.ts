import { Chunker } from '../engine/chunker.js';
import { FEATURES } from '../engine/content-layout.js';
import { CHUNK_BYTES_MIN, headEnd, headEndMax } from './chunking.js';
import { type KeyId, keyIdOf } from './key-history.js';
import { type Sketch, sketchedBytes, sketchOf } from './sketch.js';

/** What is remembered of a record's content, so that later content is found in it. */
export interface Outline {
  sequence: number;
  /** Of the payload. */
  bytes: number;
  key?: KeyId;
  offset?: number;
  /** Where each chunk of the payload ends; none of a payload that is too short to be looked for. */
  ends: Uint32Array;
  /** The tag of each chunk, low word then high word. */
  tags: Uint32Array;
  /** The tag of the last chunk without its trailer (`headEnd`). */
  headTag?: readonly [low: number, high: number];
  /** What content that resembles it has in common with it; none of what is too short, or written into the middle. */
  sketch?: Sketch;
}

interface Outlined {
  sequence: number;
  key?: Buffer;
  offset?: number;
  payload: Uint8Array;
}

type Words = Uint32Array<ArrayBuffer>;

const NO_WORDS: Words = new Uint32Array(0);
const CUTS_AT_ONCE = 1024;

/** Cuts payloads into chunks and digests them. */
export class Outliner {
  readonly #chunker: Chunker;
  readonly #cuts: Words = new Uint32Array(CUTS_AT_ONCE);
  /** And one for the last chunk without its trailer. */
  readonly #tags = new BigUint64Array(CUTS_AT_ONCE + 1);
  readonly #features: Words = new Uint32Array(FEATURES);
  readonly #tagWords: Words = new Uint32Array(this.#tags.buffer);
  #lastKey: { bytes: Buffer; id: KeyId } | undefined;

  /** `key` is the secret of 32 bytes that cuts and tags depend on. */
  constructor(key: Uint8Array) {
    this.#chunker = new Chunker({ key });
  }

  of(record: Outlined): Outline {
    return this.whole(this.placeOf(record), record.payload);
  }

  /** The outline of a record of which the place is known. */
  whole(place: Outline, payload: Uint8Array): Outline {
    const offset = place.offset ?? 0;
    const outline = { ...place };
    this.#cut(payload, offset, outline);
    this.#sketch(payload, offset, outline);
    return outline;
  }

  /** Where a record goes, and nothing of its content: next to no work. */
  placeOf({ sequence, key, offset, payload }: Outlined): Outline {
    const place: Outline = { sequence, bytes: payload.byteLength, ends: NO_WORDS, tags: NO_WORDS };
    if (key !== undefined) place.key = this.#keyId(key);
    if (offset !== undefined) place.offset = offset;
    return place;
  }

  /** Tells outlines that were made with another secret. */
  get mark(): bigint {
    const mark = new BigUint64Array(1);
    this.#chunker.digestRanges(new Uint8Array(1), new Uint32Array([0, 1]), mark);
    return mark[0] as bigint;
  }

  #cut(payload: Uint8Array, offset: number, into: Outline): void {
    if (payload.byteLength < CHUNK_BYTES_MIN) return;
    let [ends, tags]: [Words, Words] = [NO_WORDS, NO_WORDS];
    const head = headEndMax(payload.byteLength, offset);
    let count = 0;
    for (let at = 0; at < payload.byteLength; at = ends[ends.length - 1] as number) {
      count = this.#chunker.digest(payload, this.#cuts, this.#tags, at, payload.byteLength, head);
      ends = joined(ends, this.#cuts.subarray(0, count));
      tags = joined(tags, this.#tagWords.subarray(0, 2 * count));
    }
    into.ends = ends;
    into.tags = tags;
    if (headEnd(payload.byteLength, offset, ends[ends.length - 2] ?? 0) !== undefined)
      into.headTag = [this.#tagWords[2 * count] as number, this.#tagWords[2 * count + 1] as number];
  }

  #sketch(payload: Uint8Array, offset: number, into: Outline): void {
    const bytes = sketchedBytes(payload.byteLength, offset);
    if (bytes === 0) return;
    const sketch = sketchOf(this.#features, this.#chunker.sketch(payload, 0, bytes, this.#features));
    if (sketch !== undefined) into.sketch = sketch;
  }

  /** Records in a row often have one key. */
  #keyId(key: Buffer): KeyId {
    if (this.#lastKey === undefined || !this.#lastKey.bytes.equals(key)) {
      this.#lastKey = { bytes: Buffer.from(key), id: keyIdOf(key) };
    }
    return this.#lastKey.id;
  }
}

function joined(a: Words, b: Words): Words {
  if (a.length === 0) return b.slice();
  const both = new Uint32Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
