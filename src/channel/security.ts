import type { Socket } from 'node:net';
import type { ConnectionOptions, TlsOptions } from 'node:tls';
import type { Clock } from './clock.js';
import type { IdentityPair } from './identity.js';

/**
 * How a socket becomes one that frames may go through: as it is (loopback), under TLS with both ends known by the
 * fingerprint of their key (`IdentitySecurity`), or under TLS as the embedder's own options say (`OwnTlsSecurity`).
 */
export interface Security {
  /** Of this node, when it has an identity; otherwise the one that its state directory keeps. */
  readonly nodeId: string | undefined;
  /** Whether whoever connects is a stranger until it has proved who it is. */
  readonly proves: boolean;
  /** Takes the dialling side; rejects, with the socket destroyed, when the other is not what it should be. */
  client(raw: Socket, terms: ClientTerms): Promise<SecuredSocket>;
  /** Takes the accepting side in the same way. */
  server(raw: Socket, terms: ServerTerms): Promise<SecuredSocket>;
}

export interface SecuredSocket {
  /** What frames go through. */
  socket: Socket;
  /** The socket of the network, whose counters see every byte of the wire. */
  wire: Socket;
  /** The id that the other end has proved; undefined where nothing was to be proved. */
  peerId: string | undefined;
}

export interface ServerTerms {
  /** What the other end is called in messages. */
  peer: string;
  /** From now until the other end is known: default 10000. */
  timeoutMs?: number;
  clock?: Clock;
  signal?: AbortSignal;
}

export interface ClientTerms extends ServerTerms {
  host: string;
  /** The ids that may answer, in the place of those that the security was opened with. */
  allow?: readonly string[];
}

/** The part of the options of a `Sender` or a `Receiver` that says how their connections are secured. */
export interface SecurityOptions<Tls = ConnectionOptions | TlsOptions> {
  /**
   * Who this node is: the directory that `longhaul keygen` or `createIdentity` made, or key and certificate as PEM.
   * Connections are then TLS 1.3, and both ends have to name each other's id in `allow`. Needed unless every address is
   * loopback, or `tls` is given.
   */
  identity?: string | IdentityPair;
  /** The ids of the nodes that may be at the other end, 64 hexadecimal digits each; goes with `identity`. */
  allow?: readonly string[];
  /**
   * In the place of `identity`: options of `node:tls` with key, certificate and CA of your own. TLS 1.3 is always used,
   * both ends always need a certificate that the other's CA proves, and sessions are never resumed.
   */
  tls?: Tls;
}

/** Loopback, and nothing to prove. */
export const plainSecurity: Security = {
  nodeId: undefined,
  proves: false,
  client: (raw) => Promise.resolve({ socket: raw, wire: raw, peerId: undefined }),
  server: (raw) => Promise.resolve({ socket: raw, wire: raw, peerId: undefined }),
};
