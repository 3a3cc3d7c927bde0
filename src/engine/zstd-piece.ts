import { integerOption, MIB } from '../options.js';
import { checkBytes, refuse } from './arguments.js';
import { CALL_BYTES_MAX, checkOutputBytesMax, LEVEL } from './zstd-arguments.js';
import { throwAs, zstd } from './zstd-call.js';

/**
 * Single pieces of about 1 MiB, each coded against the content that it most resembles, off the event loop and many at
 * a time. Neither input nor prefix may be changed or transferred until a call settles.
 */

/** The longest piece, and the longest prefix: beyond it the tables of a piece no longer reach all of the prefix. */
export const PIECE_BYTES_MAX = 8 * MIB;

/**
 * The piece as a frame of its own that refers to `prefix`; `level` 1 to 19, default 3. Raises InvalidArgumentError for
 * more than 8 MiB of either, CodecMissingError, and CompressionFailedError for lack of memory.
 */
export async function compressPiece(input: Uint8Array, prefix: Uint8Array, level?: number): Promise<Buffer> {
  const list = [checkPart('input', input, PIECE_BYTES_MAX), checkPart('prefix', prefix, PIECE_BYTES_MAX)];
  const checkedLevel = integerOption('level', level, LEVEL);
  return zstd()
    .compressPiece(list, checkedLevel)
    .catch(throwAs({ what: 'the piece' }));
}

/**
 * The piece that such a frame came from, given the same prefix. Raises OutputTooLargeError for one of more than
 * `outputBytesMax` bytes (0 to 1 GiB) before anything is allocated, CompressedDataError for input that is not exactly
 * one frame with its length in front, CodecMissingError, and CompressionFailedError for lack of memory.
 */
export async function decompressPiece(input: Uint8Array, prefix: Uint8Array, outputBytesMax: number): Promise<Buffer> {
  const list = [checkPart('input', input, CALL_BYTES_MAX / 2), checkPart('prefix', prefix, PIECE_BYTES_MAX)];
  checkOutputBytesMax(outputBytesMax);
  return zstd()
    .decompressPiece(list, outputBytesMax)
    .catch(throwAs({ what: 'the piece', outputBytesMax }));
}

function checkPart(argument: string, given: unknown, bytesMax: number): Uint8Array {
  const part = checkBytes(argument, given);
  if (part.byteLength > bytesMax) refuse(argument, part, `at most ${bytesMax} bytes`);
  return part;
}
