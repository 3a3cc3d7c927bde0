import type { X509Certificate } from 'node:crypto';
import type { Socket } from 'node:net';
import { connect, createSecureContext, type SecureContext, TLSSocket } from 'node:tls';
import { IdentityRefusedError } from '../errors.js';
import { fingerprint } from './certificate.js';
import { type Identity, type IdentityPair, openIdentity, requireValid, validity } from './identity.js';
import type { ClientTerms, SecuredSocket, Security, ServerTerms } from './security.js';
import { admit, requireFreshSession, TLS_VERSION, untilAdmitted, untilSecure, withinTerms } from './tls-handshake.js';

/**
 * TLS with both ends known by the fingerprint of their key. There is no authority: `rejectUnauthorized` is off because
 * Node's verdict is about authorities, and in its place each end looks at the certificate of the other before a byte of
 * ours goes out or is read (`provenId`). TLS itself has proved by then that the other end has the key.
 */
export class IdentitySecurity implements Security {
  readonly proves = true;
  readonly #identity: Identity;
  readonly #allow: readonly string[];
  readonly #context: SecureContext;
  readonly #now: () => number;

  private constructor(identity: Identity, allow: readonly string[], now: () => number) {
    this.#identity = identity;
    this.#allow = allow;
    this.#now = now;
    this.#context = createSecureContext({ key: identity.key, cert: identity.cert, ...TLS_VERSION });
  }

  static async open(
    from: string | IdentityPair,
    allow: readonly string[],
    now: () => number = Date.now,
  ): Promise<IdentitySecurity> {
    return new IdentitySecurity(await openIdentity(from, now()), allow, now);
  }

  get nodeId(): string {
    return this.#identity.id;
  }

  client(raw: Socket, terms: ClientTerms): Promise<SecuredSocket> {
    const { peer, allow = this.#allow } = terms;
    return withinTerms('client', raw, terms, async () => {
      // The receiver would hang up without a word.
      requireValid(this.#identity, this.#now(), true);
      const socket = connect({
        socket: raw,
        secureContext: this.#context,
        rejectUnauthorized: false,
        checkServerIdentity: () => undefined,
      });
      await untilSecure('client', socket, peer);
      const peerId = this.#judge(socket, peer, allow);
      await untilAdmitted(socket, peer, this.nodeId);
      return { socket, wire: raw, peerId };
    });
  }

  server(raw: Socket, terms: ServerTerms): Promise<SecuredSocket> {
    return withinTerms('server', raw, terms, async () => {
      const socket = new TLSSocket(raw, {
        isServer: true,
        secureContext: this.#context,
        requestCert: true,
        rejectUnauthorized: false,
      });
      await untilSecure('server', socket, terms.peer);
      const peerId = this.#judge(socket, terms.peer, this.#allow);
      admit(socket);
      return { socket, wire: raw, peerId };
    });
  }

  #judge(socket: TLSSocket, peer: string, allow: readonly string[]): string {
    requireFreshSession(socket, peer);
    return provenId(socket.getPeerX509Certificate(), { peer, own: this.nodeId, allow, now: this.#now() });
  }
}

export interface Trust {
  peer: string;
  own: string;
  allow: readonly string[];
  now: number;
}

/**
 * The id that a certificate proves. Its key must be one of those that are allowed, which comes first: nothing else of a
 * stranger's certificate is worth the work. It must be signed by that key, and valid now.
 */
export function provenId(certificate: X509Certificate | undefined, { peer, own, allow, now }: Trust): string {
  if (certificate === undefined) throw new IdentityRefusedError(peer, undefined, own, 'it has no certificate');
  const id = idOf(certificate);
  if (id === undefined) throw new IdentityRefusedError(peer, undefined, own, 'its certificate has no usable key');
  if (!allow.includes(id))
    throw new IdentityRefusedError(peer, id, own, `it has proved the id ${id}, which is not allowed`);
  if (!isSelfSigned(certificate)) {
    throw new IdentityRefusedError(peer, undefined, own, `its certificate for ${id} is not signed by its own key`);
  }
  requireValid({ id, ...validity(certificate) }, now, false);
  return id;
}

/** Undefined for a key that Node cannot read. */
function idOf(certificate: X509Certificate): string | undefined {
  try {
    return fingerprint(certificate.publicKey);
  } catch {
    // OpenSSL's words about a stranger's key say nothing that a person could act on.
    return undefined;
  }
}

function isSelfSigned(certificate: X509Certificate): boolean {
  try {
    return certificate.verify(certificate.publicKey);
  } catch {
    // A signature of a kind that does not go with the key.
    return false;
  }
}
