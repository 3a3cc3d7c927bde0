import { ProtocolError } from '../errors.js';
import type { Connection, ConnectionOwner } from './connection.js';
import { FLAG_AGAIN, type Frame } from './frame.js';
import type { Lane } from './lanes.js';
import type { OutgoingFrame } from './outgoing.js';

/** What a member asks of its channel. */
export interface MemberHost {
  waitingBytesFor(member: Member): number;
  takeFor(member: Member, bodyBytesMax: number): OutgoingFrame | undefined;
  acceptFrom(member: Member, frame: Frame): void;
  roomMade(): void;
  endedBy(member: Member): void;
}

export interface MemberRole {
  /** Which of the sender's paths it takes, counted from 0. */
  path: number;
  /** Carries nothing as long as a connection of another path can. */
  spare: boolean;
}

/** One connection of a channel, and how it does. */
export class Member implements ConnectionOwner {
  readonly connection: Connection;
  readonly path: number;
  readonly spare: boolean;
  /** What it carried was given to others; it carries nothing new until its peer answers again. */
  stalled = false;
  /** It is about to end, and carries nothing new. */
  retiring = false;
  /** The peer has ended it, and everything that came over it was handled. */
  peerEnded = false;
  /** Bytes of bodies that it carried and that have arrived. */
  arrivedBytes = 0;
  /** Bytes of bodies that it carries and that are not confirmed. */
  underWayBytes = 0;
  /** When something that it carried was confirmed last. */
  progressAtMs: number;
  readonly #host: MemberHost;
  /** The newest frame of each lane that came over it for the first time. */
  readonly #newest: Record<Lane, number> = { data: -1, control: -1 };

  constructor(connection: Connection, role: MemberRole, host: MemberHost, nowMs: number) {
    this.connection = connection;
    this.path = role.path;
    this.spare = role.spare;
    this.#host = host;
    this.progressAtMs = nowMs;
  }

  /** Whether it may carry more, as far as it is concerned. */
  get isUsable(): boolean {
    return this.connection.isOpen && !this.retiring;
  }

  /** Those with the lowest rank carry; the others wait until there is none of these. */
  get rank(): number {
    return (this.stalled ? 2 : 0) + (this.spare ? 1 : 0);
  }

  get waitingBytes(): number {
    return this.#host.waitingBytesFor(this);
  }

  take(bodyBytesMax: number): OutgoingFrame | undefined {
    return this.#host.takeFor(this, bodyBytesMax);
  }

  onRoom(): void {
    this.#host.roomMade();
  }

  accept(frame: Frame): void {
    this.#host.acceptFrom(this, frame);
  }

  answered(): void {
    if (!this.stalled) return;
    this.stalled = false;
    this.connection.wake();
  }

  ended(): void {
    this.peerEnded = true;
    this.#host.endedBy(this);
  }

  /** One connection keeps the order, so what comes out of it was played back. */
  checkOrder(lane: Lane, { frameNumber, flags }: Frame): void {
    if ((flags & FLAG_AGAIN) !== 0) return;
    const newest = this.#newest[lane];
    if (frameNumber <= newest) throw new ProtocolError(`frame ${frameNumber} once more`, `one after ${newest}`);
    this.#newest[lane] = frameNumber;
  }
}
