import { Socket } from 'node:net';
import { kernels } from '../engine/engine.js';
import { ConnectionLostError, InvalidArgumentError, LonghaulError, ProtocolError } from '../errors.js';
import { integerOption, KIB, MIB, RATE_BYTES_PER_SECOND_MIN } from '../options.js';
import { type Clock, systemClock } from './clock.js';
import type { CongestionControl } from './congestion-control.js';
import {
  FRAME_BYTES_MAX_BEFORE_HANDSHAKE,
  FRAME_BYTES_MAX_DEFAULT,
  FRAME_PING,
  FRAME_PONG,
  type Frame,
} from './frame.js';
import { Heartbeat } from './heartbeat.js';
import { Inflow } from './inflow.js';
import { CONTROL_BODY_BYTES_MAX } from './lanes.js';
import { type FrameSource, Outbox } from './outbox.js';
import type { RateLimit } from './rate-limit.js';
import { pace, type TcpInfo, type TuningOptions, tcpInfo, tune } from './socket-tuning.js';

export interface ConnectionOptions {
  /** Connected, and from now on the connection's alone. */
  socket: Socket;
  /** The socket of the network beneath it, whose bytes are counted: default `socket` itself. */
  wire?: Socket;
  shaper?: RateLimit;
  /** How the system finds out how fast it may send: default `auto`. */
  congestionControl?: CongestionControl;
  /** The largest frame in either direction once established: default 1 MiB and a header. */
  frameBytesMax?: number;
  /** Default 2000. */
  heartbeatMs?: number;
  /** Silence for so long ends the connection: default 15000. */
  peerTimeoutMs?: number;
  /** The connection ends when `established` was not called by then: default 10000. */
  handshakeTimeoutMs?: number;
  /** How long `end` waits for the other side's end once everything is flushed: default 5000. */
  endTimeoutMs?: number;
  /** Gets every frame of the connection that is not a heartbeat, in order; the next one comes when its promise has resolved. */
  onFrame: FrameHandler;
  clock?: Clock;
  /** The id that the peer has proved. */
  peerId?: string | undefined;
  /** The peer's name in messages: default its address. */
  peer?: string;
}

/** On a long way a little is enough to keep the system busy; on a short one, less would cost processor time. */
const NOT_SENT_BYTES = { near: 64 * KIB, far: 16 * KIB };
const FAR_MS = 5;
/** Less than this is left to the garbage collector. */
const DISCARDED_BYTES_MIN = 4 * KIB;

export type FrameHandler = (frame: Frame) => void | Promise<void>;

/** What a session makes of a connection that it goes over. */
export interface ConnectionOwner extends FrameSource {
  /** Takes a frame of the session; a throw ends the connection. */
  accept(frame: Frame): void;
  /** The peer has answered a heartbeat. */
  answered(): void;
  /** The peer has ended its direction, and every frame of the connection was handled; the owner ends the other. */
  ended(): void;
}

/**
 * Frames over one socket, both ways, with heartbeats.
 *
 * `Inflow` has the way in and `Outbox` the way out; this class joins them with the heartbeat and the socket's life. By
 * itself it carries the frames of the connection; those of a session come from its owner and go to it. `end` sends what is
 * queued, then FIN, and waits for the peer's; a peer that ends first is answered in the same way. `closed` tells how it
 * went, once everything received was handled. An orderly end says nothing about the session above: a process that is
 * killed ends its sockets in the same way.
 */
export class Connection {
  readonly peer: string;
  /** The id that the peer has proved; undefined where nothing was to be proved. */
  readonly peerId: string | undefined;
  /** Why the connection is over: undefined after an orderly end of both sides. Never rejects. */
  readonly closed: Promise<LonghaulError | undefined>;

  readonly #socket: Socket;
  readonly #wire: Socket;
  readonly #clock: Clock;
  readonly #frameBytesMax: number;
  #owner: ConnectionOwner | undefined;
  #onFrame: FrameHandler;
  readonly #endTimeoutMs: number;
  #endLimitMs: number;
  readonly #inflow: Inflow;
  readonly #outbox: Outbox;
  readonly #heartbeat: Heartbeat;
  readonly #handshakeTimer: unknown;
  #endTimer: unknown;
  #settleClosed!: (reason: LonghaulError | undefined) => void;

  readonly #congestionControl: CongestionControl;
  /** As its congestion control takes it. */
  #lineLoses = true;
  #established = false;
  #isFar = false;
  #peerEnded = false;
  #allHandled = false;
  #ending = false;
  #finSent = false;
  #socketClosed = false;
  #over = false;
  #reason: LonghaulError | undefined;
  #bytesSent = 0;

  constructor(options: ConnectionOptions) {
    const { socket, clock = systemClock } = options;
    this.#socket = socket;
    this.#wire = options.wire ?? socket;
    this.#clock = clock;
    this.#frameBytesMax = integerOption('frameBytesMax', options.frameBytesMax, {
      min: FRAME_BYTES_MAX_BEFORE_HANDSHAKE,
      max: 64 * MIB,
      default: FRAME_BYTES_MAX_DEFAULT,
    });
    this.#endTimeoutMs = integerOption('endTimeoutMs', options.endTimeoutMs, { min: 1, max: 600_000, default: 5000 });
    this.#endLimitMs = this.#endTimeoutMs;
    const handshakeTimeoutMs = integerOption('handshakeTimeoutMs', options.handshakeTimeoutMs, {
      min: 1,
      max: 600_000,
      default: 10_000,
    });
    this.peer = options.peer ?? `${socket.remoteAddress}:${socket.remotePort}`;
    this.peerId = options.peerId;
    this.closed = new Promise((resolve) => {
      this.#settleClosed = resolve;
    });
    this.#onFrame = options.onFrame;
    this.#outbox = new Outbox({
      socket,
      shaper: options.shaper,
      now: () => clock.now(),
      overheadBytes: () => this.securityBytesSent,
    });
    this.#heartbeat = new Heartbeat({
      clock,
      heartbeatMs: options.heartbeatMs,
      peerTimeoutMs: options.peerTimeoutMs,
      ping: (body) => this.#control(FRAME_PING, body, true),
      lost: (silentMs) => this.destroy(new ConnectionLostError(this.peer, `silent for ${silentMs} ms`)),
    });
    this.#inflow = new Inflow({
      socket,
      onUsed: (chunk) => this.#discard(chunk),
      peer: this.peer,
      onFrame: (frame) => this.#onFrame(frame),
      onSessionFrame: (frame) => this.#accept(frame),
      onHeartbeat: (frame) => this.#onHeartbeat(frame),
      onReading: (reading) => {
        this.#heartbeat.listening = reading;
      },
      onEnd: () => this.#onEnd(),
      onError: (error) => this.#fail(error),
    });
    this.#handshakeTimer = clock.setTimeout(() => {
      this.destroy(new ConnectionLostError(this.peer, `no handshake within ${handshakeTimeoutMs} ms`));
    }, handshakeTimeoutMs);
    this.#listen();
    this.#congestionControl = options.congestionControl ?? 'auto';
    this.#tune({ congestionControl: this.#congestionControl, notSentLowatBytes: NOT_SENT_BYTES.near });
  }

  /** Smoothed; undefined until the first heartbeat came back. */
  get roundTripMs(): number | undefined {
    return this.#heartbeat.roundTripMs;
  }

  get roundTripMinMs(): number | undefined {
    return this.#heartbeat.roundTripMinMs;
  }

  /** What the socket itself counted; it only grows, and is final once `closed` has resolved. */
  get wire(): { bytesSent: number; bytesReceived: number } {
    this.#countSent();
    return { bytesSent: this.#bytesSent, bytesReceived: this.#wire.bytesRead };
  }

  /** What TLS adds to the frames: handshake, record headers and tags; 0 without. Exact whenever nothing is in between. */
  get securityBytesSent(): number {
    if (this.#wire === this.#socket) return 0;
    const { data, control } = this.#outbox.bytes;
    return Math.max(0, this.wire.bytesSent - data - control);
  }

  /**
   * Bytes of frames handed to the socket; together with `securityBytesSent` they are `wire.bytesSent` whenever nothing
   * is in between.
   */
  get framesBytes(): { data: { sent: number }; control: { sent: number } } {
    return { data: { sent: this.#outbox.bytes.data }, control: { sent: this.#outbox.bytes.control } };
  }

  /** Whether it is up and neither side is ending it. */
  get isOpen(): boolean {
    return !this.#over && !this.#ending && !this.#peerEnded;
  }

  /** What the system measured; undefined where it does not tell. */
  get tcpInfo(): TcpInfo | undefined {
    return this.#over ? undefined : tcpInfo(this.#wire);
  }

  /** Has the system send no faster than this, where it can; at least 1000 bytes per second. */
  pace(bytesPerSecond: number): void {
    this.#try(() => pace(this.#wire, Math.max(RATE_BYTES_PER_SECOND_MIN, bytesPerSecond)));
  }

  /** Takes the congestion control that suits the line, where the choice is its own: `loses` if packets are lost there. */
  suit(loses: boolean): void {
    if (this.#lineLoses === loses || this.#congestionControl !== 'auto') return;
    this.#lineLoses = loses;
    this.#tune({ congestionControl: 'auto', lineLoses: loses });
  }

  /** Asks for a sign of life out of turn. */
  beat(): void {
    this.#heartbeat.beat();
  }

  /** Where frames of the connection go from here on. */
  set onFrame(handler: FrameHandler) {
    this.#onFrame = handler;
  }

  /** The peer is what it should be: from now on frames may have their full size. */
  established(): void {
    if (this.#over || this.#established) return;
    this.#established = true;
    this.#clock.clearTimeout(this.#handshakeTimer);
    this.#inflow.admit(this.#frameBytesMax);
    this.#heartbeat.beat();
  }

  /** From now on it carries the frames of a session too. */
  carry(owner: ConnectionOwner): void {
    if (this.#over) return;
    this.#owner = owner;
    this.#outbox.source = owner;
    this.wake();
  }

  /** Sends one frame of its owner's, if there is room for it at once. */
  offer(): boolean {
    return !this.#over && !this.#finSent && this.#outbox.offer();
  }

  /** Sends what its owner has, as far as there is room for it. */
  wake(): void {
    if (!this.#over && !this.#finSent) this.#outbox.wake();
  }

  /**
   * Sends a frame of the connection, before all those of its session. With `replace`, it takes the place of one of the same
   * type that still waits. Without effect once the connection is ending.
   */
  sendControl(type: number, body: Uint8Array, { replace = false }: { replace?: boolean } = {}): void {
    if (body.byteLength > CONTROL_BODY_BYTES_MAX) {
      throw new InvalidArgumentError('control frame', body, `at most ${CONTROL_BODY_BYTES_MAX} bytes; use send`);
    }
    if (!this.#ending) this.#control(type, body, replace);
  }

  /**
   * Sends what is queued, then ends this side and waits for the other, `limitMs` while nothing moves (default
   * `endTimeoutMs`). Resolves with `closed`, however it went.
   */
  async end(limitMs: number = this.#endTimeoutMs): Promise<void> {
    if (!this.#ending && !this.#over) {
      this.#ending = true;
      this.#endLimitMs = limitMs;
      this.#outbox.source = undefined;
      this.#limitEnd(this.wire.bytesSent);
      // Heartbeats go on until the end, so what was empty may not be any more.
      while (!this.#outbox.isEmpty) await this.#outbox.untilEmpty();
      if (!this.#over) this.#sendFin();
    } else if (!this.#over && limitMs < this.#endLimitMs) {
      this.#endLimitMs = limitMs;
      this.#limitEnd(this.wire.bytesSent);
    }
    await this.closed;
  }

  /** Ends at once; what is queued is lost. No callback comes after this. */
  destroy(reason: LonghaulError): void {
    if (this.#over) return;
    this.#countSent();
    this.#over = true;
    this.#reason = reason;
    this.#stop();
    this.#socket.destroy();
    if (this.#socketClosed) this.#settleClosed(reason);
  }

  #control(type: number, body: Uint8Array, replace: boolean): void {
    if (this.#over || this.#finSent) return;
    if (this.#outbox.own(type, body, replace)) return;
    this.destroy(new ConnectionLostError(this.peer, 'it does not read, and too many control frames wait for it'));
  }

  /** What the system holds unsent is bounded: whatever waits there, nothing can overtake. */
  #tune(options: TuningOptions): void {
    this.#try(() => tune(this.#wire, options));
  }

  #try(setting: () => void): void {
    if (this.#over) return;
    try {
      setting();
    } catch (error) {
      this.#fail(error);
    }
  }

  #keepLittleUnsent(): void {
    if (this.#isFar || (this.roundTripMinMs ?? 0) < FAR_MS) return;
    this.#isFar = true;
    this.#tune({ congestionControl: 'system', notSentLowatBytes: NOT_SENT_BYTES.far });
  }

  #listen(): void {
    const socket = this.#socket;
    // Ending one direction must not cut the other: what is queued still has to go out.
    socket.allowHalfOpen = true;
    socket.setNoDelay(true);
    socket.setKeepAlive(true, 10_000);
    socket.on('data', (chunk: Buffer) => {
      this.#heartbeat.heard(chunk.byteLength);
      this.#inflow.push(chunk);
    });
    socket.on('end', () => {
      this.#peerEnded = true;
      this.#inflow.end();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.destroy(new ConnectionLostError(this.peer, error.code ?? error.message, error));
    });
    socket.on('close', () => {
      this.#socketClosed = true;
      this.#clock.clearTimeout(this.#endTimer);
      if (this.#over) this.#settleClosed(this.#reason);
      else if (this.#allHandled) this.#finish();
      else if (!this.#peerEnded) this.destroy(new ConnectionLostError(this.peer, 'the socket was closed'));
    });
    if (socket.destroyed) {
      this.#socketClosed = socket.closed;
      this.destroy(new ConnectionLostError(this.peer, 'it was closed already'));
    }
  }

  /** The peer has ended and all that it sent was handled: answer in the same way, or be done. */
  #onEnd(): void {
    this.#allHandled = true;
    if (this.#socketClosed) this.#finish();
    else if (this.#owner === undefined) void this.end();
    else this.#owner.ended();
  }

  #accept(frame: Frame): void {
    if (this.#owner === undefined) {
      throw new ProtocolError(
        `a frame of session ${frame.session.toString(16)}`,
        'frames of a session that it has joined',
      );
    }
    this.#owner.accept(frame);
  }

  /** Both sides have ended. */
  #finish(): void {
    this.#countSent();
    this.#over = true;
    this.#stop();
    this.#settleClosed(undefined);
  }

  #onHeartbeat({ type, body }: Frame): void {
    if (type === FRAME_PONG) {
      this.#heartbeat.answered(body);
      this.#keepLittleUnsent();
      this.#owner?.answered();
    } else if (body.byteLength === 8) this.#control(FRAME_PONG, body, true);
    else throw new ProtocolError(`PING of ${body.byteLength} bytes`, '8');
  }

  #fail(error: unknown): void {
    const known = error instanceof LonghaulError;
    this.destroy(known ? error : new ConnectionLostError(this.peer, 'handling a frame failed', error));
  }

  /** What a socket of the system has read is in memory of its own, which nobody else knows. */
  #discard(chunk: Buffer): void {
    if (chunk.byteLength >= DISCARDED_BYTES_MIN && this.#socket instanceof Socket) kernels.discard(chunk);
  }

  #sendFin(): void {
    this.#finSent = true;
    this.#socket.end();
    this.#limitEnd(0);
  }

  /** Flushing may take as long as it gets on; the other side's end has one limit. */
  #limitEnd(bytesSentBefore: number): void {
    this.#clock.clearTimeout(this.#endTimer);
    this.#endTimer = this.#clock.setTimeout(() => {
      const { bytesSent } = this.wire;
      if (!this.#finSent && bytesSent > bytesSentBefore) this.#limitEnd(bytesSent);
      else this.destroy(new ConnectionLostError(this.peer, `it did not end within ${this.#endLimitMs} ms`));
    }, this.#endLimitMs);
  }

  #stop(): void {
    this.#inflow.stop();
    this.#heartbeat.stop();
    this.#clock.clearTimeout(this.#handshakeTimer);
    this.#clock.clearTimeout(this.#endTimer);
    this.#outbox.close();
  }

  /**
   * Bytes that the system took: what the socket still holds is not on the wire, and may never be. Under TLS that is only
   * known to the one write, of up to 256 KiB, that TLS has under way.
   */
  #countSent(): void {
    if (this.#over) return;
    this.#bytesSent = Math.max(this.#bytesSent, this.#wire.bytesWritten - this.#wire.writableLength);
  }
}
