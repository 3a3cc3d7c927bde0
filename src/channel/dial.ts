import { connect, type Socket } from 'node:net';
import { AbortedError, PeerUnreachableError } from '../errors.js';
import { integerOption } from '../options.js';
import { formatAddress } from './address.js';
import { Backoff } from './backoff.js';
import { type Clock, systemClock } from './clock.js';

export interface DialOptions {
  host: string;
  port: number;
  /** All attempts together: default 10000. */
  connectTimeoutMs?: number;
  /** One attempt alone; whoever asks tries again himself, or elsewhere. */
  once?: boolean;
  signal?: AbortSignal;
  clock?: Clock;
  random?: () => number;
  /** One attempt; tests put their own in place of the network's. */
  attempt?: (host: string, port: number) => Socket;
}

/** What a peer that is not up yet, or a network that is being repaired, answers with. Anything else is final. */
const WORTH_ANOTHER_TRY = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'ENETUNREACH',
  'ENETDOWN',
  'ETIMEDOUT',
  'EADDRNOTAVAIL',
  'EAI_AGAIN',
]);

/** Connects, and tries again while that may help and the time is not over. The socket then belongs to the caller. */
export async function dial(options: DialOptions): Promise<Socket> {
  const { host, port, signal, clock = systemClock, attempt = openSocket } = options;
  const bounds = { min: 1, max: 86_400_000, default: 10_000 };
  const timeoutMs = integerOption('connectTimeoutMs', options.connectTimeoutMs, bounds);
  const backoff = new Backoff({ clock, ...(options.random === undefined ? {} : { random: options.random }) });
  const startedAt = clock.now();
  let problem: unknown;
  for (;;) {
    const leftMs = timeoutMs - (clock.now() - startedAt);
    if (leftMs <= 0) break;
    try {
      return await connected(attempt(host, port), leftMs, clock, formatAddress({ host, port }), signal);
    } catch (error) {
      if (error instanceof AbortedError) throw error;
      // A deadline in the middle of an attempt says less than the answer to the attempt before it.
      if (problem === undefined || !(error instanceof DeadlineError)) problem = error;
      if (options.once === true) break;
      if (!(error instanceof DeadlineError) && !WORTH_ANOTHER_TRY.has(codeOf(error))) break;
    }
    const pauseMs = Math.min(backoff.next(), timeoutMs - (clock.now() - startedAt));
    if (pauseMs > 0) await backoff.wait(signal, pauseMs);
  }
  throw new PeerUnreachableError(host, port, clock.now() - startedAt, problem);
}

class DeadlineError extends Error {
  constructor() {
    super('no answer');
  }
}

function openSocket(host: string, port: number): Socket {
  return connect({ host, port, noDelay: true, allowHalfOpen: true });
}

function connected(socket: Socket, leftMs: number, clock: Clock, to: string, signal?: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const settle = (error?: unknown): void => {
      clock.clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      socket.removeListener('connect', onConnect);
      if (error === undefined) {
        resolve(socket);
      } else {
        socket.destroy();
        reject(error);
      }
    };
    // A port that nobody listens on can be the very port that the system gives this socket: it then meets itself.
    const onConnect = (): void => settle(isOwnEnd(socket) ? refusedBySelf() : undefined);
    const onAbort = (): void => settle(new AbortedError(`connecting to ${to}`, undefined, signal?.reason));
    const timer = clock.setTimeout(() => settle(new DeadlineError()), leftMs);
    socket.once('connect', onConnect);
    // Stays on the socket: between here and its next owner an error must not end the process.
    socket.on('error', settle);
    if (signal?.aborted === true) onAbort();
    else signal?.addEventListener('abort', onAbort, { once: true });
  });
}

function isOwnEnd(socket: Socket): boolean {
  return socket.localPort === socket.remotePort && socket.localAddress === socket.remoteAddress;
}

function refusedBySelf(): Error {
  return Object.assign(new Error('the connection met its own end'), { code: 'ECONNREFUSED' });
}

/** A name with several addresses fails with one error for all of them. */
function codeOf(error: unknown): string {
  const { code, errors } = error as { code?: string; errors?: Array<{ code?: string }> };
  return code ?? errors?.[0]?.code ?? '';
}
