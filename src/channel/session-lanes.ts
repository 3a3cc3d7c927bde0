import { type LonghaulError, ProtocolError } from '../errors.js';
import type { Priority } from '../options.js';
import { Background } from './background.js';
import type { BackgroundStatus } from './background-window.js';
import type { Clock } from './clock.js';
import { Confirmation } from './confirmation.js';
import { CongestionChoice } from './congestion-choice.js';
import type { End } from './end.js';
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
  priority: Priority;
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
  readonly #congestion: CongestionChoice;
  #window: InFlight | Background;
  /** What the peer has said about its end. */
  #peerEnd: End | undefined;

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
    this.#window = this.#openWindow(options.priority);
    this.out = this.#openOut();
    this.in = this.#openIn();
    this.confirmation = new Confirmation({ clock, incoming: this.in, windowBytesMax, roundTripMs, send });
    // With little under way nothing shows that a queue has grown but what takes longer because of it.
    const presentMs = () =>
      Math.max(roundTripMs() ?? 0, this.#window instanceof Background ? this.#window.roundTripMs : 0);
    const lanes = [this.out.data, this.out.control];
    this.stalls = new StallWatch({ clock, lanes, roundTripMs: presentMs, onStall });
  }

  /** What is learned of the line belongs to a priority, and is learned anew. */
  set priority(priority: Priority) {
    if ((priority === 'background') === this.#window instanceof Background) return;
    if (this.#window instanceof Background) this.#window.end();
    this.#window = this.#openWindow(priority);
  }

  /** What is left to others; undefined for a channel that is not in the background, and until something was measured. */
  get yields(): BackgroundStatus | undefined {
    return this.#window instanceof Background ? this.#window.yields : undefined;
  }

  /** How many frames of each lane there have been. */
  get sent(): End {
    return { dataFrames: this.out.data.next, controlFrames: this.out.control.next };
  }

  /** Whether everything has gone out, and whether it has arrived. */
  get isFlushed(): boolean {
    return this.out.data.isEmpty && this.out.control.isEmpty;
  }

  get isConfirmed(): boolean {
    return this.out.data.unconfirmedFrames + this.out.control.unconfirmedFrames === 0;
  }

  /** Whether something is missing before what came in, and whether some of that is being handled. */
  get hasGap(): boolean {
    return this.in.data.hasGap || this.in.control.hasGap;
  }

  get isHandling(): boolean {
    return this.in.data.isBusy || this.in.control.isBusy;
  }

  /** Bytes that came in and were not handled. */
  get heldBytes(): number {
    return this.in.data.heldBytes + this.in.control.heldBytes;
  }

  /** The peer has said that its side is over, and all that it has sent is here. */
  get peerIsDone(): boolean {
    const end = this.#peerEnd;
    return end !== undefined && this.in.data.next >= end.dataFrames && this.in.control.next >= end.controlFrames;
  }

  /** It says the same on each connection. */
  onPeerEnd(end: End): void {
    const { data, control } = this.in;
    const { dataFrames, controlFrames } = this.#peerEnd ?? end;
    const isSame = end.dataFrames === dataFrames && end.controlFrames === controlFrames;
    if (!isSame || data.next > dataFrames || control.next > controlFrames) {
      throw new ProtocolError(
        `an end after ${end.dataFrames} and ${end.controlFrames} frames`,
        `one end, after ${data.next} and ${control.next} at least`,
      );
    }
    this.#peerEnd = end;
  }

  /** Whoever waits hears the reason, and nothing goes out or comes in after this. */
  stop(reason: LonghaulError): void {
    this.stalls.stop();
    this.confirmation.stop();
    for (const lane of [this.out.data, this.out.control]) lane.close(reason);
    for (const lane of [this.in.data, this.in.control]) lane.stop();
  }

  #openWindow(priority: Priority): InFlight | Background {
    const { clock, members, windowBytesMax: bytesMax } = this.#o;
    const now = () => clock.now();
    if (priority === 'background') return new Background({ members, bytesMax, now });
    return new InFlight({ bytesMax, now, line: () => this.#measure() });
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
    const unconfirmedBytesMax = () => (members.hasUsable ? this.#window.bytes : windowBytesMax);
    const data = { creditBytes: peerWindowBytes, unconfirmedBytesMax, onFull: () => this.#window.full() };
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
      this.#window.note(bodyLength, elapsedMs, unconfirmedBytes + bodyLength);
      // In the background the window has its own pace.
      if (this.#window instanceof InFlight) this.#pacing.note(bodyLength, waitingBytes > 0);
    }
    if (member === undefined) return;
    member.underWayBytes -= bodyLength;
    member.arrivedBytes += bodyLength;
    member.progressAtMs = this.#o.clock.now();
    member.answered();
  }
}
