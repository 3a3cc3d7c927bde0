import {
  ClosedError,
  CodecMissingError,
  CompressedDataError,
  CompressionFailedError,
  type LonghaulError,
  OutputTooLargeError,
  WindowTooLargeError,
} from '../errors.js';
import { engine, zstdAddon } from './engine.js';
import type { ZstdAddon } from './zstd-addon.js';

/** The codec, which the portable engine does not have. */
export function zstd(): ZstdAddon {
  if (zstdAddon === undefined) throw new CodecMissingError('zstd', engine.name, engine.reason);
  return zstdAddon;
}

/** What a call was about, for its errors. */
export interface ZstdContext {
  /** Whose call it was: `the encoder`. */
  what: string;
  windowLogMax?: number;
  outputBytesMax?: number;
}

/** For `catch`: the addon's error says in a word what happened, and the class is ours. */
export function throwAs(context: ZstdContext): (error: unknown) => never {
  return (error) => {
    throw errorOf(error as Error & { zstd?: string }, context);
  };
}

function errorOf(error: Error & { zstd?: string }, context: ZstdContext): LonghaulError | Error {
  switch (error.zstd) {
    case 'closed':
      return new ClosedError(context.what);
    case 'damaged':
      return new CompressedDataError(error.message);
    case 'window':
      return new WindowTooLargeError(context.windowLogMax ?? 0);
    case 'output':
      return new OutputTooLargeError(context.outputBytesMax ?? 0);
    case 'failed':
      return new CompressionFailedError(context.what, error.message);
    default:
      return error;
  }
}
