/** Differences and zeros in TypeScript: in words of 32 bits where the memory allows, else byte by byte. */

const WORD_BYTES = 4;

const NO_WORDS = new Int32Array(0);

/** The bytes from `start`, which is the place of a word in memory, to `end`, as many words later. */
const words = (bytes: Uint8Array, start: number, end: number): Int32Array =>
  start === end ? NO_WORDS : new Int32Array(bytes.buffer, bytes.byteOffset + start, (end - start) / WORD_BYTES);

/** How many bytes lie before the first word. */
const lead = (bytes: Uint8Array, start = 0): number => -(bytes.byteOffset + start) & (WORD_BYTES - 1);

export function xorBytes(a: Uint8Array, b: Uint8Array, into: Uint8Array): void {
  const length = a.byteLength;
  const together = lead(a) === lead(b) && lead(a) === lead(into);
  const head = together ? Math.min(lead(a), length) : length;
  const tail = length - ((length - head) % WORD_BYTES);
  xorEach(a, b, into, 0, head);
  const [left, right, result] = [words(a, head, tail), words(b, head, tail), words(into, head, tail)];
  for (let at = 0; at < result.length; at++) result[at] = (left[at] as number) ^ (right[at] as number);
  xorEach(a, b, into, tail, length);
}

function xorEach(a: Uint8Array, b: Uint8Array, into: Uint8Array, from: number, to: number): void {
  for (let at = from; at < to; at++) into[at] = (a[at] as number) ^ (b[at] as number);
}

export function firstNonZero(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  for (const wordsFrom = Math.min(end, start + lead(bytes, start)); at < wordsFrom; at++)
    if (bytes[at] !== 0) return at;
  const all = words(bytes, at, end - ((end - at) % WORD_BYTES));
  let index = 0;
  while (index < all.length && all[index] === 0) index++;
  at += index * WORD_BYTES;
  while (at < end && bytes[at] === 0) at++;
  return at;
}

/** A run of `minBytes` covers every minBytes-th place, so only there does it have to be looked for. */
export function zeroRuns(bytes: Uint8Array, start: number, end: number, minBytes: number, runs: Uint32Array): number {
  const runsMax = Math.floor(runs.length / 2);
  let count = 0;
  // No run that is still to be found begins before.
  let clear = start;
  while (count < runsMax && end - clear >= minBytes) {
    const probe = clear + minBytes;
    let from = probe;
    while (from > clear && bytes[from - 1] === 0) from--;
    if (from > clear) {
      clear = from;
      continue;
    }
    const to = firstNonZero(bytes, probe, end);
    runs[2 * count] = clear;
    runs[2 * count + 1] = to;
    count++;
    clear = to;
  }
  return count;
}
