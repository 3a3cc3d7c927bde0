import { constants } from 'node:crypto';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import {
  AbortedError,
  ConnectionLostError,
  IdentityNotAllowedError,
  IdentityRefusedError,
  LonghaulError,
  ProtocolError,
  TlsFailedError,
  TlsRequiredError,
} from '../errors.js';
import { integerOption } from '../options.js';
import { systemClock } from './clock.js';
import type { ServerTerms } from './security.js';

/** What both kinds of TLS have in common: version, time limit, the admission, and what errors mean. */

export const HANDSHAKE_TIMEOUT_MS = { min: 1, max: 600_000, default: 10_000 };

/** For the context of either side. A session that is resumed would not show its certificate again. */
export const TLS_VERSION = {
  minVersion: 'TLSv1.3',
  maxVersion: 'TLSv1.3',
  secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION,
} as const;

/**
 * The first byte under TLS, from the accepting side, once it has judged the certificate of the other. With TLS 1.3 the
 * dialling side is done before it was judged, and could otherwise not tell a refusal from a line that broke.
 */
const ADMITTED = 1;

/** Errors of OpenSSL at the first bytes of something that is not TLS at all. */
const PLAIN_BYTES = new Set(['ERR_SSL_WRONG_VERSION_NUMBER', 'ERR_SSL_HTTP_REQUEST', 'ERR_SSL_HTTPS_PROXY_REQUEST']);

export type Side = 'client' | 'server';

/** Runs a handshake on a socket within its time; whatever goes wrong, the socket is destroyed. */
export async function withinTerms<T>(side: Side, raw: Socket, terms: ServerTerms, shake: () => Promise<T>): Promise<T> {
  const { peer, signal, clock = systemClock } = terms;
  const timeoutMs = integerOption('handshakeTimeoutMs', terms.timeoutMs, HANDSHAKE_TIMEOUT_MS);
  let end: (error: LonghaulError) => void = () => {};
  const ended = new Promise<never>((_resolve, reject) => {
    end = reject;
  });
  const onAbort = (): void => end(new AbortedError(`connecting to ${peer}`, undefined, signal?.reason));
  // The reason, if there is one, comes with an event of the socket above, which may be the later one.
  const onClose = (): void => {
    setImmediate(() => end(new ConnectionLostError(peer, 'it was closed during the TLS handshake')));
  };
  const timer = clock.setTimeout(() => end(timeoutError(side, peer, timeoutMs)), timeoutMs);
  raw.on('error', () => {});
  raw.once('close', onClose);
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    if (signal?.aborted === true) onAbort();
    else if (raw.destroyed) onClose();
    else return await Promise.race([shake(), ended]);
    return await ended;
  } catch (error) {
    raw.destroy();
    throw error;
  } finally {
    clock.clearTimeout(timer);
    raw.removeListener('close', onClose);
    signal?.removeEventListener('abort', onAbort);
  }
}

/** A receiver that is slow may be quicker at the next attempt; a stranger that is silent is told of. */
function timeoutError(side: Side, peer: string, timeoutMs: number): LonghaulError {
  const found = `no TLS handshake within ${timeoutMs} ms`;
  return side === 'client' ? new ConnectionLostError(peer, found) : new TlsFailedError(peer, found);
}

/** Waits until the handshake is over on this side. */
export function untilSecure(side: Side, socket: TLSSocket, peer: string): Promise<void> {
  return new Promise((resolve, reject) => {
    // Stays on the socket: between here and its next owner an error must not end the process.
    socket.on('error', (error) => reject(handshakeError(error, side, peer)));
    socket.once('end', () => reject(new ConnectionLostError(peer, 'it ended during the TLS handshake')));
    socket.once(side === 'server' ? 'secure' : 'secureConnect', () => resolve());
  });
}

/** What every session must be, whatever the certificates say. */
export function requireFreshSession(socket: TLSSocket, peer: string): void {
  const version = socket.getProtocol();
  if (version !== 'TLSv1.3') throw new TlsFailedError(peer, `the session is ${version}`);
  if (socket.isSessionReused()) throw new TlsFailedError(peer, 'it resumed an earlier session');
}

export function admit(socket: TLSSocket): void {
  socket.write(Buffer.of(ADMITTED));
}

/** Waits for the other side's verdict on our certificate. */
export async function untilAdmitted(socket: TLSSocket, peer: string, own: string | undefined): Promise<void> {
  const notAllowed = (cause?: unknown): LonghaulError => new IdentityNotAllowedError(peer, own, cause);
  const ended = new AbortController();
  socket.once('end', () => ended.abort());
  try {
    for (;;) {
      const byte = socket.read(1) as Buffer | null;
      if (byte !== null) {
        if (byte[0] === ADMITTED) return;
        throw new ProtocolError(`an admission of ${byte[0]}`, String(ADMITTED));
      }
      if (socket.readableEnded || ended.signal.aborted) throw notAllowed();
      await once(socket, 'readable', { signal: ended.signal });
    }
  } catch (error) {
    if (error instanceof LonghaulError) throw error;
    if (ended.signal.aborted) throw notAllowed();
    // An alert, which only comes from whoever has read our certificate.
    throw isTls(error) ? notAllowed(error) : new ConnectionLostError(peer, describe(error), error);
  }
}

/** What an error of a handshake means: bytes that are no TLS, no TLS that both speak, no trust, or a line that broke. */
function handshakeError(error: Error, side: Side, peer: string): LonghaulError {
  if (side === 'server' && PLAIN_BYTES.has(codeOf(error))) return new TlsRequiredError(peer, error);
  if (isTls(error)) return new TlsFailedError(peer, describe(error), error);
  // Errors of the system have a number; what is left are verdicts on a certificate.
  if ('errno' in error || codeOf(error) === 'ECONNRESET') return new ConnectionLostError(peer, codeOf(error), error);
  return new IdentityRefusedError(
    peer,
    undefined,
    undefined,
    `its certificate is not trusted (${error.message})`,
    error,
  );
}

const codeOf = (error: unknown): string => (error as { code?: string }).code ?? '';

const isTls = (error: unknown): boolean => (error as { library?: string }).library !== undefined;

/** OpenSSL's own words without places in its sources. */
function describe(error: unknown): string {
  return (error as { reason?: string }).reason ?? (codeOf(error) || String(error));
}
