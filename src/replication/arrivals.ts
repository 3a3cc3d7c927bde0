import { Channel } from '../channel/channel.js';
import type { CongestionControl } from '../channel/congestion-control.js';
import { Connection } from '../channel/connection.js';
import type { Frame } from '../channel/frame.js';
import type { Message } from '../channel/incoming.js';
import { decodeJoin } from '../channel/join.js';
import { encodeRefusal, FrameType } from '../channel/messages.js';
import type { SecuredSocket } from '../channel/security.js';
import { SessionUnknownError } from '../errors.js';
import type { Session } from './session.js';

export interface ArrivalsOptions {
  congestionControl: CongestionControl;
  heartbeatMs: number;
  peerTimeoutMs: number;
  windowBytesMax: number;
  /** Those that have a channel. */
  sessions: () => ReadonlyMap<Session, Channel>;
  /** A sender greets; gives what takes its messages. */
  onGreeting: (channel: Channel) => (message: Message) => void | Promise<void>;
}

/** Connections that come to a receiver: the first frame tells whether it is a new session or belongs to one that runs. */
export class Arrivals {
  readonly #o: ArrivalsOptions;

  constructor(options: ArrivalsOptions) {
    this.#o = options;
  }

  take(secured: SecuredSocket): void {
    const { congestionControl, heartbeatMs, peerTimeoutMs } = this.#o;
    const onFrame = (frame: Frame) => this.#onFirst(connection, frame);
    const connection: Connection = new Connection({
      ...secured,
      peer: 'the sender',
      congestionControl,
      heartbeatMs,
      peerTimeoutMs,
      onFrame,
    });
  }

  #onFirst(connection: Connection, frame: Frame): void | Promise<void> {
    if (frame.type === FrameType.join) return this.#onJoin(connection, frame.body);
    let onMessage: (message: Message) => void | Promise<void> = () => {};
    const { windowBytesMax } = this.#o;
    const channel = new Channel({ lead: connection, windowBytesMax, onMessage: (message) => onMessage(message) });
    onMessage = this.#o.onGreeting(channel);
    return onMessage(frame);
  }

  #onJoin(connection: Connection, body: Buffer): void {
    const join = decodeJoin(body);
    for (const [session, channel] of this.#o.sessions()) {
      if (!session.admits(join) || connection.peerId !== channel.peerId || !channel.hasPlace) continue;
      connection.sendControl(FrameType.joined, Buffer.alloc(0));
      channel.add(connection, join);
      return;
    }
    const error = new SessionUnknownError(connection.peer);
    const { code, message, recoverable } = error;
    connection.sendControl(FrameType.refuse, encodeRefusal({ code, message, recoverable }));
    throw error;
  }
}
