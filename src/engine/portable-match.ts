/** What one stretch of memory holds of another, in TypeScript; native/match.cc has the same constants and says why. */

import { MATCH_FIELDS } from './content-layout.js';

const WINDOW_BYTES = 8;
const NEAR_MIN = 5;
const FAR_MIN = 12;
const SETTLED = 128;
const PATIENCE = 4;
const SKIP_LOG = 6;
const SKIP_MAX = 31;
const STEP_MIN = 8;
const ENTRIES_MAX = 2 ** 18;

const WORD_BYTES = 4;

export function matchBytes(base: Uint8Array, target: Uint8Array, start: number, matches: Uint32Array): number {
  const matchesMax = Math.floor(matches.length / MATCH_FIELDS);
  const matcher = new Matcher(base, target, start);
  let count = 0;
  while (count < matchesMax && matcher.next()) {
    matches[MATCH_FIELDS * count] = matcher.targetAt;
    matches[MATCH_FIELDS * count + 1] = matcher.baseAt;
    matches[MATCH_FIELDS * count + 2] = matcher.length;
    count++;
  }
  return count;
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** The match that was found last lies in fields, so that none is allocated. */
class Matcher {
  targetAt = 0;
  baseAt = 0;
  length = 0;
  readonly #base: DataView;
  readonly #target: DataView;
  /** What lies before is matched or given up. */
  #literal: number;
  /** By how much content lies further on in the target than in the base, as far as it is known. */
  #ahead = 0;
  #settled = true;
  #index: Index | undefined;

  constructor(base: Uint8Array, target: Uint8Array, start: number) {
    this.#base = viewOf(base);
    this.#target = viewOf(target);
    this.#literal = start;
  }

  next(): boolean {
    const end = this.#target.byteLength;
    for (let at = this.#literal; at < end; ) {
      this.#lookAround(at);
      if (this.length > 0) {
        this.#literal = this.targetAt + this.length;
        this.#ahead = this.targetAt - this.baseAt;
        this.#settled = this.length >= SETTLED;
        return true;
      }
      at += Math.min(1 + ((at - this.#literal) >>> SKIP_LOG), SKIP_MAX);
    }
    return false;
  }

  /** Of what agrees around a place of the target, the longest that is worth an instruction. */
  #lookAround(at: number): void {
    this.length = 0;
    if (at >= this.#ahead) this.#takeLonger(at, at - this.#ahead, NEAR_MIN);
    if (this.#ahead !== 0) this.#takeLonger(at, at, FAR_MIN);
    const doubtful = !this.#settled || at - this.#literal >= PATIENCE;
    if (!doubtful || this.length >= SETTLED) return;
    if (at + WINDOW_BYTES > this.#target.byteLength || this.#base.byteLength < WINDOW_BYTES) return;
    this.#index ??= new Index(this.#base);
    const found = this.#index.find(this.#target, at);
    if (found >= 0) this.#takeLonger(at, found, FAR_MIN);
  }

  #takeLonger(at: number, baseAt: number, lengthMin: number): void {
    const [base, target] = [this.#base, this.#target];
    if (baseAt >= base.byteLength || target.getUint8(at) !== base.getUint8(baseAt)) return;
    const behind = commonStart(target, at, base, baseAt);
    const before = commonEnd(target, at, base, baseAt, Math.min(at - this.#literal, baseAt));
    const length = before + behind;
    if (length < lengthMin || length <= this.length) return;
    this.targetAt = at - before;
    this.baseAt = baseAt - before;
    this.length = length;
  }
}

function commonStart(a: DataView, aFrom: number, b: DataView, bFrom: number): number {
  const lengthMax = Math.min(a.byteLength - aFrom, b.byteLength - bFrom);
  const wordsEnd = lengthMax - WORD_BYTES;
  let length = 0;
  while (length <= wordsEnd && a.getInt32(aFrom + length, true) === b.getInt32(bFrom + length, true)) {
    length += WORD_BYTES;
  }
  while (length < lengthMax && a.getUint8(aFrom + length) === b.getUint8(bFrom + length)) length++;
  return length;
}

/** Of what ends before `aEnd` and before `bEnd`. */
function commonEnd(a: DataView, aEnd: number, b: DataView, bEnd: number, lengthMax: number): number {
  let length = 0;
  while (length < lengthMax && a.getUint8(aEnd - length - 1) === b.getUint8(bEnd - length - 1)) length++;
  return length;
}

/** Where the base, of at least a window, has which window: of windows that share a slot, the first is kept. */
class Index {
  readonly #step: number;
  readonly #shift: number;
  readonly #slots: Uint32Array;

  constructor(base: DataView) {
    let step = STEP_MIN;
    while (Math.floor(base.byteLength / step) > ENTRIES_MAX) step *= 2;
    const entries = Math.floor((base.byteLength - WINDOW_BYTES) / step) + 1;
    let bits = 6;
    while (2 ** bits < 2 * entries) bits++;
    this.#step = step;
    this.#shift = 32 - bits;
    this.#slots = new Uint32Array(2 ** bits);
    for (let entry = entries; entry > 0; entry--) this.#slots[this.#slotOf(base, (entry - 1) * step)] = entry;
  }

  /** Where the base may have the window, -1 when it has it nowhere. */
  find(bytes: DataView, at: number): number {
    return ((this.#slots[this.#slotOf(bytes, at)] as number) - 1) * this.#step;
  }

  #slotOf(bytes: DataView, at: number): number {
    const low = Math.imul(bytes.getInt32(at, true), 0x9e3779b1);
    const high = Math.imul(bytes.getInt32(at + 4, true), 0x85ebca77);
    return (low + high) >>> this.#shift;
  }
}
