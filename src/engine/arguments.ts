import { types } from 'node:util';
import { InvalidArgumentError } from '../errors.js';
import { isDetached } from './bytes.js';

/** What the checks of the kernels' arguments have in common. */

export const INT32_MAX = 0x7fff_ffff;
export const UINT32_MAX = 0xffff_ffff;

export function checkBytes(argument: string, bytes: unknown): Uint8Array {
  if (!types.isUint8Array(bytes)) refuse(argument, bytes, 'a Uint8Array');
  // Another thread could change shared memory between a check and its use, or while it is being written.
  if (isShared(bytes) || isDetached(bytes)) refuse(argument, bytes, 'a Uint8Array with memory of its own');
  return bytes;
}

export function isShared(view: ArrayBufferView): boolean {
  return types.isSharedArrayBuffer(view.buffer);
}

export function checkRange(bytes: Uint8Array, start: number, end: number): void {
  checkBytes('bytes', bytes);
  checkInteger('end', end, bytes.byteLength);
  checkInteger('start', start, end);
}

export function checkInteger(argument: string, value: number, max: number): void {
  if (!Number.isSafeInteger(value) || value < 0 || value > max) {
    refuse(argument, value, `an integer from 0 to ${max}`);
  }
}

export function refuse(argument: string, given: unknown, expected: string): never {
  throw new InvalidArgumentError(argument, given, expected);
}
