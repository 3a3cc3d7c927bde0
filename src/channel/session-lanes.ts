import type { Clock } from './clock.js';
import { Confirmation } from './confirmation.js';
import { CongestionChoice } from './congestion-choice.js';
import { FLAG_AGAIN } from './frame.js';
import { InFlight } from './in-flight.js';
import { IncomingLane, type Message } from './incoming.js';
import { CONTROL_BODY_BYTES_MAX, CONTROL_WINDOW_BYTES, type Lane, laneOf, MESSAGE_BYTES_MAX } from './lanes.js';
import { Line, type LineState } from './line.js';
import type { Member } from './member.js';
import type { Members } from './members.js';
import { type OutgoingFrame, OutgoingLane } from './outgoing.js';
import { Pacing } from './pacing.js';
import { StallWatch } from './stall-watch.js';

export interface SessionLanesOptions {
  clock: Clock;
  members: Members;
  session: bigint;
  /** What may be sent before the peer grants more. */
  peerWindowBytes: number;
  /** What the peer may send before it is granted more, and what it may at most. */
  windowBytes: number;
  windowBytesMax: number;
  onMessage: (message: Message) => void | Promise<void>;
  onError: (error: unknown) => void;
  /** A message was handled. */
  onMove: () => void;
  onStall: (member: Member) => void;
  /** Sends a WINDOW with this body. */
  tell: (body: Buffer) => void;
}

/** The lanes of a session in both directions, and what watches over them. */
export class SessionLanes {
  readonly out: Record<Lane, OutgoingLane<Member>>;
  readonly in: Record<Lane, IncomingLane>;
  readonly confirmation: Confirmation;
  readonly stalls: StallWatch;
  /** Bytes of bodies that were confirmed. */
  arrivedBytes = 0;
  readonly #o: SessionLanesOptions;
  readonly #line: Line;
  readonly #pacing: Pacing;
  readonly #inFlight: InFlight;
  readonly #congestion: CongestionChoice;

  constructor(options: SessionLanesOptions) {
    const { clock, members, windowBytesMax, tell: send, onStall } = options;
    const now = () => clock.now();
    const roundTripMs = () => members.least((connection) => connection.roundTripMs);
    const roundTripMinMs = () => members.least((connection) => connection.roundTripMinMs);
    this.#o = options;
    this.#line = new Line(members);
    this.#pacing = new Pacing({ members, now, roundTripMs: roundTripMinMs, loses: () => this.#line.loses });
    const apply = (loses: boolean) => {
      for (const { connection } of members) connection.suit(loses);
    };
    this.#congestion = new CongestionChoice({ now, apply });
    this.#inFlight = new InFlight({ bytesMax: windowBytesMax, now, line: () => this.#measure() });
    this.out = this.#openOut();
    this.in = this.#openIn();
    this.confirmation = new Confirmation({ clock, incoming: this.in, windowBytesMax, roundTripMs, send });
    this.stalls = new StallWatch({ clock, lanes: [this.out.data, this.out.control], roundTripMs, onStall });
  }

  #measure(): LineState | undefined {
    const state = this.#line.measure();
    if (state !== undefined) this.#congestion.note(state, this.#line.loses);
    return state;
  }

  #openOut(): Record<Lane, OutgoingLane<Member>> {
    const { clock, members, session, peerWindowBytes, windowBytesMax } = this.#o;
    const onArrived = (member: Member | undefined, frame: OutgoingFrame, elapsedMs: number) =>
      this.#onArrived(member, frame, elapsedMs);
    const all = { session, now: () => clock.now(), onArrived };
    const endless = { creditBytes: Number.POSITIVE_INFINITY, unconfirmedBytesMax: () => Number.POSITIVE_INFINITY };
    // Where the peer has ended nothing is confirmed any more.
    const unconfirmedBytesMax = () => (members.hasUsable ? this.#inFlight.bytes : windowBytesMax);
    const data = { creditBytes: peerWindowBytes, unconfirmedBytesMax, onFull: () => this.#inFlight.full() };
    return { data: new OutgoingLane({ ...all, ...data }), control: new OutgoingLane({ ...all, ...endless }) };
  }

  #openIn(): Record<Lane, IncomingLane> {
    const { onMessage, onError, onMove, windowBytes } = this.#o;
    const onProgress = () => {
      this.confirmation.due(0);
      onMove();
    };
    const all = { onMessage, onError, onProgress };
    const control = { messageBytesMax: CONTROL_BODY_BYTES_MAX, windowBytes: CONTROL_WINDOW_BYTES };
    return {
      data: new IncomingLane({ ...all, messageBytesMax: MESSAGE_BYTES_MAX, windowBytes }),
      control: new IncomingLane({ ...all, ...control }),
    };
  }

  #onArrived(member: Member | undefined, { type, flags, bodyLength }: OutgoingFrame, elapsedMs: number): void {
    this.arrivedBytes += bodyLength;
    if ((flags & FLAG_AGAIN) === 0 && laneOf(type) === 'data') {
      const { waitingBytes, unconfirmedBytes } = this.out.data;
      this.#inFlight.note(bodyLength, elapsedMs, unconfirmedBytes + bodyLength);
      this.#pacing.note(bodyLength, waitingBytes > 0);
    }
    if (member === undefined) return;
    member.underWayBytes -= bodyLength;
    member.arrivedBytes += bodyLength;
    member.progressAtMs = this.#o.clock.now();
    member.answered();
  }
}
