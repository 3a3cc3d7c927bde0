import type { PayloadRange } from '../journal/journal.js';
import { BlockMap } from './block-map.js';
import { headEnd } from './chunking.js';
import { Gone } from './gone.js';
import { KeyHistory } from './key-history.js';
import type { Outline } from './outline.js';
import { PositionIndex } from './position-index.js';
import type { Position } from './position-table.js';
import type { PrefixRange } from './prefix.js';
import { SKETCH_TAGS } from './sketch.js';
import { type Resembled, SketchIndex } from './sketch-index.js';

/**
 * What one peer holds and content can be found in, as its sender knows it. Outlines come in the order of their records;
 * nothing before `floor`, and nothing that the peer could not read, is ever found.
 */

/** About 64 GiB of content in chunks of 16 KiB, and 16 GiB of blocks; older content is forgotten first. */
const CHUNKS_MAX = 4 * 1024 * 1024;
const BLOCKS_MAX = 4 * 1024 * 1024;
/** At 96 bytes each. */
const SKETCHES_MAX = 256 * 1024;

/** Content that history holds, and which of the record's bytes it is. */
export interface Found {
  /** Where in the payload that was looked for. */
  start: number;
  range: PayloadRange;
}

export class History {
  readonly keys: KeyHistory;
  readonly #gone = new Gone();
  readonly #chunks: PositionIndex;
  readonly #blocks: BlockMap;
  readonly #sketches: SketchIndex;
  /** Of chunks, blocks and sketches. */
  readonly #places: readonly PositionIndex[];
  #through = 0;
  #floor = 1;

  /** `mayGrow` is asked for memory, in bytes; what gets none forgets its oldest. Default: there is enough. */
  constructor(mayGrow: (bytes: number) => boolean = () => true) {
    this.keys = new KeyHistory(mayGrow);
    this.#chunks = new PositionIndex(CHUNKS_MAX, mayGrow);
    const blocks = new PositionIndex(BLOCKS_MAX, mayGrow);
    const sketches = new PositionIndex(SKETCH_TAGS * SKETCHES_MAX, mayGrow);
    this.#blocks = new BlockMap(blocks);
    this.#sketches = new SketchIndex(sketches);
    this.#places = [this.#chunks, blocks, sketches];
  }

  /** The newest record that is known. */
  get through(): number {
    return this.#through;
  }

  /** The oldest record that may be referred to. */
  get floor(): number {
    return this.#floor;
  }

  get memoryBytes(): number {
    return this.#places.reduce((sum, places) => sum + places.memoryBytes, this.keys.memoryBytes);
  }

  /** How many chunks are known. */
  get chunks(): number {
    return this.#chunks.size;
  }

  /** What the index of chunks takes for each of them, in bytes. */
  get chunkBytes(): number {
    return this.#chunks.memoryBytes / Math.max(1, this.#chunks.size);
  }

  /** Nothing before `floor` is found from here on; it is as the peer says when a session begins, and rises in it. */
  release(floor: number): void {
    if (floor === this.#floor) return;
    this.#floor = floor;
    for (const places of this.#places) places.dropBefore(floor);
  }

  /** Forgets the records from this one on, which are about to be told again. */
  rewind(from: number): void {
    if (from > this.#through) return;
    this.#through = from - 1;
    for (const places of this.#places) places.dropFrom(from);
    this.keys.dropFrom(from);
  }

  /** The peer cannot read these records. */
  lose(ranges: readonly PrefixRange[]): void {
    this.#gone.add(ranges);
  }

  /** The peer is another one, or has been repaired. */
  forgetLosses(): void {
    this.#gone.clear();
  }

  /** Nothing is known any more. */
  clear(): void {
    for (const places of this.#places) places.clear();
    this.keys.clear();
    this.#gone.clear();
    this.#through = 0;
    this.#floor = 1;
  }

  /** Learns of a record; one that is known already is passed over. */
  note(outline: Outline): void {
    const { sequence, ends, tags, headTag } = outline;
    if (sequence <= this.#through) return;
    this.#through = sequence;
    this.keys.note(outline);
    this.#blocks.note(outline);
    this.#sketches.note(outline);
    let start = 0;
    for (let chunk = 0; chunk < ends.length; chunk++) {
      this.#chunks.add(tags[2 * chunk] as number, tags[2 * chunk + 1] as number, { sequence, offset: start, note: 0 });
      if (chunk < ends.length - 1) start = ends[chunk] as number;
    }
    if (headTag !== undefined) this.#chunks.add(...headTag, { sequence, offset: start, note: 0 });
  }

  /** Passes over records up to this one, which nothing is to be found in; `content` as in KeyHistory. */
  pass(through: number, content: boolean): void {
    if (through <= this.#through) return;
    this.#through = through;
    this.keys.pass(through, content);
  }

  /** The chunks of a record that older ones hold, neighbours made one, in order. */
  copies({ sequence, bytes, offset = 0, ends, tags, headTag }: Outline): Found[] {
    const found: Found[] = [];
    let run: Found | undefined;
    let start = 0;
    for (let chunk = 0; chunk < ends.length; chunk++) {
      const end = ends[chunk] as number;
      const [low, high] = [tags[2 * chunk] as number, tags[2 * chunk + 1] as number];
      const copy = this.#usable(this.#chunks.find(low, high), sequence, start, end - start);
      if (run !== undefined && copy !== undefined && goesOn(run.range, copy.range)) {
        run.range.length += copy.range.length;
      } else {
        run = copy;
        if (run !== undefined) found.push(run);
      }
      if (chunk < ends.length - 1) start = end;
    }
    const end = headEnd(bytes, offset, start);
    if (run === undefined && headTag !== undefined && end !== undefined) {
      const head = this.#usable(this.#chunks.find(...headTag), sequence, start, end - start);
      if (head !== undefined) found.push(head);
    }
    return found;
  }

  #usable(position: Position | undefined, before: number, start: number, length: number): Found | undefined {
    if (position === undefined || !this.isUsable(position.sequence, before)) return undefined;
    return { start, range: { sequence: position.sequence, offset: position.offset, length } };
  }

  /** What was last written where a record goes. */
  bases({ sequence, key, offset }: Outline, start: number, bytes: number): PayloadRange[] {
    if (key === undefined || offset === undefined) return [];
    return this.#blocks.bases(key, offset + start, bytes, (position) => this.isUsable(position, sequence));
  }

  /** The record that a content resembles most, as far as its sketch tells. */
  resembled({ sequence, sketch }: Outline): Resembled | undefined {
    return sketch === undefined
      ? undefined
      : this.#sketches.find(sketch, (position) => this.isUsable(position, sequence));
  }

  /** What of records in a row may be referred to. */
  usableParts({ from, to }: PrefixRange): PrefixRange[] {
    const oldest = Math.max(from, this.#floor);
    return oldest > to ? [] : this.#gone.without({ from: oldest, to });
  }

  /** Whether a record may refer to another, or to all of several. */
  isUsable(sequence: number, from: number, to = sequence): boolean {
    return sequence >= this.#floor && to < from && (this.#gone.isEmpty || !this.#gone.has(sequence, to));
  }
}

function goesOn(run: PayloadRange, next: PayloadRange): boolean {
  return next.sequence === run.sequence && next.offset === run.offset + run.length;
}
