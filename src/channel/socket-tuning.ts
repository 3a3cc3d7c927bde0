import type { Socket } from 'node:net';
import { kernels } from '../engine/engine.js';
import type { SocketKernels } from '../engine/socket-kernels.js';
import { TCP_INFO_FIELDS, type TcpInfo } from '../engine/socket-layout.js';
import { InvalidArgumentError } from '../errors.js';
import { integerOption, MIB, RATE_BYTES_PER_SECOND_MIN } from '../options.js';
import { assertGiven, type CongestionControl, congestionControlNames } from './congestion-control.js';
import { socketOption } from './socket-option.js';

export type { TcpInfo } from '../engine/socket-layout.js';

export interface TuningOptions {
  /** Default `auto`. */
  congestionControl?: CongestionControl;
  /** Whether packets are lost on the line, as `auto` goes by that: default true. */
  lineLoses?: boolean;
  /** As `pace` takes it; left as it is when not given. */
  pacingBytesPerSecond?: number;
  /**
   * The system takes more from the process only while it holds less than this that was never sent: what waits stays where
   * control frames can overtake it. 4 KiB to 64 MiB; left as it is when not given.
   */
  notSentLowatBytes?: number;
  /** Data that nobody acknowledges for so long ends the connection (RFC 5482): 1 s to 1 h; left as it is when not given. */
  userTimeoutMs?: number;
}

/** What is in force on a socket; what the engine or the system cannot do is not there. */
export interface Tuning {
  congestionControl?: string;
  /** Whether the system keeps to the ceiling that was given. */
  pacing: boolean;
  notSentLowatBytes?: number;
  userTimeoutMs?: number;
}

const NOT_SENT_LOWAT_BYTES = { min: 4096, max: 64 * MIB, default: 0 };
const USER_TIMEOUT_MS = { min: 1000, max: 3_600_000, default: 0 };

/**
 * Sets the options of a socket that is connected: one of `node:net`, or a TLSSocket over one. Those of the buffers
 * (SO_SNDBUF and SO_RCVBUF) are left alone, because setting them ends that the system fits them to the line.
 *
 * Raises CongestionControlError when a congestion control was asked for by name and another is in force, and
 * SocketOptionError when the socket is none of TCP. One that is closed already has nothing in force.
 */
export function tune(socket: Socket, options: TuningOptions = {}, use: SocketKernels = kernels): Tuning {
  const { congestionControl = 'auto', lineLoses = true, pacingBytesPerSecond } = options;
  const notSentLowatBytes = integerOption('notSentLowatBytes', options.notSentLowatBytes, NOT_SENT_LOWAT_BYTES);
  const userTimeoutMs = integerOption('userTimeoutMs', options.userTimeoutMs, USER_TIMEOUT_MS);
  const fd = descriptorOf(socket);
  if (fd === undefined) return { pacing: false };
  const inForce = socketOption('TCP_CONGESTION', () =>
    use.setCongestionControl(fd, congestionControlNames(congestionControl, lineLoses)),
  );
  assertGiven(congestionControl, inForce);
  const pacing = pacingBytesPerSecond !== undefined && pace(socket, pacingBytesPerSecond, use);
  const lowat =
    notSentLowatBytes > 0 && socketOption('TCP_NOTSENT_LOWAT', () => use.setNotSentLowat(fd, notSentLowatBytes));
  const timeout = userTimeoutMs > 0 && socketOption('TCP_USER_TIMEOUT', () => use.setUserTimeout(fd, userTimeoutMs));
  return {
    ...(inForce !== undefined && { congestionControl: inForce }),
    pacing,
    ...(lowat && { notSentLowatBytes }),
    ...(timeout && { userTimeoutMs }),
  };
}

/**
 * Has the system send no faster than this on the socket (SO_MAX_PACING_RATE), its packets spread evenly; at any time
 * while it is open, Infinity for no ceiling. At least 1000 bytes per second. False where that cannot be done.
 */
export function pace(socket: Socket, bytesPerSecond: number, use: SocketKernels = kernels): boolean {
  if (!(bytesPerSecond >= RATE_BYTES_PER_SECOND_MIN)) {
    const expected = `bytes per second from ${RATE_BYTES_PER_SECOND_MIN}, or Infinity`;
    throw new InvalidArgumentError('pacingBytesPerSecond', bytesPerSecond, expected);
  }
  const fd = descriptorOf(socket);
  const rate = bytesPerSecond > Number.MAX_SAFE_INTEGER ? 0 : Math.floor(bytesPerSecond);
  return fd !== undefined && socketOption('SO_MAX_PACING_RATE', () => use.setPacingRate(fd, rate));
}

/**
 * What the system measured on the connection, in a few microseconds. Undefined where that cannot be told, and once the
 * socket is closed.
 */
export function tcpInfo(socket: Socket, use: SocketKernels = kernels): TcpInfo | undefined {
  const fd = descriptorOf(socket);
  const fields = new Float64Array(TCP_INFO_FIELDS.length);
  if (fd === undefined || !socketOption('TCP_INFO', () => use.readTcpInfo(fd, fields))) return undefined;
  const info: TcpInfo = {};
  for (const [index, name] of TCP_INFO_FIELDS.entries()) {
    const value = fields[index] as number;
    if (!Number.isNaN(value)) info[name] = value;
  }
  return info;
}

/** Node has no public way to it. A handle that is none of a socket, or closed, has none or a negative one. */
function descriptorOf(socket: Socket): number | undefined {
  const { _handle: handle } = socket as unknown as { _handle?: { fd?: unknown } | null };
  const fd = handle?.fd;
  return typeof fd === 'number' && Number.isInteger(fd) && fd >= 0 ? fd : undefined;
}
