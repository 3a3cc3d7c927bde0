import type { Connection } from '../channel/connection.js';
import type { StageCounts } from '../reduce/stages.js';

/** Bytes on the wire over all connections that a node has had with a peer, the running one included. */
export class Traffic {
  readonly #open = new Set<Connection>();
  #sent = 0;
  #received = 0;
  #data = 0;
  #control = 0;
  #security = 0;

  attach(connection: Connection): void {
    this.#open.add(connection);
  }

  detach(connection: Connection): void {
    if (!this.#open.delete(connection)) return;
    this.#sent += connection.wire.bytesSent;
    this.#received += connection.wire.bytesReceived;
    this.#data += connection.framesBytes.data.sent;
    this.#control += connection.framesBytes.control.sent;
    this.#security += connection.securityBytesSent;
  }

  get bytesSent(): number {
    return this.#sum(this.#sent, (connection) => connection.wire.bytesSent);
  }

  get bytesReceived(): number {
    return this.#sum(this.#received, (connection) => connection.wire.bytesReceived);
  }

  /** Bytes of frames that carry batches or answers. */
  get dataBytes(): number {
    return this.#sum(this.#data, (connection) => connection.framesBytes.data.sent);
  }

  /** Bytes of handshakes, heartbeats, acknowledgements and questions. */
  get controlBytes(): number {
    return this.#sum(this.#control, (connection) => connection.framesBytes.control.sent);
  }

  /** What TLS adds. */
  get securityBytes(): number {
    return this.#sum(this.#security, (connection) => connection.securityBytesSent);
  }

  #sum(closed: number, of: (connection: Connection) => number): number {
    return [...this.#open].reduce((sum, connection) => sum + of(connection), closed);
  }
}

/** What TLS puts on the wire beside the frames; no stage where there is none. */
export function securityStage({ securityBytes }: Traffic): StageCounts {
  return securityBytes === 0 ? {} : { tls: { bytesIn: 0, bytesOut: securityBytes, milliseconds: 0 } };
}
