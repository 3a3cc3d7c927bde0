import { types } from 'node:util';
import { checkBytes, checkInteger, checkRange, isShared, refuse, UINT32_MAX } from './arguments.js';
import {
  CHUNK_DIGEST_BYTES,
  FEATURES,
  GEAR,
  GEAR_FIELDS,
  GEAR_STATE,
  GEAR_STATE_FIELDS,
  GEAR_WINDOW_BYTES,
  KEY_BYTES,
  MATCH_FIELDS,
} from './content-layout.js';

/**
 * The kernels that look at content: chunks, digests, differences. Results go into the caller's arrays, so that one call
 * serves a whole batch, and what a full array ends goes on with another call. Offsets are those of `bytes`, of 32 bits.
 */
export interface ContentKernels {
  /**
   * Cuts the part of a stream that lies in bytes[start, end) into chunks, as the `gear` (gear.ts) says, writes where
   * each ends into `cuts` and returns how many there are. `state` holds the `GEAR_STATE` fields, zeros at the start of
   * the stream, and moves on: to the last cut when `cuts` is full, else to `end`, with the last chunk left open.
   */
  cutChunks(
    bytes: Uint8Array,
    start: number,
    end: number,
    gear: Uint32Array,
    state: Uint32Array,
    cuts: Uint32Array,
  ): number;

  /**
   * Cuts bytes[start, end) into chunks, what is left at `end` being the last one, and digests each with keyed BLAKE3.
   * Writes where each ends into `cuts` and returns how many there are. `digests` takes tags when it is a BigUint64Array
   * (the first 64 bits, as a little-endian number), and digests of 16 bytes when it is a Uint8Array; it must have room
   * for as many as `cuts`. When `cuts` is full, another call from the last cut on goes on.
   *
   * With a `head` above 0, which is an offset of `bytes` up to `end`, the last chunk is digested up to there as well if it
   * begins before: that digest is behind the others, so there must be room for one more.
   */
  digestChunks(
    bytes: Uint8Array,
    start: number,
    end: number,
    gear: Uint32Array,
    key: Uint8Array,
    cuts: Uint32Array,
    digests: BigUint64Array | Uint8Array,
    head: number,
  ): number;

  /**
   * Writes the `FEATURES` features of bytes[start, end) into `features`: content that resembles other content shares some
   * with it (sketch.h has how they come about). Returns how many samples they are made of; without any they are 0.
   */
  sketch(bytes: Uint8Array, start: number, end: number, gear: Uint32Array, features: Uint32Array): number;

  /** Digests with keyed BLAKE3 the ranges of `bytes` whose starts and ends take turns in `ranges`, as `digestChunks`. */
  digestRanges(bytes: Uint8Array, ranges: Uint32Array, key: Uint8Array, digests: BigUint64Array | Uint8Array): void;

  /** XXH64 of each of the ranges of `bytes` whose starts and ends take turns in `ranges`. */
  checksumRanges(bytes: Uint8Array, ranges: Uint32Array, seed: bigint, checksums: BigUint64Array): void;

  /** into[i] = a[i] ^ b[i], for three of one length. `into` may be `a` or `b`, but must not overlap them otherwise. */
  xorBytes(a: Uint8Array, b: Uint8Array, into: Uint8Array): void;

  /** Where in bytes[start, end) the first byte lies that is not zero; `end` when all are. */
  firstNonZero(bytes: Uint8Array, start: number, end: number): number;

  /**
   * Writes start and end of each run of at least `minBytes` zeros (from 1 on) in bytes[start, end) into `runs`, in order,
   * and returns how many there are. When `runs` is full, another call from the last end on goes on.
   */
  zeroRuns(bytes: Uint8Array, start: number, end: number, minBytes: number, runs: Uint32Array): number;

  /**
   * Finds stretches of `target`, from `start` on, that `base` holds, and writes them into `matches`, `MATCH_FIELDS` each:
   * start in the target, start in the base, length. They come in the order of the target and do not overlap; what lies
   * between them is literal. Made for a former version as the base: what is still in its place is found at the speed of
   * comparing, what has moved by an index over the base. Returns how many there are. When `matches` is full, another
   * call from the end of the last one on goes on, though it need not find what this one would have.
   */
  matchBytes(base: Uint8Array, target: Uint8Array, start: number, matches: Uint32Array): number;
}

/** The same kernels, for arguments from anywhere: what is not as it should be raises InvalidArgumentError. */
export function checkedContent(kernels: ContentKernels): ContentKernels {
  return {
    cutChunks(bytes, start, end, gear, state, cuts) {
      checkNarrowRange(bytes, start, end);
      checkGear(gear);
      checkOffsets('state', state, GEAR_STATE_FIELDS);
      if ((state[GEAR_STATE.open] as number) >= (gear[GEAR.maxBytes] as number)) {
        refuse('state', state, `an open chunk of less than ${gear[GEAR.maxBytes]} bytes`);
      }
      checkOffsets('cuts', cuts, 1);
      return kernels.cutChunks(bytes, start, end, gear, state, cuts);
    },
    digestChunks(bytes, start, end, gear, key, cuts, digests, head) {
      checkNarrowRange(bytes, start, end);
      checkGear(gear);
      checkKey(key);
      checkOffsets('cuts', cuts, 1);
      checkInteger('head', head, end);
      checkDigests(digests, cuts.length + (head > 0 ? 1 : 0));
      return kernels.digestChunks(bytes, start, end, gear, key, cuts, digests, head);
    },
    sketch(bytes, start, end, gear, features) {
      checkNarrowRange(bytes, start, end);
      checkGear(gear);
      checkOffsets('features', features, FEATURES);
      return kernels.sketch(bytes, start, end, gear, features);
    },
    digestRanges(bytes, ranges, key, digests) {
      checkRanges(bytes, ranges);
      checkKey(key);
      checkDigests(digests, ranges.length / 2);
      kernels.digestRanges(bytes, ranges, key, digests);
    },
    checksumRanges(bytes, ranges, seed, checksums) {
      checkRanges(bytes, ranges);
      if (typeof seed !== 'bigint') refuse('seed', seed, 'a bigint');
      const count = ranges.length / 2;
      if (!types.isBigUint64Array(checksums) || checksums.length < count || isShared(checksums)) {
        refuse('checksums', checksums, `a BigUint64Array of at least ${count}`);
      }
      kernels.checksumRanges(bytes, ranges, seed, checksums);
    },
    xorBytes(a, b, into) {
      const length = checkBytes('a', a).byteLength;
      if (checkBytes('b', b).byteLength !== length) refuse('b', b, `${length} bytes, as a`);
      if (checkBytes('into', into).byteLength !== length) refuse('into', into, `${length} bytes, as a`);
      if (overlapsPartly(into, a) || overlapsPartly(into, b)) refuse('into', into, 'a, b or other memory than theirs');
      kernels.xorBytes(a, b, into);
    },
    firstNonZero(bytes, start, end) {
      checkRange(bytes, start, end);
      return kernels.firstNonZero(bytes, start, end);
    },
    zeroRuns(bytes, start, end, minBytes, runs) {
      checkNarrowRange(bytes, start, end);
      if (minBytes === 0) refuse('minBytes', minBytes, 'an integer from 1');
      checkInteger('minBytes', minBytes, UINT32_MAX);
      checkOffsets('runs', runs, 2);
      return kernels.zeroRuns(bytes, start, end, minBytes, runs);
    },
    matchBytes(base, target, start, matches) {
      checkInteger('base.byteLength', checkBytes('base', base).byteLength, UINT32_MAX);
      checkInteger('target.byteLength', checkBytes('target', target).byteLength, UINT32_MAX);
      checkInteger('start', start, target.byteLength);
      checkOffsets('matches', matches, MATCH_FIELDS);
      return kernels.matchBytes(base, target, start, matches);
    },
  };
}

function checkNarrowRange(bytes: Uint8Array, start: number, end: number): void {
  checkRange(bytes, start, end);
  checkInteger('end', end, UINT32_MAX);
}

function checkOffsets(argument: string, offsets: unknown, lengthMin: number): Uint32Array {
  if (!types.isUint32Array(offsets) || offsets.length < lengthMin || isShared(offsets)) {
    refuse(argument, offsets, `a Uint32Array of at least ${lengthMin}`);
  }
  return offsets;
}

function checkGear(gear: unknown): void {
  const [minBytes = 0, maxBytes = 0] = checkOffsets('gear', gear, GEAR_FIELDS);
  if ((gear as Uint32Array).length > GEAR_FIELDS || minBytes < GEAR_WINDOW_BYTES || maxBytes < minBytes) {
    refuse('gear', gear, 'a Uint32Array that gearOf made');
  }
}

function checkKey(key: unknown): void {
  if (checkBytes('key', key).byteLength !== KEY_BYTES) refuse('key', key, `${KEY_BYTES} bytes`);
}

function checkRanges(bytes: Uint8Array, ranges: Uint32Array): void {
  checkBytes('bytes', bytes);
  checkOffsets('ranges', ranges, 0);
  if (ranges.length % 2 !== 0) refuse('ranges', ranges, 'starts and ends that take turns');
  for (let at = 0; at < ranges.length; at += 2) {
    const [start, end] = [ranges[at] as number, ranges[at + 1] as number];
    if (start > end || end > bytes.byteLength)
      refuse('ranges', `${start} to ${end}`, `within ${bytes.byteLength} bytes`);
  }
}

function checkDigests(digests: unknown, count: number): void {
  const room = types.isBigUint64Array(digests)
    ? digests.length
    : types.isUint8Array(digests)
      ? Math.floor(digests.byteLength / CHUNK_DIGEST_BYTES)
      : -1;
  if (room < count || isShared(digests as Uint8Array)) {
    refuse(
      'digests',
      digests,
      `a BigUint64Array of at least ${count}, or a Uint8Array of ${CHUNK_DIGEST_BYTES} bytes for each`,
    );
  }
}

function overlapsPartly(a: Uint8Array, b: Uint8Array): boolean {
  const distance = Math.abs(a.byteOffset - b.byteOffset);
  return a.buffer === b.buffer && distance > 0 && distance < a.byteLength;
}
