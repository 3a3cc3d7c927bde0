import { connect as connectTo, type Socket } from 'node:net';
import { AbortedError, LonghaulError } from '../errors.js';
import { Backoff } from './backoff.js';
import type { Path } from './bundle.js';
import type { CongestionControl } from './congestion-control.js';
import { Connection } from './connection.js';
import { dial } from './dial.js';
import type { MemberRole } from './member.js';
import type { RateLimit } from './rate-limit.js';
import type { SecuredSocket, Security } from './security.js';

export interface DialerOptions {
  /** The peer's name in messages. */
  peer: string;
  /** In the order in which they are tried. */
  paths: readonly Path[];
  security: Security;
  /** The ids that may answer, in the place of those that the security was opened with. */
  allow: readonly string[] | undefined;
  shaper: RateLimit;
  congestionControl: CongestionControl;
  heartbeatMs: number;
  peerTimeoutMs: number;
  /** Begins to connect over a path: default over the network. */
  connect?: Connect;
}

export type Connect = (path: Path) => Socket;

/** Where there is another path to try, one that does not answer is given this much time. */
const PATH_MS = 3000;

/** Makes connections with one peer over the paths that lead to it. */
export class Dialer {
  readonly #o: DialerOptions;

  constructor(options: DialerOptions) {
    this.#o = options;
  }

  /** Over one path, in one attempt. Nothing may come in before its owner has said where it goes. */
  open(path: Path, connectTimeoutMs: number, signal: AbortSignal): Promise<Connection> {
    return this.#open(path, connectTimeoutMs, signal, true);
  }

  /** Over the first path that can be had, those that are not spare first, again and again until the time is over. */
  async openAny(connectTimeoutMs: number, signal: AbortSignal): Promise<{ connection: Connection; role: MemberRole }> {
    const { paths } = this.#o;
    const order = [...paths.keys()].sort((a, b) => Number(paths[a]?.spare ?? false) - Number(paths[b]?.spare ?? false));
    const isOnly = order.length === 1;
    const begun = performance.now();
    const backoff = new Backoff();
    for (;;) {
      let problem: unknown;
      for (const index of order) {
        const path = paths[index] as Path;
        const leftMs = Math.max(1, Math.ceil(connectTimeoutMs - (performance.now() - begun)));
        try {
          const connection = await this.#open(path, isOnly ? leftMs : Math.min(PATH_MS, leftMs), signal, !isOnly);
          return { connection, role: { path: index, spare: path.spare ?? false } };
        } catch (error) {
          // Another path leads to the same node, which would refuse there too.
          if (error instanceof AbortedError || !(error instanceof LonghaulError) || !error.recoverable) throw error;
          problem = error;
        }
      }
      const pauseMs = backoff.next();
      if (isOnly || performance.now() - begun + pauseMs >= connectTimeoutMs) throw problem;
      await backoff.wait(signal, pauseMs);
    }
  }

  async #open(path: Path, connectTimeoutMs: number, signal: AbortSignal, once: boolean): Promise<Connection> {
    const { host, port } = path;
    const { peer, allow, security, connect = connectOver } = this.#o;
    const attempt = () => connect(path);
    const socket = await dial({ host, port, connectTimeoutMs, signal, attempt, once });
    const terms = { peer, host, signal, ...(allow === undefined ? {} : { allow }) };
    return this.#connection(await security.client(socket, terms));
  }

  #connection(secured: SecuredSocket): Connection {
    const { peer, shaper, congestionControl, heartbeatMs, peerTimeoutMs } = this.#o;
    const onFrame = () => {};
    return new Connection({
      ...secured,
      peer,
      congestionControl,
      heartbeatMs,
      peerTimeoutMs,
      onFrame,
      shaper,
    });
  }
}

export function connectOver({ host, port, localAddress }: Path): Socket {
  const from = localAddress === undefined ? {} : { localAddress };
  return connectTo({ host, port, noDelay: true, allowHalfOpen: true, ...from });
}
