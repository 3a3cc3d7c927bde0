import { setImmediate as turn } from 'node:timers/promises';
import type { Random } from '../../../fuzz/random.js';
import { bodies } from '../../../src/channel/body-pool.js';
import { ConnectionLostError, LonghaulError } from '../../../src/errors.js';
import type { SessionChannel } from '../../../src/replication/session.js';

/** A channel in memory: frames in order each way, some of them under way for a while, until it is cut. */

export interface WireFrame {
  type: number;
  body: Buffer;
  generation: number;
}

type Handler = (frame: WireFrame) => void | Promise<void>;

class Lane {
  readonly #frames: WireFrame[] = [];
  #wake: (() => void) | undefined;
  #taken: (() => void)[] = [];

  get length(): number {
    return this.#frames.length;
  }

  push(frame: WireFrame): void {
    this.#frames.push(frame);
    this.#wake?.();
  }

  /** Resolves when the next one was taken. */
  taken(): Promise<void> {
    return new Promise((resolve) => this.#taken.push(resolve));
  }

  stop(): void {
    this.#wake?.();
    for (const wake of this.#taken.splice(0)) wake();
  }

  async run(isOver: () => boolean, turnsMax: number, random: Random, handle: Handler): Promise<void> {
    while (!isOver()) {
      const frame = this.#frames[0];
      if (frame === undefined) {
        await new Promise<void>((resolve) => (this.#wake = resolve));
        continue;
      }
      for (let turns = random.below(turnsMax + 1); turns > 0; turns--) await turn();
      if (isOver()) return;
      this.#frames.shift();
      for (const wake of this.#taken.splice(0)) wake();
      await handle(frame);
    }
  }
}

/** One end, with what Outflow and Session use of a channel. */
class WireEnd implements SessionChannel {
  generation = 0;
  readonly roundTripMs = undefined;
  readonly windowBytes = 0;
  readonly backlog = { waitingBytes: 0, unconfirmedBytes: 0, isHeldBack: false };
  readonly #wire: Wire;
  readonly #lane: Lane;

  constructor(wire: Wire, lane: Lane) {
    this.#wire = wire;
    this.#lane = lane;
  }

  async send(type: number, body: Uint8Array | Uint8Array[], done?: () => void): Promise<void> {
    this.sendControl(type, Array.isArray(body) ? Buffer.concat(body) : body);
    done?.();
    while (this.#lane.length > this.#wire.depth && !this.#wire.isOver) await this.#lane.taken();
    if (this.#wire.isOver) throw this.#wire.reason;
  }

  sendControl(type: number, body: Uint8Array): void {
    if (this.#wire.isOver) return;
    // As a message comes off a connection: in memory that is used again.
    const arrived = bodies.take(body.byteLength);
    arrived.set(body);
    this.#lane.push({ type, body: arrived, generation: this.generation });
  }

  established(): void {}

  begin(): void {}

  async end(): Promise<void> {}

  destroy(reason: LonghaulError): void {
    this.#wire.cut(reason);
  }
}

export class Wire {
  readonly sender: WireEnd;
  readonly receiver: WireEnd;
  /** Frames that the sender may be ahead. */
  readonly depth: number;
  reason: LonghaulError = new ConnectionLostError('the other end', 'not yet');
  isOver = false;
  /** Resolves when it is cut. */
  readonly over: Promise<void>;

  readonly #random: Random;
  readonly #toReceiver = new Lane();
  readonly #toSender = new Lane();
  #resolve = () => {};

  constructor(random: Random) {
    this.#random = random;
    this.depth = random.pick([0, 1, 4, 32]);
    this.sender = new WireEnd(this, this.#toReceiver);
    this.receiver = new WireEnd(this, this.#toSender);
    this.over = new Promise((resolve) => (this.#resolve = resolve));
  }

  /** Hands frames on, one after the other each way, until it is cut; a handler that fails cuts it. */
  async run(toReceiver: Handler, toSender: Handler): Promise<void> {
    const isOver = () => this.isOver;
    const lag = this.#random.pick([0, 1, 20]);
    const cutAtFailure = (handle: Handler) => async (frame: WireFrame) => {
      try {
        await handle(frame);
      } catch (error) {
        this.cut(error instanceof LonghaulError ? error : new ConnectionLostError('the other end', 'it failed', error));
      }
    };
    await Promise.all([
      this.#toReceiver.run(isOver, 1, this.#random, cutAtFailure(toReceiver)),
      this.#toSender.run(isOver, lag, this.#random, cutAtFailure(toSender)),
    ]);
  }

  cut(reason: LonghaulError): void {
    if (this.isOver) return;
    this.isOver = true;
    this.reason = reason;
    this.#resolve();
    this.#toReceiver.stop();
    this.#toSender.stop();
  }
}
