import { byteLengthOf } from '../engine/bytes.js';
import { ClosedError, ConnectionLostError, InvalidArgumentError, LonghaulError, ProtocolError } from '../errors.js';
import { integerOption, MIB, type Priority } from '../options.js';
import type { BackgroundStatus } from './background-window.js';
import { type Clock, systemClock } from './clock.js';
import type { Connection } from './connection.js';
import { decodeEnd, encodeEnd } from './end.js';
import type { Frame } from './frame.js';
import type { Message } from './incoming.js';
import { CONTROL_BODY_BYTES_MAX, CONTROL_BYTES_MAX, CONTROL_FRAMES_MAX, laneOf, MESSAGE_BYTES_MAX } from './lanes.js';
import { Member, type MemberHost, type MemberRole } from './member.js';
import { Members } from './members.js';
import { FrameType } from './messages.js';
import type { OutgoingFrame } from './outgoing.js';
import { SessionLanes } from './session-lanes.js';
import { decodeWindow } from './window.js';
import { WINDOW_BYTES_MIN } from './window-size.js';

export interface ChannelOptions {
  /** The connection over which the two nodes greet each other. */
  lead: Connection;
  /** Default: that of the first path. */
  role?: MemberRole;
  /** Gets every message, each lane for itself in order; the next one of a lane comes when its promise has resolved. */
  onMessage: (message: Message) => void | Promise<void>;
  /** What may be on its way from the peer and not handled, and to it and not confirmed: 1 MiB to 1 GiB, default 64 MiB. */
  windowBytesMax?: number;
  /** What is sent in the background takes only what others leave of the line: default `normal`. */
  priority?: Priority;
  /** The peer has ended its side, and what it sent was handled; after this, what is queued goes out and this side ends too. */
  onPeerEnd?: () => void;
  /** How long `end` waits while nothing moves: default 5000. */
  endTimeoutMs?: number;
  clock?: Clock;
}

export const WINDOW_BYTES_MAX = { min: MIB, max: 1024 * MIB, default: 64 * MIB };
/** Connections of one channel, over all its paths. */
export const MEMBERS_MAX = 128;
/** Connections that a session no longer needs may take this long to end. */
const LINGER_MS = 1000;
/** Messages that wait to be sent; more of them than this means that someone does not wait for his turn. */
export const WAITING_MESSAGES_MAX = 1024;

/**
 * Everything between two nodes while a session lasts: messages in two lanes each way, over any number of connections.
 *
 * Before `begin` it has one connection, the lead, and what is sent and comes in is between the two ends of that: the
 * greeting. From then on each message of a lane is cut into frames that go over whichever connection has room, and put back
 * together in order. A frame whose connection fails or stalls is sent again over another. `end` sends what is queued and ends
 * every connection; `closed` tells how it went, once everything received was handled.
 */
export class Channel implements MemberHost {
  /** Goes into the header of what is sent from here on. */
  generation = 0;
  readonly peer: string;
  /** The id that the peer has proved; undefined where nothing was to be proved. */
  readonly peerId: string | undefined;
  /** Why the channel is over: undefined after an orderly end of both sides. Never rejects. */
  readonly closed: Promise<LonghaulError | undefined>;

  readonly #o: ChannelOptions;
  readonly #clock: Clock;
  readonly #windowBytesMax: number;
  readonly #endTimeoutMs: number;
  readonly #members = new Members();
  #lanes: SessionLanes | undefined;
  #session = 0n;
  #priority: Priority;
  /** What the newest frame came over. */
  #newest: Member | undefined;
  #ending = false;
  #saidEnd = false;
  #over = false;
  #reason: LonghaulError | undefined;
  /** A connection came to an orderly end. */
  #endedWell = false;
  /** Why the last connection that failed did so. */
  #failure: LonghaulError | undefined;
  #settleClosed!: (reason: LonghaulError | undefined) => void;
  readonly #awaitMove: (() => void)[] = [];

  constructor(options: ChannelOptions) {
    const { lead, clock = systemClock } = options;
    this.#o = options;
    this.#clock = clock;
    this.peer = lead.peer;
    this.peerId = lead.peerId;
    this.#windowBytesMax = integerOption('windowBytesMax', options.windowBytesMax, WINDOW_BYTES_MAX);
    this.#priority = options.priority ?? 'normal';
    const bounds = { min: 1, max: 600_000, default: 5000 };
    this.#endTimeoutMs = integerOption('endTimeoutMs', options.endTimeoutMs, bounds);
    this.closed = new Promise((resolve) => {
      this.#settleClosed = resolve;
    });
    this.#enter(new Member(lead, options.role ?? { path: 0, spare: false }, this, clock.now()));
  }

  /** What the peer may send before it is granted more. */
  get windowBytes(): number {
    return Math.min(WINDOW_BYTES_MIN, this.#windowBytesMax);
  }

  /** Identifies the session; 0 before `begin`. */
  get session(): bigint {
    return this.#session;
  }

  /** The connections that are up, those of spare paths included. */
  get members(): Iterable<Member> & { readonly size: number } {
    return this.#members;
  }

  /** Of the fastest connection, smoothed; undefined until a heartbeat came back. */
  get roundTripMs(): number | undefined {
    return this.#members.least((connection) => connection.roundTripMs);
  }

  get roundTripMinMs(): number | undefined {
    return this.#members.least((connection) => connection.roundTripMinMs);
  }

  /** From now on. */
  set priority(priority: Priority) {
    this.#priority = priority;
    if (this.#lanes !== undefined) this.#lanes.priority = priority;
  }

  /** In the background, what it takes and leaves at present; undefined otherwise, and until something was measured. */
  get yields(): BackgroundStatus | undefined {
    return this.#lanes?.yields;
  }

  /** Bytes on the wire, of all connections that the channel has had; they only grow, and are final after `closed`. */
  get wire(): { bytesSent: number; bytesReceived: number } {
    return this.#members.wire;
  }

  /** Bytes of frames handed to sockets. */
  get framesBytes(): { data: { sent: number }; control: { sent: number } } {
    return this.#members.framesBytes;
  }

  /** What TLS adds to the frames. */
  get securityBytesSent(): number {
    return this.#members.securityBytesSent;
  }

  /** Bytes of bodies that were confirmed. */
  get arrivedBytes(): number {
    return this.#lanes?.arrivedBytes ?? 0;
  }

  /** Bytes of data that wait to go out, and that are out and not confirmed; and whether the peer's credit is used up. */
  get backlog(): { waitingBytes: number; unconfirmedBytes: number; isHeldBack: boolean } {
    const { waitingBytes = 0, unconfirmedBytes = 0, isHeldBack = false } = this.#lanes?.out.data ?? {};
    return { waitingBytes, unconfirmedBytes, isHeldBack };
  }

  /** The peer is what it should be: from now on frames may have their full size. */
  established(): void {
    for (const { connection } of this.#members) connection.established();
  }

  /** The two ends agree: from now on there are lanes, and further connections may join. */
  begin(session: bigint, peerWindowBytes: number): void {
    if (this.#lanes !== undefined || this.#over) return;
    this.#session = session;
    this.#lanes = this.#openLanes(session, peerWindowBytes);
    for (const member of this.#members) member.connection.carry(member);
  }

  /** Whether another connection may join. */
  get hasPlace(): boolean {
    // Without any connection it is about to be over, and waits only for what it has received to be handled.
    const isUp = !this.#over && !this.#ending && this.#members.size > 0;
    return isUp && this.#lanes !== undefined && this.#members.size < MEMBERS_MAX;
  }

  /** Takes another connection in, whose peer has proved that it belongs to the session. Undefined when there are enough. */
  add(connection: Connection, role: MemberRole): Member | undefined {
    if (!this.hasPlace) return undefined;
    const member = new Member(connection, role, this, this.#clock.now());
    this.#enter(member);
    connection.established();
    connection.carry(member);
    return member;
  }

  /** Lets a connection end once it has sent what it carries. */
  retire(member: Member): void {
    member.retiring = true;
    void member.connection.end();
  }

  /**
   * Sends a message of the data lane. Resolves when the last of it is with a connection; rejects when the channel is over
   * first. Several parts make one body, which must stay as it is until `done` is called: when it has arrived, if ever.
   */
  send(type: number, body: Uint8Array | Uint8Array[], done?: () => void): Promise<void> {
    const sent = this.#send(type, Array.isArray(body) ? body : [body], done);
    // `closed` tells the reason too, so a caller that does not look here is no reason to end its process.
    sent.catch(() => {});
    return sent;
  }

  /**
   * Sends a small message ahead of all data that has not begun, or a frame of the connection, for types that belong to that.
   * With `replace`, it takes the place of one of the same type that still waits. Without effect once the channel is ending.
   */
  sendControl(type: number, body: Uint8Array, { replace = false }: { replace?: boolean } = {}): void {
    if (this.#over || this.#ending) return;
    if (laneOf(type) === undefined) {
      this.#members.inOrder()[0]?.connection.sendControl(type, body, { replace });
      return;
    }
    // One of the other lane would take a number that the peer looks for there.
    if (laneOf(type) !== 'control')
      throw new InvalidArgumentError('control message', type, 'a type of that lane; use send');
    if (body.byteLength > CONTROL_BODY_BYTES_MAX) {
      throw new InvalidArgumentError('control message', body, `at most ${CONTROL_BODY_BYTES_MAX} bytes; use send`);
    }
    const lane = this.#lanes?.out.control;
    const message = { type, generation: this.generation, parts: [body] };
    if (lane === undefined || (replace && lane.replace(message))) return;
    const bytes = lane.waitingBytes + lane.unconfirmedBytes + body.byteLength;
    if (lane.messages + lane.unconfirmedFrames >= CONTROL_FRAMES_MAX || bytes > CONTROL_BYTES_MAX) {
      this.destroy(new ConnectionLostError(this.peer, 'it does not read, and too many control messages wait for it'));
      return;
    }
    lane.push({ ...message, settle: () => {} });
    this.#pump();
  }

  /** Sends what is queued, then ends this side and waits for the other. Resolves with `closed`, however it went. */
  async end(): Promise<void> {
    if (!this.#ending && !this.#over) {
      this.#ending = true;
      const unsent = () => this.backlog.waitingBytes + this.backlog.unconfirmedBytes;
      const limit = this.#limit(unsent, 'it took nothing');
      while (!this.#over && !this.#isFlushed() && !this.#isStuck()) await this.#move();
      limit.stop();
      if (!this.#isFlushed()) this.destroy(new ConnectionLostError(this.peer, 'it ended before it took everything'));
      this.#lanes?.confirmation.conclude();
      this.#sayEnd();
      this.#endMembers();
    }
    await this.closed;
  }

  /** Ends at once; what is queued is lost. No callback comes after this. */
  destroy(reason: LonghaulError): void {
    if (this.#over) return;
    this.#stop(reason);
    for (const { connection } of this.#members) connection.destroy(reason);
    if (this.#members.size === 0) this.#settleClosed(reason);
  }

  // ---- what members ask ----------------------------------------------------------------------------------------------

  waitingBytesFor(member: Member): number {
    const out = this.#lanes?.out;
    if (out === undefined || !this.#members.isBest(member)) return 0;
    const control = out.control.isReady ? out.control.waitingBytes + 1 : 0;
    return control + (out.data.isReady ? out.data.waitingBytes + 1 : 0);
  }

  takeFor(member: Member, bodyBytesMax: number): OutgoingFrame | undefined {
    const lanes = this.#lanes;
    if (lanes === undefined || !this.#members.isBest(member)) return undefined;
    const { control, data } = lanes.out;
    const frame = control.take(member, CONTROL_BODY_BYTES_MAX) ?? data.take(member, bodyBytesMax);
    // Also without one: what had to go again may have arrived meanwhile.
    if (this.#ending) this.#moved();
    if (frame === undefined) return undefined;
    member.underWayBytes += frame.bodyLength;
    lanes.stalls.watch();
    return frame;
  }

  roomMade(): void {
    this.#pump();
  }

  acceptFrom(member: Member, frame: Frame): void {
    if (this.#over) return;
    const lane = laneOf(frame.type);
    const lanes = this.#lanes;
    if (lanes === undefined || lane === undefined || frame.session !== this.#session) {
      const { type, session } = frame;
      const expected = `frames of the lanes of session ${this.#session.toString(16)}`;
      throw new ProtocolError(`a frame of type ${type} and session ${session.toString(16)}`, expected);
    }
    member.checkOrder(lane, frame);
    this.#newest = member;
    const isNew = lanes.in[lane].accept(frame);
    lanes.confirmation.due(isNew && lane === 'data' ? frame.bodyLength : 0);
  }

  endedBy(member: Member): void {
    member.retiring = true;
    // One that is dead without knowing it would take what this end still has to say.
    if (this.#lanes?.peerIsDone === true) for (const other of this.#members) other.retiring = true;
    this.#moved();
    if (this.#members.hasUsable) void member.connection.end();
    // At the end of the session what came in is handled before the answer, as it may bring forth more to send.
    else void this.#handled().then(() => this.#answerEnd());
  }

  #answerEnd(): Promise<void> {
    if (!this.#over) this.#o.onPeerEnd?.();
    return this.end();
  }

  // ---- the way out ---------------------------------------------------------------------------------------------------

  #openLanes(session: bigint, peerWindowBytes: number): SessionLanes {
    return new SessionLanes({
      clock: this.#clock,
      members: this.#members,
      session,
      priority: this.#priority,
      peerWindowBytes,
      windowBytes: this.windowBytes,
      windowBytesMax: this.#windowBytesMax,
      onMessage: (message) => this.#o.onMessage(message),
      onError: (error) => this.#fail(error),
      onMove: () => this.#moved(),
      onStall: (member) => this.#onStall(member),
      tell: (body) => this.#tell(body),
    });
  }

  #send(type: number, parts: Uint8Array[], done: (() => void) | undefined): Promise<void> {
    const lane = this.#lanes?.out.data;
    if (this.#over || this.#ending || lane === undefined) {
      return Promise.reject(this.#reason ?? new ClosedError(`the channel with ${this.peer}`));
    }
    const bytes = byteLengthOf(parts);
    if (bytes > MESSAGE_BYTES_MAX) {
      return Promise.reject(new InvalidArgumentError('bytes of a message', bytes, `at most ${MESSAGE_BYTES_MAX}`));
    }
    if (lane.messages >= WAITING_MESSAGES_MAX) {
      return Promise.reject(
        new InvalidArgumentError('messages waiting to be sent', WAITING_MESSAGES_MAX, 'each send awaited'),
      );
    }
    return new Promise((resolve, reject) => {
      const settle = (error?: unknown) => (error === undefined ? resolve() : reject(error));
      lane.push({ type, generation: this.generation, parts, settle, done });
      this.#pump();
    });
  }

  /** Has connections with room take what there is. */
  #pump(): void {
    const out = this.#lanes?.out;
    if (out === undefined) return;
    // One frame at a time, so that what comes together goes side by side and not one after the other.
    while (out.control.isReady || out.data.isReady) {
      if (!this.#members.byLoad().some(({ connection }) => connection.offer())) return;
    }
  }

  /**
   * Sends a WINDOW. Nothing shows that one got lost on a connection that is dead without knowing it, so it goes where the peer's
   * frames come from, and over another connection, of another path if there is one.
   */
  #tell(body: Buffer): void {
    const usable = this.#members.inOrder().filter(({ isUsable }) => isUsable);
    const newest = this.#newest?.isUsable === true ? this.#newest : usable[0];
    const others = usable.filter((member) => member !== newest);
    const other = others.find(({ path }) => path !== newest?.path) ?? others[0];
    for (const member of [newest, other]) member?.connection.sendControl(FrameType.window, body, { replace: true });
  }

  /** Others carry what it carried, if there are any that can. */
  #onStall(member: Member): void {
    if (!this.#members.some((other) => other !== member && other.isUsable && !other.stalled)) return;
    member.stalled = true;
    member.connection.beat();
    this.#release(member);
  }

  #release(member: Member): void {
    const lanes = this.#lanes;
    if (lanes === undefined) return;
    member.underWayBytes = 0;
    lanes.out.data.release(member);
    lanes.out.control.release(member);
    // A word about what has arrived may be lost with it.
    lanes.confirmation.due(0);
    this.#pump();
  }

  // ---- the way in ----------------------------------------------------------------------------------------------------

  #onFrame(frame: Frame): void | Promise<void> {
    const lanes = this.#lanes;
    const isOfLane = laneOf(frame.type) !== undefined;
    if (frame.type === FrameType.end && lanes !== undefined) return lanes.onPeerEnd(decodeEnd(frame.body));
    if (frame.type !== FrameType.window && (lanes === undefined || !isOfLane)) return this.#o.onMessage(frame);
    if (lanes === undefined || isOfLane) {
      throw new ProtocolError(`a frame of type ${frame.type} and session 0`, 'its place, in a lane or on a connection');
    }
    const { dataNext, controlNext, creditBytes, arrived } = decodeWindow(frame.body);
    lanes.out.data.confirm(dataNext, arrived);
    lanes.out.control.confirm(controlNext);
    lanes.out.data.grant(creditBytes);
    this.#pump();
  }

  // ---- connections come and go ---------------------------------------------------------------------------------------

  #enter(member: Member): void {
    this.#members.add(member);
    member.connection.onFrame = (frame) => this.#onFrame(frame);
    void member.connection.closed.then((reason) => this.#leave(member, reason));
  }

  #leave(member: Member, reason: LonghaulError | undefined): void {
    this.#members.delete(member);
    if (reason !== undefined && !this.#over) {
      this.#failure = reason;
      this.#release(member);
    }
    // An orderly end may have been that of something between the two ends: what was said last is said again.
    if (reason === undefined && !this.#over) {
      this.#endedWell = true;
      this.#lanes?.confirmation.due(0);
      if (this.#isDone()) this.#dropStalled();
      if (this.#saidEnd) this.#endMembers();
    }
    this.#moved();
    if (this.#members.size > 0) return;
    if (this.#over) this.#settleClosed(this.#reason);
    else void this.#conclude(reason);
  }

  /** The last connection is gone. */
  async #conclude(reason: LonghaulError | undefined): Promise<void> {
    const heldBytes = () => this.#lanes?.heldBytes ?? 0;
    // Who is to end does not wait for a handler that may never get on.
    const limit = this.#ending ? this.#limit(heldBytes, 'nothing that it sent was handled') : undefined;
    if (reason === undefined) await this.#handled();
    limit?.stop();
    if (this.#over) return this.#settleClosed(this.#reason);
    const isWell = reason === undefined ? this.#isComplete() : this.#endedWell && this.#isDone();
    const why = isWell ? undefined : (reason ?? this.#failure ?? this.#cutShort());
    this.#stop(why);
    this.#settleClosed(why);
  }

  /** This side was to end, and the other has everything, or has ended and confirms no more. */
  #isDone(): boolean {
    const lanes = this.#lanes;
    const isConfirmed = lanes === undefined || lanes.isConfirmed || lanes.peerIsDone;
    return this.#ending && isConfirmed && this.#isComplete();
  }

  /** On each connection, as any of them may be the one that gets through. */
  #sayEnd(): void {
    this.#saidEnd = true;
    if (this.#lanes === undefined) return;
    const body = encodeEnd(this.#lanes.sent);
    for (const { connection } of this.#members) connection.sendControl(FrameType.end, body);
  }

  /** Once one has ended well, and nothing is left to be said, the others have little time for it. */
  #endMembers(): void {
    const isOver = this.#endedWell && this.#isDone() && this.#lanes?.peerIsDone === true;
    const limitMs = isOver ? LINGER_MS : undefined;
    for (const { connection } of this.#members) void connection.end(limitMs);
  }

  /** Connections that nothing gets through need not be waited for. */
  #dropStalled(): void {
    if (this.#members.some(({ stalled }) => !stalled)) return;
    const reason = new ConnectionLostError(this.peer, 'it did not answer, and the session is over');
    for (const { connection } of this.#members) connection.destroy(reason);
  }

  #isComplete(): boolean {
    return this.#isFlushed() && this.#lanes?.hasGap !== true;
  }

  #cutShort(): LonghaulError {
    return new ConnectionLostError(this.peer, 'it ended within a message');
  }

  #isFlushed(): boolean {
    return this.#lanes?.isFlushed !== false;
  }

  /** What is left takes credit, and there is nobody any more who could grant it. */
  #isStuck(): boolean {
    const isHeldBack = this.#lanes?.out.data.isHeldBack === true;
    return isHeldBack && !this.#members.some(({ peerEnded }) => !peerEnded);
  }

  /** Resolves when nothing that came in is being handled or waits for that. */
  async #handled(): Promise<void> {
    while (!this.#over && this.#lanes?.isHandling === true) await this.#move();
  }

  #move(): Promise<void> {
    return new Promise((resolve) => this.#awaitMove.push(resolve));
  }

  #moved(): void {
    for (const resolve of this.#awaitMove.splice(0)) resolve();
  }

  /** What is to be done may take as long as it gets on: what is left has to become less. */
  #limit(left: () => number, problem: string): { stop: () => void } {
    let before = left();
    let timer: unknown;
    const look = (): void => {
      timer = this.#clock.setTimeout(() => {
        const now = left();
        if (now >= before) {
          this.destroy(new ConnectionLostError(this.peer, `${problem} for ${this.#endTimeoutMs} ms`));
          return;
        }
        before = now;
        look();
      }, this.#endTimeoutMs);
    };
    look();
    return { stop: () => this.#clock.clearTimeout(timer) };
  }

  #fail(error: unknown): void {
    const known = error instanceof LonghaulError;
    this.destroy(known ? error : new ConnectionLostError(this.peer, 'handling a message failed', error));
  }

  #stop(reason: LonghaulError | undefined): void {
    this.#over = true;
    this.#reason = reason;
    this.#lanes?.stop(reason ?? new ClosedError(`the channel with ${this.peer}`));
    this.#moved();
  }
}
