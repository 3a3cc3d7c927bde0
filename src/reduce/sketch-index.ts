import type { Outline } from './outline.js';
import type { PositionIndex } from './position-index.js';
import type { Sketch } from './sketch.js';

/** Where history holds content by its sketch: what new content resembles that shares no chunk with it. */

/** A record that content resembles. */
export interface Resembled {
  sequence: number;
  /** Of its payload. */
  bytes: number;
}

/** What a place of an index can say. */
const BYTES_MAX = 2 ** 24 - 1;

export class SketchIndex {
  readonly #places: PositionIndex;

  /** Each sketch takes `SKETCH_TAGS` places. */
  constructor(places: PositionIndex) {
    this.#places = places;
  }

  note({ sequence, bytes, sketch }: Outline): void {
    if (sketch === undefined) return;
    // Where a position has an offset, the length is more use: the content begins at the start of its record.
    const place = { sequence, offset: Math.min(bytes, BYTES_MAX), note: 0 };
    for (let word = 0; word < sketch.length; word += 2) {
      this.#places.add(sketch[word] as number, sketch[word + 1] as number, place);
    }
  }

  /** The usable record that has most tags in common with a sketch, and of several the newest. */
  find(sketch: Sketch, usable: (sequence: number) => boolean): Resembled | undefined {
    const found: (Resembled & { tags: number })[] = [];
    for (let word = 0; word < sketch.length; word += 2) {
      const position = this.#places.find(sketch[word] as number, sketch[word + 1] as number);
      if (position === undefined || !usable(position.sequence)) continue;
      const known = found.find(({ sequence }) => sequence === position.sequence);
      if (known === undefined) found.push({ sequence: position.sequence, bytes: position.offset, tags: 1 });
      else known.tags++;
    }
    return found.sort((a, b) => b.tags - a.tags || b.sequence - a.sequence)[0];
  }
}
