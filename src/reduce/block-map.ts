import type { PayloadRange } from '../journal/journal.js';
import type { KeyId } from './key-history.js';
import { mixed } from './mixed.js';
import type { Outline } from './outline.js';
import type { PositionIndex } from './position-index.js';
import type { Position } from './position-table.js';

/** Where history holds what was last written to each block of each key: what a write in the same place resembles. */

/** A page of most databases is one block, or several. */
const BLOCK_BYTES = 4096;
/** How much of a block a record covers is known in units of so much. */
const UNIT_BYTES = 256;
const UNITS = BLOCK_BYTES / UNIT_BYTES;
const UINT32_RANGE = 2 ** 32;

export class BlockMap {
  readonly #places: PositionIndex;

  constructor(places: PositionIndex) {
    this.#places = places;
  }

  note({ sequence, bytes, key, offset }: Outline): void {
    if (key === undefined || offset === undefined || bytes < UNIT_BYTES) return;
    const words = wordsOf(key);
    const end = offset + bytes;
    for (let block = Math.floor(offset / BLOCK_BYTES); block * BLOCK_BYTES < end; block++) {
      const start = block * BLOCK_BYTES;
      const from = Math.ceil(Math.max(0, offset - start) / UNIT_BYTES);
      const to = Math.floor(Math.min(BLOCK_BYTES, end - start) / UNIT_BYTES);
      if (to <= from) continue;
      const [low, high] = tagOf(words, block);
      // A small part of a block does not make the whole of it unknown.
      if (2 * (to - from) < UNITS && covers(this.#places.find(low, high)) > to - from) continue;
      const place = start + from * UNIT_BYTES - offset;
      this.#places.add(low, high, { sequence, offset: place, note: (from << 4) | (to - 1) });
    }
  }

  /**
   * Parts of payloads that hold what was last written where `bytes` bytes at `offset` of a key go, in order, as far as
   * they are `usable`.
   */
  bases(key: KeyId, offset: number, bytes: number, usable: (sequence: number) => boolean): PayloadRange[] {
    const words = wordsOf(key);
    const end = offset + bytes;
    const found: PayloadRange[] = [];
    for (let block = Math.floor(offset / BLOCK_BYTES); block * BLOCK_BYTES < end; block++) {
      const [low, high] = tagOf(words, block);
      const position = this.#places.find(low, high);
      if (position === undefined || !usable(position.sequence)) continue;
      const part = partOf(position, offset - block * BLOCK_BYTES, end - block * BLOCK_BYTES);
      if (part === undefined) continue;
      const last = found[found.length - 1];
      if (last?.sequence === part.sequence && last.offset + last.length === part.offset) last.length += part.length;
      else found.push(part);
    }
    return found;
  }
}

/** What a record has of a block between two places in it, in whole units. */
function partOf({ sequence, offset, note }: Position, start: number, end: number): PayloadRange | undefined {
  const [first, last] = [note >>> 4, (note & 15) + 1];
  const from = Math.max(first, Math.floor(Math.max(0, start) / UNIT_BYTES));
  const to = Math.min(last, Math.ceil(Math.min(BLOCK_BYTES, end) / UNIT_BYTES));
  if (to <= from) return undefined;
  return { sequence, offset: offset + (from - first) * UNIT_BYTES, length: (to - from) * UNIT_BYTES };
}

/** In units. */
function covers(position: Position | undefined): number {
  return position === undefined ? 0 : (position.note & 15) + 1 - (position.note >>> 4);
}

function wordsOf(key: KeyId): readonly [number, number] {
  return [Number(key & 0xffff_ffffn), Number(key >> 32n)];
}

/** Mixes both halves of the key's id and the number of the block. */
function tagOf([low, high]: readonly [number, number], block: number): readonly [number, number] {
  const a = mixed(low ^ Math.imul(block % UINT32_RANGE, 0x9e37_79b1));
  const b = mixed(high ^ a ^ Math.floor(block / UINT32_RANGE));
  return [mixed(a ^ b), b];
}
