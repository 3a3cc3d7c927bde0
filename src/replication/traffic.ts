import type { Channel } from '../channel/channel.js';
import type { StageCounts } from '../reduce/stages.js';

/** Bytes on the wire over all channels that a node has had with a peer, the running one included. */
export class Traffic {
  readonly #open = new Set<Channel>();
  #sent = 0;
  #received = 0;
  #data = 0;
  #control = 0;
  #security = 0;

  attach(channel: Channel): void {
    this.#open.add(channel);
  }

  detach(channel: Channel): void {
    if (!this.#open.delete(channel)) return;
    this.#sent += channel.wire.bytesSent;
    this.#received += channel.wire.bytesReceived;
    this.#data += channel.framesBytes.data.sent;
    this.#control += channel.framesBytes.control.sent;
    this.#security += channel.securityBytesSent;
  }

  get bytesSent(): number {
    return this.#sum(this.#sent, (channel) => channel.wire.bytesSent);
  }

  get bytesReceived(): number {
    return this.#sum(this.#received, (channel) => channel.wire.bytesReceived);
  }

  /** Bytes of frames that carry batches or answers. */
  get dataBytes(): number {
    return this.#sum(this.#data, (channel) => channel.framesBytes.data.sent);
  }

  /** Bytes of handshakes, heartbeats, acknowledgements and questions. */
  get controlBytes(): number {
    return this.#sum(this.#control, (channel) => channel.framesBytes.control.sent);
  }

  /** What TLS adds. */
  get securityBytes(): number {
    return this.#sum(this.#security, (channel) => channel.securityBytesSent);
  }

  #sum(closed: number, of: (channel: Channel) => number): number {
    return [...this.#open].reduce((sum, channel) => sum + of(channel), closed);
  }
}

/** What TLS puts on the wire beside the frames; no stage where there is none. */
export function securityStage({ securityBytes }: Traffic): StageCounts {
  return securityBytes === 0 ? {} : { tls: { bytesIn: 0, bytesOut: securityBytes, milliseconds: 0 } };
}
