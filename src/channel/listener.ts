import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { AddressInUseError, InvalidArgumentError, type LonghaulError } from '../errors.js';
import { integerOption } from '../options.js';
import { formatAddress } from './address.js';

export interface ListenerOptions {
  host: string;
  /** 0 takes a free one, see `port`. */
  port: number;
  /** Sockets at the same time; further ones are closed at once: default 64. */
  connectionsMax?: number;
}

/** Accepts sockets, up to a limit, and hands each to its owner. The time for a handshake is the connection's to keep. */
export class Listener {
  readonly host: string;
  readonly port: number;
  readonly #server: Server;
  readonly #sockets: Set<Socket>;
  #closing: Promise<void> | undefined;

  private constructor(server: Server, sockets: Set<Socket>) {
    const { address, port } = server.address() as AddressInfo;
    this.host = address;
    this.port = port;
    this.#server = server;
    this.#sockets = sockets;
  }

  static open(options: ListenerOptions, onSocket: (socket: Socket) => void): Promise<Listener> {
    const { host, port } = options;
    const bounds = { min: 1, max: 65_535, default: 64 };
    const connectionsMax = integerOption('connectionsMax', options.connectionsMax, bounds);
    integerOption('port', port, { min: 0, max: 65_535, default: 0 });
    const sockets = new Set<Socket>();
    const server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
      // Before anything else: an error without a listener would end the process.
      socket.on('error', () => socket.destroy());
      if (sockets.size >= connectionsMax) {
        socket.destroy();
        return;
      }
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
      onSocket(socket);
    });
    return new Promise((resolve, reject) => {
      server.once('error', (error: NodeJS.ErrnoException) => reject(listenError(error, host, port)));
      server.listen({ host, port }, () => {
        // From here on an error is a socket that could not be accepted (no descriptors left): the next one may be.
        server.removeAllListeners('error');
        server.on('error', () => {});
        resolve(new Listener(server, sockets));
      });
    });
  }

  get connections(): number {
    return this.#sockets.size;
  }

  /** Listens no more and destroys the sockets that are left; resolves when all are gone. */
  close(): Promise<void> {
    this.#closing ??= new Promise((resolve) => {
      this.#server.close(() => resolve());
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
