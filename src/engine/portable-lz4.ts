/**
 * LZ4 blocks in plain JavaScript, for where no binary of lz4-napi is installed. A block is a row of sequences:
 *
 *   token       u8    high half: literals, low half: length of the match - 4; 15 goes on in bytes that are added up,
 *                     up to and with the first one that is not 255
 *   literals
 *   offset      u16   little endian: how far behind the match begins, never 0
 *
 * The last sequence ends with its literals, at least 5, and no match begins within the last 12 bytes.
 */
const MATCH_BYTES_MIN = 4;
const LAST_LITERALS = 5;
const LAST_MATCH_BYTES = 12;
const OFFSET_MAX = 0xffff;
/** In half a token: the length goes on in the bytes that follow. */
const GOES_ON = 15;
const HASH_BITS = 14;
/** After that many places without a match the next one is looked at further on, more so the longer it lasts. */
const PATIENCE_LOG = 6;

/** The most that `bytes` of input become. */
export function lz4BytesMax(bytes: number): number {
  return bytes + Math.ceil(bytes / 255) + 16;
}

/** Compresses into `output`, which has room for `lz4BytesMax`, and returns how many bytes that takes. */
export function lz4Pack(input: Uint8Array, output: Uint8Array): number {
  const view = new DataView(input.buffer, input.byteOffset, input.byteLength);
  /** One more than where the four bytes with that hash were last. */
  const places = new Int32Array(1 << HASH_BITS);
  const lastMatch = input.byteLength - LAST_MATCH_BYTES;
  let literals = 0;
  let to = 0;
  let misses = 1 << PATIENCE_LOG;
  for (let at = 0; at <= lastMatch; ) {
    const word = view.getUint32(at, true);
    const hash = Math.imul(word, 0x9e3779b1) >>> (32 - HASH_BITS);
    const from = (places[hash] as number) - 1;
    places[hash] = at + 1;
    if (from < 0 || at - from > OFFSET_MAX || view.getUint32(from, true) !== word) {
      at += misses++ >>> PATIENCE_LOG;
      continue;
    }
    misses = 1 << PATIENCE_LOG;
    const rest = matchBytes(input, from, at) - MATCH_BYTES_MIN;
    to = putLiterals(input, literals, at, output, to, Math.min(rest, GOES_ON));
    output[to++] = (at - from) & 0xff;
    output[to++] = (at - from) >>> 8;
    if (rest >= GOES_ON) to = putLength(output, to, rest - GOES_ON);
    at += MATCH_BYTES_MIN + rest;
    literals = at;
  }
  return putLiterals(input, literals, input.byteLength, output, to, 0);
}

/** How far both go on alike, up to the literals at the end; the first four bytes are known to. */
function matchBytes(input: Uint8Array, from: number, at: number): number {
  const room = input.byteLength - LAST_LITERALS - at;
  let length = MATCH_BYTES_MIN;
  while (length < room && input[from + length] === input[at + length]) length++;
  return length;
}

/** A token, with what its lower half is to be, and input[from, end). */
function putLiterals(
  input: Uint8Array,
  from: number,
  end: number,
  output: Uint8Array,
  to: number,
  low: number,
): number {
  const count = end - from;
  output[to] = (Math.min(count, GOES_ON) << 4) | low;
  const at = count < GOES_ON ? to + 1 : putLength(output, to + 1, count - GOES_ON);
  copy(input, from, output, at, count);
  return at + count;
}

function putLength(output: Uint8Array, to: number, rest: number): number {
  let [at, left] = [to, rest];
  for (; left >= 255; left -= 255) output[at++] = 255;
  output[at++] = left;
  return at;
}

/** Unpacks a block of a peer that is not trusted; whether it was one that fills `output` exactly. */
export function lz4Unpack(block: Uint8Array, output: Uint8Array): boolean {
  const [end, room] = [block.byteLength, output.byteLength];
  let at = 0;
  let to = 0;
  while (at < end) {
    const token = block[at++] as number;
    let literals = token >>> 4;
    if (literals === GOES_ON) {
      const last = endOfLength(block, at);
      literals = lengthUpTo(block, at, last);
      at = last + 1;
    }
    // Written so that what lies behind the end of the block, where nothing is, fails as well.
    if (!(literals <= end - at && literals <= room - to)) return false;
    copy(block, at, output, to, literals);
    at += literals;
    to += literals;
    if (at === end) return to === room;
    const offset = (block[at] as number) | ((block[at + 1] ?? 0) << 8);
    at += 2;
    let length = (token & GOES_ON) + MATCH_BYTES_MIN;
    if (length === GOES_ON + MATCH_BYTES_MIN) {
      const last = endOfLength(block, at);
      length = lengthUpTo(block, at, last) + MATCH_BYTES_MIN;
      at = last + 1;
    }
    if (offset === 0 || offset > to || length > room - to) return false;
    copy(output, to - offset, output, to, length);
    to += length;
  }
  // A block that is empty, or ends with a match.
  return false;
}

/** Where the bytes of a length that goes on at `at` end. */
function endOfLength(block: Uint8Array, at: number): number {
  let last = at;
  while (block[last] === 255) last++;
  return last;
}

/** Its value, when those bytes are known; the last one counts for nothing where the block has ended. */
function lengthUpTo(block: Uint8Array, at: number, last: number): number {
  return GOES_ON + 255 * (last - at) + (block[last] ?? 0);
}

/** One byte after the other, so that a match that reaches into itself repeats; few are long. */
function copy(from: Uint8Array, at: number, into: Uint8Array, to: number, count: number): void {
  for (let index = 0; index < count; index++) into[to + index] = from[at + index] as number;
}
