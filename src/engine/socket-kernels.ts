import { types } from 'node:util';
import { checkInteger, INT32_MAX, isShared, refuse, UINT32_MAX } from './arguments.js';
import { TCP_INFO_FIELDS } from './socket-layout.js';

/**
 * Options of TCP sockets. They need the addon and a system that has them; else nothing happens, and the answer is
 * undefined or false. A descriptor that is no TCP socket, or not open, is an Error as Node's own, with `code`, `errno` and
 * `syscall`. Nothing here waits.
 */
export interface SocketKernels {
  /**
   * Gives the socket the first of these congestion controls that the system has and lets it have. Returns the one that it
   * has then: if none was allowed, or none is given, that which it had before.
   */
  setCongestionControl(fd: number, names: readonly string[]): string | undefined;

  /** The same for a socket that nothing is done with: what a new one would get. */
  probeCongestionControl(names: readonly string[]): string | undefined;

  /** Has the system send no faster than this, at an even pace; 0 takes the ceiling away. */
  setPacingRate(fd: number, bytesPerSecond: number): boolean;

  /** The system takes more only while it holds less than this that was never sent; 0 is the system's own bound. */
  setNotSentLowat(fd: number, bytes: number): boolean;

  /** Data that nobody acknowledges for so long ends the connection; 0 leaves that to the system. */
  setUserTimeout(fd: number, ms: number): boolean;

  /** Writes what TCP_INFO_FIELDS names into `info`, which has as many fields; what the system does not tell is NaN. */
  readTcpInfo(fd: number, info: Float64Array): boolean;
}

/** The longest name that Linux gives a congestion control. */
export const CONGESTION_CONTROL_NAME_LENGTH_MAX = 15;
const NAMES_MAX = 16;

/** Whether it can be the name of a congestion control. */
export function isCongestionControlName(name: unknown): name is string {
  return typeof name === 'string' && name.length <= CONGESTION_CONTROL_NAME_LENGTH_MAX && /^[\w-]+$/.test(name);
}

/** The same kernels, for arguments from anywhere: what is not as it should be raises InvalidArgumentError. */
export function checkedSocket(kernels: SocketKernels): SocketKernels {
  return {
    setCongestionControl(fd, names) {
      checkInteger('fd', fd, INT32_MAX);
      return kernels.setCongestionControl(fd, checkNames(names));
    },
    probeCongestionControl: (names) => kernels.probeCongestionControl(checkNames(names)),
    setPacingRate(fd, bytesPerSecond) {
      checkInteger('fd', fd, INT32_MAX);
      checkInteger('bytesPerSecond', bytesPerSecond, Number.MAX_SAFE_INTEGER);
      return kernels.setPacingRate(fd, bytesPerSecond);
    },
    setNotSentLowat(fd, bytes) {
      checkInteger('fd', fd, INT32_MAX);
      checkInteger('bytes', bytes, UINT32_MAX);
      return kernels.setNotSentLowat(fd, bytes);
    },
    setUserTimeout(fd, ms) {
      checkInteger('fd', fd, INT32_MAX);
      checkInteger('ms', ms, INT32_MAX);
      return kernels.setUserTimeout(fd, ms);
    },
    readTcpInfo(fd, info) {
      checkInteger('fd', fd, INT32_MAX);
      if (!types.isFloat64Array(info) || info.length !== TCP_INFO_FIELDS.length || isShared(info)) {
        refuse('info', info, `a Float64Array of ${TCP_INFO_FIELDS.length}`);
      }
      return kernels.readTcpInfo(fd, info);
    },
  };
}

function checkNames(names: readonly string[]): readonly string[] {
  if (!Array.isArray(names) || names.length > NAMES_MAX) refuse('names', names, `an array of at most ${NAMES_MAX}`);
  for (const name of names) {
    if (!isCongestionControlName(name)) refuse('a name', name, 'up to 15 letters, digits, hyphens and underscores');
  }
  return names;
}
