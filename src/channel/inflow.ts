import type { Socket } from 'node:net';
import { ConnectionLostError, ProtocolError } from '../errors.js';
import { bodies } from './body-pool.js';
import { FRAME_BYTES_MAX_BEFORE_HANDSHAKE, FRAME_PING, FRAME_PONG, type Frame, NO_SESSION } from './frame.js';
import { FrameParser } from './parser.js';

export interface InflowOptions {
  socket: Socket;
  /** Gets each chunk when everything in it was parsed. */
  onUsed?: (chunk: Buffer) => void;
  peer: string;
  /** Gets the frames of the connection that are not heartbeats; the next one comes when its promise has resolved. */
  onFrame: (frame: Frame) => void | Promise<void>;
  /** Gets the frames of a session, as they come: what bounds them is their credit. */
  onSessionFrame: (frame: Frame) => void;
  /** Gets PING and PONG as soon as they are parsed, also while onFrame is busy. */
  onHeartbeat: (frame: Frame) => void;
  /** Whether the socket is read. */
  onReading: (reading: boolean) => void;
  /** The peer has ended and everything it sent was handled. */
  onEnd: () => void;
  onError: (error: unknown) => void;
}

/**
 * The frames that come in on one socket, in order. While `onFrame` is busy at most one more frame of the connection is taken
 * off the socket; then the socket is paused, and TCP makes the peer wait. Until `admit` is called frames are small and taken
 * strictly one by one, so that the handling of one frame decides how the next is read.
 */
export class Inflow {
  readonly #options: InflowOptions;
  readonly #parser: FrameParser;
  #admitted = false;
  #frameNumber = 0;
  /** A promise of onFrame is pending; `#next` is the one frame that may wait behind it. */
  #handling = false;
  #next: Frame | undefined;
  #paused = false;
  #ended = false;
  #stopped = false;

  constructor(options: InflowOptions) {
    this.#options = options;
    const { onUsed } = options;
    this.#parser = new FrameParser({
      frameBytesMax: FRAME_BYTES_MAX_BEFORE_HANDSHAKE,
      allocate: (bytes) => bodies.take(bytes),
      ...(onUsed === undefined ? {} : { onUsed }),
    });
  }

  admit(frameBytesMax: number): void {
    this.#admitted = true;
    this.#parser.frameBytesMax = frameBytesMax;
  }

  push(chunk: Buffer): void {
    if (this.#stopped) return;
    this.#parser.push(chunk);
    this.#read();
  }

  /** Nothing more will be pushed: the peer has ended. */
  end(): void {
    this.#ended = true;
    this.#options.onReading(false);
    this.#read();
  }

  /** No frame is handed on after this. */
  stop(): void {
    this.#stopped = true;
    this.#next = undefined;
  }

  #read(): void {
    try {
      while (!this.#stopped && !this.#mustWait()) {
        const frame = this.#parser.next();
        if (frame === undefined) {
          this.#readOn();
          return;
        }
        this.#take(frame);
      }
    } catch (error) {
      this.#options.onError(error);
    }
  }

  #mustWait(): boolean {
    if (!this.#handling || (this.#admitted && this.#next === undefined)) return false;
    if (!this.#paused && !this.#ended) {
      this.#paused = true;
      this.#options.onReading(false);
      this.#options.socket.pause();
    }
    return true;
  }

  #take(frame: Frame): void {
    if (frame.session !== NO_SESSION) {
      this.#options.onSessionFrame(frame);
      return;
    }
    if (frame.frameNumber !== this.#frameNumber) {
      throw new ProtocolError(`frame number ${frame.frameNumber}`, String(this.#frameNumber));
    }
    this.#frameNumber++;
    if (frame.type === FRAME_PING || frame.type === FRAME_PONG) this.#options.onHeartbeat(frame);
    else if (this.#handling) this.#next = frame;
    else this.#handle(frame);
  }

  /** Every complete frame was taken. */
  #readOn(): void {
    if (this.#ended) {
      if (this.#parser.withinFrame) throw new ConnectionLostError(this.#options.peer, 'it ended within a frame');
      if (!this.#handling) this.#options.onEnd();
    } else if (this.#paused) {
      this.#paused = false;
      this.#options.onReading(true);
      this.#options.socket.resume();
    }
  }

  #handle(frame: Frame): void {
    const result = this.#options.onFrame(frame);
    if (result === undefined) return;
    this.#handling = true;
    result.then(
      () => this.#handled(),
      (error) => this.#options.onError(error),
    );
  }

  #handled(): void {
    this.#handling = false;
    const next = this.#next;
    this.#next = undefined;
    try {
      if (next !== undefined) this.#handle(next);
    } catch (error) {
      this.#options.onError(error);
    }
    this.#read();
  }
}
