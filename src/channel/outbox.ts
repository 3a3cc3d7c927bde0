import type { Socket } from 'node:net';
import { byteLengthOf } from '../engine/bytes.js';
import { checksum64, startChecksum64 } from '../engine/checksum.js';
import { InvalidArgumentError } from '../errors.js';
import { KIB, MIB } from '../options.js';
import { encodeFrameHeader, FRAME_HEADER_BYTES } from './frame.js';
import type { Shaper } from './shaper.js';

export type Lane = 'data' | 'control';

export interface OutgoingFrame {
  type: number;
  session: bigint;
  generation: number;
  /** The body in one or more parts, which go out as they are. */
  parts: Uint8Array[];
}

interface Queued extends OutgoingFrame {
  lane: Lane;
  bodyLength: number;
  bodyChecksum: bigint;
  /** Called once the frame is with the socket and there is room for more, or with the reason why not. */
  settle: (error?: unknown) => void;
}

/** Enough to keep the system's socket buffer filled; a control frame waits behind no more than this and one frame. */
const HANDOVER_BYTES = 256 * KIB;
/** Up to this size header and body go out as one buffer: a copy is cheaper than another piece. */
const MERGE_BYTES_MAX = 4 * KIB;
export const CONTROL_QUEUE_BYTES_MAX = MIB;
/** Senders wait for their turn; more of them than this means that someone does not. */
export const WAITING_FRAMES_MAX = 1024;

/**
 * What waits to go out on one socket. Frames stay here until the socket is about to take them, so that control frames
 * overtake every data frame that has not begun. Without a shaper a frame is handed over whole; with one, each quantum
 * is asked for first and filled when it is granted, so a control frame that came meanwhile goes into it.
 */
export class Outbox {
  /** Exact bytes of the frames handed to the socket, headers included. */
  readonly bytes: Record<Lane, number> = { data: 0, control: 0 };
  readonly #socket: Socket;
  readonly #shaper: Shaper | undefined;
  readonly #sendBufferBytesMax: number;
  readonly #queues: Record<Lane, Queued[]> = { data: [], control: [] };
  /** Bytes with headers that the socket does not have yet, all of them and those of control frames. */
  #queuedBytes = 0;
  #controlBytes = 0;
  /** The frame on its way, and what of it is still to go. */
  #begun: { frame: Queued; pieces: Uint8Array[] } | undefined;
  #frameNumber = 0;
  #tokensAsked = false;
  #closed = false;
  readonly #awaitRoom: Array<Queued['settle']> = [];
  readonly #awaitEmpty: Array<() => void> = [];

  constructor(socket: Socket, shaper: Shaper | undefined, sendBufferBytesMax: number) {
    this.#socket = socket;
    this.#shaper = shaper;
    this.#sendBufferBytesMax = sendBufferBytesMax;
  }

  data(frame: OutgoingFrame): Promise<void> {
    if (this.#queues.data.length >= WAITING_FRAMES_MAX) {
      throw new InvalidArgumentError('frames waiting to be sent', WAITING_FRAMES_MAX, 'each send awaited');
    }
    return new Promise((resolve, reject) => {
      const settle = (error?: unknown) => (error === undefined ? resolve() : reject(error));
      const queued = prepare(frame, 'data', settle);
      this.#queues.data.push(queued);
      this.#queuedBytes += frameBytes(queued);
      this.#pump();
    });
  }

  /**
   * False when the queue of control frames is full. With `replace`, a frame of the same type that still waits is
   * replaced: only the newest of its kind means anything.
   */
  control(frame: OutgoingFrame, replace: boolean): boolean {
    const queue = this.#queues.control;
    const queued = prepare(frame, 'control', () => {});
    const index = replace ? queue.findIndex((waiting) => waiting.type === frame.type) : -1;
    const added = frameBytes(queued) - (index < 0 ? 0 : frameBytes(queue[index] as Queued));
    if (this.#controlBytes + added > CONTROL_QUEUE_BYTES_MAX) return false;
    if (index < 0) queue.push(queued);
    else queue[index] = queued;
    this.#controlBytes += added;
    this.#queuedBytes += added;
    this.#pump();
    return true;
  }

  get isEmpty(): boolean {
    return this.#queuedBytes === 0 || this.#closed;
  }

  /** Resolves when the socket has had everything, or when the outbox closes. */
  untilEmpty(): Promise<void> {
    if (this.isEmpty) return Promise.resolve();
    return new Promise((resolve) => this.#awaitEmpty.push(resolve));
  }

  /** Nothing goes to the socket after this; whoever waits hears the reason. */
  close(reason: unknown): void {
    this.#closed = true;
    this.#begun?.frame.settle(reason);
    for (const queued of this.#queues.data.splice(0)) queued.settle(reason);
    for (const settle of this.#awaitRoom.splice(0)) settle(reason);
    this.#queues.control.length = 0;
    this.#begun = undefined;
    release(this.#awaitEmpty);
  }

  #pump(): void {
    if (this.#closed || this.#tokensAsked) return;
    if (this.#queuedBytes === 0) release(this.#awaitEmpty);
    else if (this.#socket.writableLength < HANDOVER_BYTES) {
      if (this.#shaper === undefined) this.#handOver(Number.POSITIVE_INFINITY);
      else this.#askTokens(this.#shaper);
    }
  }

  #askTokens(shaper: Shaper): void {
    // What is queued only grows, apart from a replaced frame, so what is granted can be filled.
    const bytes = Math.min(this.#queuedBytes, shaper.quantumBytes);
    this.#tokensAsked = true;
    void shaper.take(bytes).then(() => {
      this.#tokensAsked = false;
      this.#handOver(bytes);
      this.#pump();
    });
  }

  /** Gives the socket up to `budgetBytes` in one gathered write. */
  #handOver(budgetBytes: number): void {
    const socket = this.#socket;
    const shaped = Number.isFinite(budgetBytes);
    let budget = budgetBytes;
    socket.cork();
    while (budget > 0 && (shaped || socket.writableLength < HANDOVER_BYTES)) {
      this.#begun ??= this.#begin();
      if (this.#begun === undefined) break;
      budget -= this.#writePiece(this.#begun.pieces, this.#begun.frame.lane, budget);
      if (this.#begun.pieces.length > 0) continue;
      this.#finish(this.#begun.frame);
      this.#begun = undefined;
    }
    socket.uncork();
  }

  #begin(): { frame: Queued; pieces: Uint8Array[] } | undefined {
    const frame = this.#queues.control.shift() ?? this.#queues.data.shift();
    if (frame === undefined) return undefined;
    const bytes = frameBytes(frame);
    if (frame.lane === 'control') this.#controlBytes -= bytes;
    const merged = bytes <= MERGE_BYTES_MAX;
    const head = Buffer.allocUnsafe(merged ? bytes : FRAME_HEADER_BYTES);
    encodeFrameHeader({ ...frame, frameNumber: this.#frameNumber++ }, head);
    if (!merged) return { frame, pieces: [head, ...frame.parts] };
    let at = FRAME_HEADER_BYTES;
    for (const part of frame.parts) {
      head.set(part, at);
      at += part.byteLength;
    }
    return { frame, pieces: [head] };
  }

  #writePiece(pieces: Uint8Array[], lane: Lane, bytesMax: number): number {
    const piece = pieces[0] as Uint8Array;
    const part = piece.byteLength > bytesMax ? piece.subarray(0, bytesMax) : piece;
    if (part === piece) pieces.shift();
    else pieces[0] = piece.subarray(bytesMax);
    this.#queuedBytes -= part.byteLength;
    this.bytes[lane] += part.byteLength;
    this.#socket.write(part, this.#written);
    return part.byteLength;
  }

  #finish(frame: Queued): void {
    if (this.#socket.writableLength <= this.#sendBufferBytesMax) frame.settle();
    else this.#awaitRoom.push(frame.settle);
  }

  readonly #written = (error?: Error | null): void => {
    // A failed write is followed by the socket's own 'error', which closes the outbox.
    if (error) return;
    if (this.#socket.writableLength <= this.#sendBufferBytesMax) release(this.#awaitRoom);
    this.#pump();
  };
}

const frameBytes = (frame: Queued): number => FRAME_HEADER_BYTES + frame.bodyLength;

function prepare(frame: OutgoingFrame, lane: Lane, settle: Queued['settle']): Queued {
  const parts = frame.parts.filter((part) => part.byteLength > 0);
  const bodyLength = byteLengthOf(parts);
  return { ...frame, parts, lane, bodyLength, bodyChecksum: checksumOf(parts), settle };
}

function checksumOf(parts: Uint8Array[]): bigint {
  if (parts.length === 1) return checksum64(parts[0] as Uint8Array);
  const checksum = startChecksum64();
  for (const part of parts) checksum.update(part);
  return checksum.digest();
}

function release(waiters: Array<() => void>): void {
  for (const resolve of waiters.splice(0)) resolve();
}
