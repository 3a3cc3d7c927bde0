import { LonghaulError, SocketOptionError } from '../errors.js';

/** Calls the system about an option of a socket; what it refuses is a SocketOptionError. */
export function socketOption<Result>(option: string, call: () => Result): Result {
  try {
    return call();
  } catch (error) {
    throw error instanceof LonghaulError ? error : new SocketOptionError(option, error);
  }
}
