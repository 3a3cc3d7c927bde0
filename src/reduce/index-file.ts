import { ByteReader, ByteWriter } from '../engine/bytes.js';
import { ProtocolError } from '../errors.js';
import { PAYLOAD_BYTES_MAX } from '../options.js';
import type { History } from './history.js';
import { CONTENT_BYTES_MIN } from './key-history.js';
import type { Outline } from './outline.js';
import { SKETCH_WORDS } from './sketch.js';

/**
 * The outlines of the records of one segment, as they lie beside it: docs/journal-format.md ("Side files") has what is
 * around them, docs/protocol.md nothing, since they never cross. A record that has no chunks and no key is left out.
 *
 *   version        u8       2
 *   mark           u64      of the secret that the tags were made with
 *   first          varint   the segment's first record
 *   last           varint
 *   count          varint   outlines
 *   outlines       one after the other (below)
 *
 * Outline: records passed over since the one before (varint), flags u8 (1 a key, 2 an offset, 4 one that was passed over
 * brought content, 8 a tag without trailer, 16 a sketch), bytes varint, id of the key u64 and offset varint where flagged, chunks
 * varint, then for each its length varint, then for each its tag u64, then the tag without trailer u64 and
 * the four tags of the sketch u64 where flagged.
 */

const VERSION = 2;
const HAS_KEY = 1;
const HAS_OFFSET = 2;
const CONTENT_PASSED = 4;
const HAS_HEAD = 8;
const HAS_SKETCH = 16;
const CHUNKS_A_RECORD_MAX = 64 * 1024;

/** Collects the outlines of one segment, in order. */
export class IndexWriter {
  readonly #outlines = new ByteWriter(4096);
  #count = 0;
  #kept: number;
  #contentPassed = false;

  constructor(
    readonly first: number,
    /** The newest record that is in it. */
    public through: number = first - 1,
  ) {
    this.#kept = first - 1;
  }

  add({ sequence, bytes, key, offset, ends, tags, headTag, sketch }: Outline): void {
    this.through = sequence;
    if (key === undefined && ends.length === 0) {
      this.#contentPassed ||= bytes >= CONTENT_BYTES_MIN;
      return;
    }
    const passed = this.#contentPassed ? CONTENT_PASSED : 0;
    const head = headTag === undefined ? 0 : HAS_HEAD;
    const place = (key === undefined ? 0 : HAS_KEY) | (offset === undefined ? 0 : HAS_OFFSET);
    const flags = place | passed | head | (sketch === undefined ? 0 : HAS_SKETCH);
    const writer = this.#outlines;
    writer
      .varint(sequence - this.#kept - 1)
      .u8(flags)
      .varint(bytes);
    if (key !== undefined) writer.u64(key);
    if (offset !== undefined) writer.varint(offset);
    writer.varint(ends.length);
    let start = 0;
    for (const end of ends) {
      writer.varint(end - start);
      start = end;
    }
    for (const word of tags) writer.u32(word);
    for (const word of headTag ?? []) writer.u32(word);
    for (const word of sketch ?? []) writer.u32(word);
    this.#kept = sequence;
    this.#contentPassed = false;
    this.#count++;
  }

  /** So far. */
  get bytes(): number {
    return this.#outlines.length;
  }

  take(mark: bigint): Buffer {
    const outlines = this.#outlines.take();
    const head = new ByteWriter(64).u8(VERSION).u64(mark).varint(this.first).varint(this.through).varint(this.#count);
    return Buffer.concat([head.take(), outlines]);
  }
}

/**
 * Tells a history what such a file says of the records that it does not know yet. False when the file is of no use: of
 * other records, or made with another secret or by another version; the history is as it was then.
 */
export function readIndex(
  bytes: Buffer,
  segment: { first: number; last: number; mark: bigint },
  history: Pick<History, 'note' | 'pass'>,
): boolean {
  try {
    const reader = new ByteReader(bytes, 'index');
    if (reader.u8() !== VERSION || reader.u64() !== segment.mark) return false;
    if (reader.varint() !== segment.first || reader.varint() !== segment.last) return false;
    const outlines = readOutlines(reader, segment);
    for (const { outline, contentPassed } of outlines) {
      history.pass(outline.sequence - 1, contentPassed);
      history.note(outline);
    }
    history.pass(segment.last, false);
    return true;
  } catch (error) {
    if (error instanceof ProtocolError) return false;
    throw error;
  }
}

function readOutlines(
  reader: ByteReader,
  { first, last }: { first: number; last: number },
): { outline: Outline; contentPassed: boolean }[] {
  const count = reader.varint(last - first + 1);
  let sequence = first - 1;
  const outlines = Array.from({ length: count }, () => {
    sequence += reader.varint(last - sequence - 1) + 1;
    const flags = reader.u8();
    const outline: Outline = { sequence, bytes: reader.varint(PAYLOAD_BYTES_MAX), ends: EMPTY, tags: EMPTY };
    if ((flags & HAS_KEY) !== 0) outline.key = reader.u64();
    if ((flags & HAS_OFFSET) !== 0) outline.offset = reader.varint();
    const chunks = reader.varint(CHUNKS_A_RECORD_MAX);
    if (chunks > 0) readChunks(reader, chunks, outline);
    if ((flags & HAS_HEAD) !== 0) outline.headTag = [reader.u32(), reader.u32()];
    if ((flags & HAS_SKETCH) !== 0) outline.sketch = Uint32Array.from({ length: SKETCH_WORDS }, () => reader.u32());
    return { outline, contentPassed: (flags & CONTENT_PASSED) !== 0 };
  });
  reader.end();
  return outlines;
}

const EMPTY = new Uint32Array(0);

function readChunks(reader: ByteReader, chunks: number, outline: Outline): void {
  let end = 0;
  outline.ends = Uint32Array.from({ length: chunks }, () => {
    end += reader.varint();
    return end;
  });
  if (end !== outline.bytes) throw new ProtocolError(`chunks of ${end} bytes`, `${outline.bytes}, as their record`);
  outline.tags = Uint32Array.from({ length: 2 * chunks }, () => reader.u32());
}
