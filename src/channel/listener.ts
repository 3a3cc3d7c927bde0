import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { AddressInUseError, InvalidArgumentError, type LonghaulError } from '../errors.js';
import { integerOption } from '../options.js';
import { formatAddress } from './address.js';
import type { Clock } from './clock.js';
import { Reception } from './reception.js';
import { plainSecurity, type SecuredSocket, type Security } from './security.js';

/** Sockets that have not proved yet who they are. */
export const STRANGERS_MAX = { min: 1, max: 65_535, default: 64 };
const CONNECTIONS_MAX = { min: 1, max: 65_535, default: 256 };

export interface ListenerOptions {
  host: string;
  /** 0 takes a free one, see `port`. */
  port: number;
  /** Sockets at the same time; further ones are closed at once: default 256. */
  connectionsMax?: number;
  /** Sockets that have not proved yet who they are, counted apart from those that have: default 64. */
  strangersMax?: number;
  /** How they prove it: default not at all. */
  security?: Security;
  /** For that, from the moment that the socket is accepted: default 10000. */
  handshakeTimeoutMs?: number;
  clock?: Clock;
}

/**
 * Accepts sockets, up to a limit, and hands each to its owner, once it has proved who it is. The time for a handshake
 * above that is the connection's to keep.
 */
export class Listener {
  readonly host: string;
  readonly port: number;
  readonly #server: Server;
  readonly #sockets: Set<Socket>;
  readonly #reception: Reception | undefined;
  #closing: Promise<void> | undefined;

  private constructor(server: Server, sockets: Set<Socket>, reception: Reception | undefined) {
    const { address, port } = server.address() as AddressInfo;
    this.host = address;
    this.port = port;
    this.#server = server;
    this.#sockets = sockets;
    this.#reception = reception;
  }

  static open(options: ListenerOptions, onSocket: (secured: SecuredSocket) => void): Promise<Listener> {
    const { host, port, security = plainSecurity, ...rest } = options;
    const connectionsMax = integerOption('connectionsMax', options.connectionsMax, CONNECTIONS_MAX);
    const strangersMax = integerOption('strangersMax', options.strangersMax, STRANGERS_MAX);
    integerOption('port', port, { min: 0, max: 65_535, default: 0 });
    const sockets = new Set<Socket>();
    const reception = security.proves ? new Reception({ ...rest, security, strangersMax }) : undefined;
    const take = (secured: SecuredSocket): void => {
      const { wire } = secured;
      if (wire.destroyed) return;
      if (sockets.size >= connectionsMax) {
        // An end so soon could be taken for a verdict on who it is.
        if (security.proves) wire.resetAndDestroy();
        else wire.destroy();
        return;
      }
      sockets.add(wire);
      wire.once('close', () => sockets.delete(wire));
      onSocket(secured);
    };
    const server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
      // Before anything else: an error without a listener would end the process.
      socket.on('error', () => socket.destroy());
      if (reception === undefined) take({ socket, wire: socket, peerId: undefined });
      else void reception.enter(socket).then((secured) => secured !== undefined && take(secured));
    });
    return new Promise((resolve, reject) => {
      server.once('error', (error: NodeJS.ErrnoException) => reject(listenError(error, host, port)));
      server.listen({ host, port }, () => {
        // From here on an error is a socket that could not be accepted (no descriptors left): the next one may be.
        server.removeAllListeners('error');
        server.on('error', () => {});
        resolve(new Listener(server, sockets, reception));
      });
    });
  }

  get connections(): number {
    return this.#sockets.size;
  }

  /** How many have not proved yet who they are. */
  get strangers(): number {
    return this.#reception?.strangers ?? 0;
  }

  /** Listens no more and destroys the sockets that are left; resolves when all are gone. */
  close(): Promise<void> {
    this.#closing ??= new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#reception?.close();
      for (const socket of this.#sockets) socket.destroy();
    });
    return this.#closing;
  }
}

function listenError(error: NodeJS.ErrnoException, host: string, port: number): LonghaulError {
  if (error.code === 'EADDRINUSE') return new AddressInUseError(host, port, error);
  const given = formatAddress({ host, port });
  return new InvalidArgumentError(
    'listen',
    given,
    `an address of this machine that may be listened on (${error.code})`,
  );
}
