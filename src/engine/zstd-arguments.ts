import { GIB, integerOption } from '../options.js';
import { checkBytes, refuse } from './arguments.js';

/** Bounds of the codec, and the checks that its calls have in common. */

/** The highest levels of zstd take gigabytes and gain next to nothing. */
export const LEVEL = { min: 1, max: 19, default: 3 } as const;
/** Windows of 1 KiB to 1 GiB; 64 MiB by default. */
export const WINDOW_LOG = { min: 10, max: 30, default: 26 } as const;
/** The most that one call takes in or puts out. */
export const CALL_BYTES_MAX = GIB;
/** The most stretches that count as one. */
const STRETCHES_MAX = 1024 * 1024;

/** One or more stretches of memory, as a list of the codec's own. */
export function listOf(argument: string, given: unknown, bytesMax: number = CALL_BYTES_MAX): Uint8Array[] {
  if (Array.isArray(given) && given.length > STRETCHES_MAX) {
    refuse(argument, given, `at most ${STRETCHES_MAX} stretches of memory`);
  }
  const list: unknown[] = Array.isArray(given) ? given.slice() : [given];
  let bytes = 0;
  for (const one of list) bytes += checkBytes(argument, one).byteLength;
  if (bytes > bytesMax) refuse(argument, bytes, `at most ${bytesMax} bytes`);
  return list as Uint8Array[];
}

export function checkOutputBytesMax(given: number): void {
  integerOption('outputBytesMax', given, { min: 0, max: CALL_BYTES_MAX, default: Number.NaN });
  if (given === undefined) refuse('outputBytesMax', given, `an integer from 0 to ${CALL_BYTES_MAX}`);
}

export function flagOption(argument: string, given: unknown, fallback: boolean): boolean {
  if (given === undefined) return fallback;
  if (typeof given !== 'boolean') refuse(argument, given, `true or false (default ${fallback})`);
  return given;
}
