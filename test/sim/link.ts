import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { Pipe } from './pipe.js';

export interface LinkOptions {
  /** Where each connection made to the link leads. */
  target: { host?: string; port: number };
  /** Capacity of each direction in bytes per second, all connections together. */
  rateBytesPerSecond: number;
  /** One-way delay in milliseconds; a round trip takes twice that. Default 0. */
  delayMs?: number;
  /**
   * What may wait in each direction for its turn to leave, in bytes; then the sources are paused. Default one
   * bandwidth-delay product (rate × round trip) and 256 KiB. Exceeded by at most one read (64 KiB) a connection. The
   * kernel's socket buffers on either side of the link come on top.
   */
  queueBytesMax?: number;
  /** Where to listen. Default 127.0.0.1 and any free port. */
  host?: string;
  port?: number;
}

/**
 * A thin, long line between two processes of this machine: a TCP relay on loopback that paces and delays bytes in each
 * direction. It emulates rate, delay and queue, not loss; connecting itself takes no time, and a target that does not
 * listen shows as a connection that is reset.
 */
export class EmulatedLink {
  /** The address to connect to instead of the target's. */
  readonly host: string;
  readonly port: number;
  readonly #target: { host: string; port: number };
  readonly #server: Server;
  readonly #connections = new Set<Connection>();
  readonly #forward: Direction;
  readonly #backward: Direction;
  #paused = false;

  static async open(o: LinkOptions): Promise<EmulatedLink> {
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true });
    server.listen(o.port ?? 0, o.host ?? '127.0.0.1');
    await once(server, 'listening');
    return new EmulatedLink(server, o);
  }

  private constructor(server: Server, o: LinkOptions) {
    const { address, port } = server.address() as AddressInfo;
    this.host = address;
    this.port = port;
    this.#target = { host: '127.0.0.1', ...o.target };
    this.#server = server;
    this.#forward = this.#direction(o);
    this.#backward = this.#direction(o);
    server.on('connection', (client) => this.#accept(client));
  }

  /** Bytes delivered to the target so far. */
  get forwardBytes(): number {
    return this.#forward.bytes;
  }

  /** Bytes delivered from the target so far. */
  get backwardBytes(): number {
    return this.#backward.bytes;
  }

  /** Destroys every connection at once, with all that was under way; new ones are accepted. */
  cut(): void {
    for (const connection of this.#connections) connection.destroy();
    this.#forward.pipe.clear();
    this.#backward.pipe.clear();
  }

  /** Becomes a black hole: connections stay open and new ones are accepted, but nothing arrives, no close either. */
  pause(): void {
    this.#paused = true;
    this.#forward.pipe.hold();
    this.#backward.pipe.hold();
    for (const connection of this.#connections) connection.flow();
  }

  /** Ends the pause; what waited arrives as much later as the pause took. */
  resume(): void {
    this.#paused = false;
    this.#forward.pipe.release();
    this.#backward.pipe.release();
    for (const connection of this.#connections) connection.start();
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.cut();
    await closed;
  }

  #direction(o: LinkOptions): Direction {
    const { rateBytesPerSecond, delayMs = 0 } = o;
    const queueBytesMax = o.queueBytesMax ?? (rateBytesPerSecond * 2 * delayMs) / 1000 + 256 * 1024;
    const onRoom = () => {
      for (const connection of this.#connections) connection.flow();
    };
    return {
      pipe: new Pipe({ rateBytesPerSecond, delayMs, queueBytesMax, onRoom }),
      quantumBytes: Math.max(1024, Math.round(rateBytesPerSecond / 1000)),
      bytes: 0,
    };
  }

  #accept(client: Socket): void {
    const connection = new Connection(client, this.#target, this.#forward, this.#backward, () =>
      this.#connections.delete(connection),
    );
    this.#connections.add(connection);
    if (!this.#paused) connection.start();
  }
}

interface Direction {
  readonly pipe: Pipe;
  /** The largest piece that is paced as one: a millisecond's worth, so that one read does not travel as one burst. */
  readonly quantumBytes: number;
  bytes: number;
}

/** A client's connection and the one to the target that belongs to it. */
class Connection {
  readonly #client: Socket;
  readonly #target: { host: string; port: number };
  readonly #forward: Direction;
  readonly #backward: Direction;
  readonly #onClose: () => void;
  #server: Socket | undefined;

  constructor(
    client: Socket,
    target: { host: string; port: number },
    forward: Direction,
    backward: Direction,
    onClose: () => void,
  ) {
    this.#client = client;
    this.#target = target;
    this.#forward = forward;
    this.#backward = backward;
    this.#onClose = onClose;
    // The 'close' that follows says all that the other side can be told.
    client.on('error', () => {});
    client.once('close', () => this.#closed());
  }

  /** Connects with the target, once. */
  start(): void {
    if (this.#server === undefined && !this.#client.destroyed) {
      const server = connect({ ...this.#target, allowHalfOpen: true, noDelay: true });
      this.#server = server;
      server.on('error', () => {});
      server.once('close', () => this.#closed());
      this.#relay(this.#client, server, this.#forward);
      this.#relay(server, this.#client, this.#backward);
    }
    this.flow();
  }

  /** Lets each side read as far as the link and the other side can take it. */
  flow(): void {
    if (this.#server === undefined) return;
    flow(this.#client, this.#server, this.#forward);
    flow(this.#server, this.#client, this.#backward);
  }

  destroy(): void {
    this.#client.resetAndDestroy();
    this.#server?.resetAndDestroy();
  }

  #relay(from: Socket, to: Socket, direction: Direction): void {
    const { pipe, quantumBytes } = direction;
    from.on('data', (data: Buffer) => {
      for (let start = 0; start < data.length; start += quantumBytes) {
        const piece = data.subarray(start, start + quantumBytes);
        pipe.send(piece.length, () => {
          if (to.destroyed) return;
          direction.bytes += piece.length;
          if (!to.write(piece)) flow(from, to, direction);
        });
      }
      if (pipe.full) this.flow();
    });
    to.on('drain', () => flow(from, to, direction));
    from.once('end', () => pipe.send(0, () => to.end()));
    from.once('close', (hadError) => {
      const orderly = from.readableEnded && !hadError;
      if (!orderly && !to.destroyed) pipe.send(0, () => to.resetAndDestroy());
    });
  }

  #closed(): void {
    if (this.#client.destroyed && (this.#server?.destroyed ?? true)) this.#onClose();
  }
}

function flow(from: Socket, to: Socket, { pipe }: Direction): void {
  if (pipe.full || to.writableNeedDrain) from.pause();
  else from.resume();
}
