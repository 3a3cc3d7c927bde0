import { GEAR, GEAR_STATE, GEAR_WINDOW_BYTES } from './content-layout.js';

/**
 * Content-defined chunking with Gear (Xia et al., Ddelta, Performance Evaluation 79, 2014; FastCDC, USENIX ATC 2016).
 *
 * The hash after a byte is h = 2h + table[byte] modulo 2^32, so it depends on the last 32 bytes and no others. A chunk
 * ends behind the first byte, from the minimum on, whose hash is below the limit, and at the maximum at the latest. As
 * no chunk is shorter than the window, what comes before a chunk has no part in where it ends; only the hashes from its
 * minimum on are computed here.
 */

/** A stretch of a stream, and the hash of what came before it. */
export interface Stretch {
  bytes: Uint8Array;
  start: number;
  end: number;
  hash: number;
}

export function cutChunks(
  bytes: Uint8Array,
  start: number,
  end: number,
  gear: Uint32Array,
  state: Uint32Array,
  cuts: Uint32Array,
): number {
  const stretch = { bytes, start, end, hash: (state[GEAR_STATE.hash] as number) | 0 };
  let open = start - (state[GEAR_STATE.open] as number);
  let count = 0;
  while (count < cuts.length) {
    const cut = chunkEnd(stretch, gear, open);
    if (cut === 0) break;
    cuts[count++] = cut;
    open = cut;
  }
  const position = count === cuts.length ? open : end;
  state[GEAR_STATE.hash] = hashBefore(stretch, gear, position, GEAR_WINDOW_BYTES);
  state[GEAR_STATE.open] = position - open;
  return count;
}

/** Where the chunk ends that begins at `from`, which may lie before the stretch; 0 when that is not within it. */
export function chunkEnd(stretch: Stretch, gear: Uint32Array, from: number): number {
  const { bytes, start, end } = stretch;
  const first = Math.max(start, from + (gear[GEAR.minBytes] as number) - 1);
  const last = from + (gear[GEAR.maxBytes] as number);
  const to = Math.min(last, end);
  if (first < to) {
    const hash = hashBefore(stretch, gear, first, GEAR_WINDOW_BYTES - 1);
    const table = gear.subarray(GEAR.table);
    const found = findBelow(bytes, first, to, hash, table, gear[GEAR.limit] as number);
    if (found >= 0) return found + 1;
  }
  return last <= end ? last : 0;
}

/** The first byte of bytes[from, to) whose hash is below the limit, or -1. What most of the time goes into. */
function findBelow(bytes: Uint8Array, from: number, to: number, before: number, table: Uint32Array, limit: number) {
  let hash = before;
  for (let at = from; at < to; at++) {
    hash = ((hash << 1) + (table[bytes[at] as number] as number)) | 0;
    if (hash >>> 0 < limit) return at;
  }
  return -1;
}

/** The hash of the `window` bytes before `position`, which may begin before the stretch. */
function hashBefore({ bytes, start, hash }: Stretch, gear: Uint32Array, position: number, window: number): number {
  const whole = position - start >= window;
  let rolled = whole ? 0 : hash;
  for (let at = whole ? position - window : start; at < position; at++) {
    rolled = ((rolled << 1) + (gear[GEAR.table + (bytes[at] as number)] as number)) | 0;
  }
  return rolled;
}
