import type { LonghaulError } from '../errors.js';
import { ConnectionLostError, ProtocolError } from '../errors.js';
import type { Inbox } from './greeting.js';

interface Frame {
  type: number;
  body: Buffer;
}

/** More than two nodes ever have to say to each other without an answer. */
const FRAMES_MAX = 16;

/** Frames one at a time while two nodes shake hands; afterwards they go to a handler. */
export class FrameInbox implements Inbox {
  readonly #peer: string;
  #waiting: { resolve: (frame: Frame) => void; reject: (error: Error) => void } | undefined;
  #frames: Frame[] = [];
  #closed: LonghaulError | undefined;
  #handler: ((frame: Frame) => void | Promise<void>) | undefined;

  constructor(peer: string) {
    this.#peer = peer;
  }

  next(): Promise<Frame> {
    const frame = this.#frames.shift();
    if (frame !== undefined) return Promise.resolve(frame);
    if (this.#closed !== undefined) return Promise.reject(this.#closed);
    return new Promise((resolve, reject) => (this.#waiting = { resolve, reject }));
  }

  accept(frame: Frame): void | Promise<void> {
    if (this.#handler !== undefined) return this.#handler(frame);
    const waiting = this.#waiting;
    if (waiting === undefined) {
      if (this.#frames.length >= FRAMES_MAX)
        throw new ProtocolError('a peer that does not wait for answers', 'one frame at a time');
      this.#frames.push(frame);
      return;
    }
    this.#waiting = undefined;
    waiting.resolve(frame);
  }

  /** From here on frames go to `handler`; those that came early go first. */
  async handOver(handler: (frame: Frame) => void | Promise<void>): Promise<void> {
    while (this.#frames.length > 0) {
      const frame = this.#frames.shift();
      if (frame !== undefined) await handler(frame);
    }
    this.#handler = handler;
  }

  close(error: LonghaulError | undefined): void {
    this.#closed = error ?? new ConnectionLostError(this.#peer, 'it closed the connection');
    this.#waiting?.reject(this.#closed);
    this.#waiting = undefined;
  }
}
