import { isIPv6, type Socket } from 'node:net';

/**
 * Sockets that have not yet proved who they are, a bounded number of them.
 *
 * When there is no room for another one, the oldest goes of the source that has the most: refusing the newest would let
 * a few silent sockets keep everybody out until they are timed out, and dropping the oldest of all would let one source
 * that connects quickly push out a peer in the middle of its handshake. This way a source competes with itself. One that
 * shares its address with a flood gets through as long as its handshake takes less time than the flood needs for `max`
 * connections. An IPv6 network of 64 bits counts as one source, because that is what one machine is given.
 */
export class Strangers {
  readonly #max: number;
  /** By source, the oldest first. */
  readonly #sources = new Map<string, Set<Socket>>();
  #size = 0;

  constructor(max: number) {
    this.#max = max;
  }

  get size(): number {
    return this.#size;
  }

  /** Adds one, and gives the one that has to make room for it. */
  add(socket: Socket): Socket | undefined {
    const displaced = this.#size < this.#max ? undefined : this.#oldestOfTheMost();
    if (displaced !== undefined) this.delete(displaced.socket, displaced.source);
    const source = sourceOf(socket.remoteAddress);
    const sockets = this.#sources.get(source) ?? new Set();
    sockets.add(socket);
    this.#sources.set(source, sockets);
    this.#size++;
    return displaced?.socket;
  }

  /** Takes one out; the source is that of the time when it was added, which a closed socket does not tell any more. */
  delete(socket: Socket, source: string): boolean {
    const sockets = this.#sources.get(source);
    if (!sockets?.delete(socket)) return false;
    if (sockets.size === 0) this.#sources.delete(source);
    this.#size--;
    return true;
  }

  *[Symbol.iterator](): Generator<Socket> {
    for (const sockets of this.#sources.values()) yield* sockets;
  }

  #oldestOfTheMost(): { source: string; socket: Socket } | undefined {
    let most: { source: string; sockets: Set<Socket> } | undefined;
    for (const [source, sockets] of this.#sources) {
      if (most === undefined || sockets.size > most.sockets.size) most = { source, sockets };
    }
    const [socket] = most?.sockets ?? [];
    return most === undefined || socket === undefined ? undefined : { source: most.source, socket };
  }
}

/** The address, or of IPv6 the network of 64 bits. */
export function sourceOf(address = ''): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined || !isIPv6(address)) return mapped ?? address;
  const [head = '', tail] = address.replace(/%.*$/, '').split('::');
  const groups = head === '' ? [] : head.split(':');
  const behind = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? [] : Array.from({ length: 8 - groups.length - behind.length }, () => '0');
  return [...groups, ...zeros, ...behind].slice(0, 4).join(':');
}
