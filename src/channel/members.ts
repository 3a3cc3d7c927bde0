import type { Connection } from './connection.js';
import type { Member } from './member.js';

/** The connections of a channel, and what they have carried together with those that are gone. */
export class Members implements Iterable<Member> {
  readonly #members = new Set<Member>();
  readonly #gone = { bytesSent: 0, bytesReceived: 0, data: 0, control: 0, security: 0 };

  [Symbol.iterator](): Iterator<Member> {
    return this.#members.values();
  }

  get size(): number {
    return this.#members.size;
  }

  add(member: Member): void {
    this.#members.add(member);
  }

  delete(member: Member): void {
    if (!this.#members.delete(member)) return;
    const { wire, framesBytes } = member.connection;
    this.#gone.bytesSent += wire.bytesSent;
    this.#gone.bytesReceived += wire.bytesReceived;
    this.#gone.data += framesBytes.data.sent;
    this.#gone.control += framesBytes.control.sent;
    this.#gone.security += member.connection.securityBytesSent;
  }

  /** Bytes on the wire. */
  get wire(): { bytesSent: number; bytesReceived: number } {
    let { bytesSent, bytesReceived } = this.#gone;
    for (const { connection } of this.#members) {
      const { wire } = connection;
      bytesSent += wire.bytesSent;
      bytesReceived += wire.bytesReceived;
    }
    return { bytesSent, bytesReceived };
  }

  /** Bytes of frames handed to sockets. */
  get framesBytes(): { data: { sent: number }; control: { sent: number } } {
    let { data, control } = this.#gone;
    for (const { connection } of this.#members) {
      data += connection.framesBytes.data.sent;
      control += connection.framesBytes.control.sent;
    }
    return { data: { sent: data }, control: { sent: control } };
  }

  get securityBytesSent(): number {
    let { security } = this.#gone;
    for (const { connection } of this.#members) security += connection.securityBytesSent;
    return security;
  }

  get hasUsable(): boolean {
    return this.some((member) => member.isUsable);
  }

  /** Those that carry, as long as one of them is there. */
  active(): Member[] {
    return [...this.#members].filter((member) => member.isUsable && member.rank === 0);
  }

  some(holds: (member: Member) => boolean): boolean {
    for (const member of this.#members) if (holds(member)) return true;
    return false;
  }

  /**
   * Whether a member is among the best that there are: of its rank or a lower one none is better. Where there is none to be
   * used, that is one that the peer has ended, as its end got through.
   */
  isBest(member: Member): boolean {
    if (!member.isUsable) return !this.hasUsable && (member.peerEnded || !this.some(({ peerEnded }) => peerEnded));
    return member.rank === 0 || !this.some((other) => other.isUsable && other.rank < member.rank);
  }

  /** Those that carry the least for how good they are come first, so that all that can carry have their part. */
  byLoad(): Member[] {
    return [...this.#members].sort(
      (a, b) => a.rank - b.rank || a.underWayBytes - b.underWayBytes || wayOf(a) - wayOf(b),
    );
  }

  /** Best first: by rank, and then those with the shortest way. */
  inOrder(): Member[] {
    return [...this.#members].sort(
      (a, b) => Number(b.isUsable) - Number(a.isUsable) || a.rank - b.rank || wayOf(a) - wayOf(b),
    );
  }

  /** The least of what the connections say; undefined when none of them says anything. */
  least(of: (connection: Connection) => number | undefined): number | undefined {
    let least: number | undefined;
    for (const { connection } of this.#members) {
      const value = of(connection);
      if (value !== undefined && (least === undefined || value < least)) least = value;
    }
    return least;
  }
}

const FAR_MS = 1e9;
const wayOf = ({ connection }: Member): number => connection.roundTripMs ?? FAR_MS;
