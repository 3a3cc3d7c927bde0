import { isIP, type Socket } from 'node:net';
import {
  type ConnectionOptions,
  connect,
  createSecureContext,
  type SecureContext,
  TLSSocket,
  type TlsOptions,
} from 'node:tls';
import { IdentityRefusedError, InvalidArgumentError } from '../errors.js';
import type { ClientTerms, SecuredSocket, Security, ServerTerms } from './security.js';
import { admit, requireFreshSession, TLS_VERSION, untilAdmitted, untilSecure, withinTerms } from './tls-handshake.js';

/** Options that would get around the certificates, or could not be held to TLS 1.3. */
const NOT_TAKEN = ['secureContext', 'pskCallback', 'session', 'socket', 'secureProtocol'] as const;

/** TLS with the embedder's own key, certificate and authorities: Node judges, and its verdict is always binding. */
export class OwnTlsSecurity implements Security {
  readonly nodeId = undefined;
  readonly proves = true;
  readonly #options: ConnectionOptions & TlsOptions;
  readonly #context: SecureContext;

  constructor(options: ConnectionOptions & TlsOptions) {
    for (const name of NOT_TAKEN) {
      if (options[name as keyof typeof options] !== undefined) {
        throw new InvalidArgumentError(`tls.${name}`, options[name as keyof typeof options], 'left out');
      }
    }
    this.#options = options;
    this.#context = contextOf(options);
  }

  client(raw: Socket, terms: ClientTerms): Promise<SecuredSocket> {
    const { peer, host } = terms;
    return withinTerms('client', raw, terms, async () => {
      const socket = connect({
        host,
        ...(isIP(host) === 0 ? { servername: host } : {}),
        ...this.#options,
        socket: raw,
        secureContext: this.#context,
        rejectUnauthorized: true,
      });
      await untilSecure('client', socket, peer);
      requireFreshSession(socket, peer);
      await untilAdmitted(socket, peer, undefined);
      return { socket, wire: raw, peerId: undefined };
    });
  }

  server(raw: Socket, terms: ServerTerms): Promise<SecuredSocket> {
    const { peer } = terms;
    return withinTerms('server', raw, terms, async () => {
      const socket = new TLSSocket(raw, {
        ...this.#options,
        isServer: true,
        secureContext: this.#context,
        requestCert: true,
        rejectUnauthorized: true,
      });
      await untilSecure('server', socket, peer);
      requireFreshSession(socket, peer);
      requireTrusted(socket, peer);
      admit(socket);
      return { socket, wire: raw, peerId: undefined };
    });
  }
}

function contextOf(options: ConnectionOptions & TlsOptions): SecureContext {
  const secureOptions = TLS_VERSION.secureOptions | (options.secureOptions ?? 0);
  try {
    return createSecureContext({ ...options, ...TLS_VERSION, secureOptions });
  } catch (error) {
    const found = error instanceof Error ? error.message : String(error);
    throw new InvalidArgumentError('tls', options, `options that node:tls takes (${found})`);
  }
}

/**
 * A socket that is not a server's own keeps what OpenSSL made of the certificate in its handle, and nobody looks at it
 * but us. Whatever is not a plain yes is a no.
 */
function requireTrusted(socket: TLSSocket, peer: string): void {
  const { ssl } = socket as unknown as { ssl?: { verifyError?: () => Error | null | undefined } };
  const error = ssl?.verifyError === undefined ? new Error('this Node does not tell the verdict') : ssl.verifyError();
  if (!error && socket.getPeerX509Certificate() !== undefined) return;
  const why = (error as NodeJS.ErrnoException | null)?.code ?? error?.message ?? 'no certificate';
  throw new IdentityRefusedError(peer, undefined, undefined, `its certificate is not trusted (${why})`, error);
}
