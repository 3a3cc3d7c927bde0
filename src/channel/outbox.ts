import type { Socket } from 'node:net';
import { byteLengthOf } from '../engine/bytes.js';
import { checksum64 } from '../engine/checksum.js';
import { KIB } from '../options.js';
import { encodeFrameHeader, FRAME_HEADER_BYTES, NO_SESSION } from './frame.js';
import { CONTROL_BYTES_MAX, type Lane, laneOf } from './lanes.js';
import type { OutgoingFrame } from './outgoing.js';
import type { RateLimit } from './rate-limit.js';

/** Where a connection gets the frames of its session from. */
export interface FrameSource {
  /** Bytes that wait, about; 0 when there is nothing for this connection. */
  readonly waitingBytes: number;
  /** The next frame, with a body of at most `bodyBytesMax`. */
  take(bodyBytesMax: number): OutgoingFrame | undefined;
  /** The socket has taken something; whose turn it is now is for the source to say. */
  onRoom(): void;
}

export interface OutboxOptions {
  socket: Socket;
  shaper: RateLimit | undefined;
  now: () => number;
  /** What went on the wire besides what the socket was given: that of TLS. */
  overheadBytes: () => number;
}

/** What the socket may hold that the system has not taken: a frame, and no more than this. A control frame waits behind it. */
const HANDOVER_BYTES_MAX = 64 * KIB;
/** Up to this size header and body go out as one buffer: a copy is cheaper than another piece. */
const MERGE_BYTES_MAX = 4 * KIB;
/** A frame takes about this much time on its connection, as far as these bounds allow. */
const FRAME_MS = 4;
const BODY_BYTES = { min: 16 * KIB, max: 256 * KIB, start: 64 * KIB };
/** The rate is measured over at least this much time. */
const RATE_INTERVAL_MS = 10;

/**
 * What goes out on one socket: frames of the connection itself, and then those of its session, which are asked for only when
 * the socket is about to take them. So whatever is most urgent goes next, and a slow connection gets less to carry.
 * Without a shaper a frame is handed over whole; with one, each quantum is asked for first and filled when it is granted.
 */
export class Outbox {
  /** Exact bytes of the frames handed to the socket, headers included. */
  readonly bytes: Record<Lane, number> = { data: 0, control: 0 };
  readonly #socket: Socket;
  readonly #shaper: RateLimit | undefined;
  readonly #now: () => number;
  readonly #overheadBytes: () => number;
  /** Of those bytes, what the shaper was told of. */
  #chargedBytes = 0;
  readonly #over = new AbortController();
  #source: FrameSource | undefined;
  /** Frames of the connection. */
  readonly #own: OutgoingFrame[] = [];
  #ownBytes = 0;
  /** The frame on its way, and what of it is still to go. */
  #begun: { lane: Lane; pieces: Uint8Array[]; bytes: number } | undefined;
  #frameNumber = 0;
  #tokensAsked = false;
  #closed = false;
  #bodyBytes = BODY_BYTES.start;
  /** Bytes that the system took since then. */
  #takenBytes = 0;
  #takenSinceMs: number;
  readonly #awaitEmpty: Array<() => void> = [];

  constructor({ socket, shaper, now, overheadBytes }: OutboxOptions) {
    this.#socket = socket;
    this.#shaper = shaper;
    this.#now = now;
    this.#overheadBytes = overheadBytes;
    this.#takenSinceMs = now();
  }

  /** From here on frames of the session are carried too; undefined: no more of them. */
  set source(source: FrameSource | undefined) {
    this.#source = source;
  }

  /**
   * Takes a frame of the connection. False when too many of them wait. With `replace`, one of the same type that still
   * waits is replaced: only the newest of its kind means anything.
   */
  own(type: number, body: Uint8Array, replace: boolean): boolean {
    const frame: OutgoingFrame = {
      type,
      flags: 0,
      generation: 0,
      session: NO_SESSION,
      frameNumber: 0,
      bodyLength: body.byteLength,
      bodyChecksum: checksum64(body),
      parts: [body],
    };
    const index = replace ? this.#own.findIndex((waiting) => waiting.type === type) : -1;
    const added = frameBytes(frame) - (index < 0 ? 0 : frameBytes(this.#own[index] as OutgoingFrame));
    if (this.#ownBytes + added > CONTROL_BYTES_MAX) return false;
    if (index < 0) this.#own.push(frame);
    else this.#own[index] = frame;
    this.#ownBytes += added;
    this.wake();
    return true;
  }

  get isEmpty(): boolean {
    return this.#closed || (this.#begun === undefined && this.#waitingBytes() === 0);
  }

  /** Resolves when the socket has had everything, or when the outbox closes. */
  untilEmpty(): Promise<void> {
    if (this.isEmpty) return Promise.resolve();
    return new Promise((resolve) => this.#awaitEmpty.push(resolve));
  }

  /** Sends what there is, as far as there is room for it. */
  wake(): void {
    while (this.offer());
  }

  /** Sends the next frame if there is room for it at once; with a shaper, asks for it. */
  offer(): boolean {
    if (this.#closed || this.#tokensAsked) return false;
    if (this.isEmpty) {
      this.#release();
      return false;
    }
    if (!this.#hasRoom()) return false;
    const shaper = this.#shaper;
    if (shaper !== undefined && shaper.quantumBytes !== Number.POSITIVE_INFINITY) {
      void this.#askTokens(shaper);
      return false;
    }
    this.#begun ??= this.#begin();
    return this.#handOver(this.#begun?.bytes ?? 0) > 0;
  }

  /** Nothing goes to the socket after this. */
  close(): void {
    this.#closed = true;
    this.#over.abort();
    this.#own.length = 0;
    this.#begun = undefined;
    this.#source = undefined;
    this.#release();
  }

  /** A slow connection holds little: what it has, no faster one can carry. */
  #hasRoom(): boolean {
    return this.#socket.writableLength < Math.min(HANDOVER_BYTES_MAX, this.#bodyBytes);
  }

  #waitingBytes(): number {
    return this.#ownBytes + (this.#source?.waitingBytes ?? 0);
  }

  async #askTokens(shaper: RateLimit): Promise<void> {
    const bytes = Math.min((this.#begun?.bytes ?? 0) + this.#waitingBytes() + FRAME_HEADER_BYTES, shaper.quantumBytes);
    this.#tokensAsked = true;
    const granted = await shaper.take(bytes, this.#over.signal).catch(() => 0);
    this.#tokensAsked = false;
    // Another connection may have had what there was to send.
    const given = this.#handOver(granted);
    if (given < granted) shaper.charge(given - granted);
    this.wake();
  }

  /** What TLS made of the bytes is only known once it was written. */
  #chargeOverhead(): void {
    if (this.#shaper === undefined) return;
    const bytes = this.#overheadBytes();
    if (bytes <= this.#chargedBytes) return;
    this.#shaper.charge(bytes - this.#chargedBytes);
    this.#chargedBytes = bytes;
  }

  /** Gives the socket up to `budgetBytes` in one gathered write; returns how much that was. */
  #handOver(budgetBytes: number): number {
    if (this.#closed) return 0;
    const socket = this.#socket;
    let given = 0;
    socket.cork();
    while (given < budgetBytes) {
      this.#begun ??= this.#begin();
      if (this.#begun === undefined) break;
      given += this.#writePiece(this.#begun, budgetBytes - given);
      if (this.#begun.pieces.length === 0) this.#begun = undefined;
    }
    socket.uncork();
    if (this.isEmpty) this.#release();
    return given;
  }

  #begin(): { lane: Lane; pieces: Uint8Array[]; bytes: number } | undefined {
    const own = this.#own.shift();
    if (own !== undefined) {
      this.#ownBytes -= frameBytes(own);
      own.frameNumber = this.#frameNumber++;
    }
    const frame = own ?? this.#source?.take(powerOfTwo(this.#bodyBytes));
    if (frame === undefined) return undefined;
    const bytes = frameBytes(frame);
    const lane = laneOf(frame.type) ?? 'control';
    const merged = bytes <= MERGE_BYTES_MAX;
    const head = encodeFrameHeader(frame, Buffer.allocUnsafe(merged ? bytes : FRAME_HEADER_BYTES));
    if (!merged) return { lane, pieces: [head, ...frame.parts], bytes };
    let at = FRAME_HEADER_BYTES;
    for (const part of frame.parts) {
      head.set(part, at);
      at += part.byteLength;
    }
    return { lane, pieces: [head], bytes };
  }

  #writePiece(begun: { lane: Lane; pieces: Uint8Array[]; bytes: number }, bytesMax: number): number {
    const piece = begun.pieces[0] as Uint8Array;
    const part = piece.byteLength > bytesMax ? piece.subarray(0, bytesMax) : piece;
    if (part === piece) begun.pieces.shift();
    else begun.pieces[0] = piece.subarray(bytesMax);
    begun.bytes -= part.byteLength;
    this.bytes[begun.lane] += part.byteLength;
    this.#takenBytes += part.byteLength;
    this.#socket.write(part, this.#written);
    return part.byteLength;
  }

  /** Frames are as long as the connection is fast: short enough to be overtaken, long enough to cost little. */
  #measure(): void {
    const elapsedMs = this.#now() - this.#takenSinceMs;
    if (elapsedMs < RATE_INTERVAL_MS) return;
    const wanted = (this.#takenBytes / elapsedMs) * FRAME_MS;
    const next = (this.#bodyBytes + wanted) / 2;
    this.#bodyBytes = Math.min(BODY_BYTES.max, Math.max(BODY_BYTES.min, next));
    this.#takenBytes = 0;
    this.#takenSinceMs = this.#now();
  }

  #release(): void {
    for (const resolve of this.#awaitEmpty.splice(0)) resolve();
  }

  readonly #written = (error?: Error | null): void => {
    // A failed write is followed by the socket's own 'error', which closes the outbox.
    if (error) return;
    this.#measure();
    this.#chargeOverhead();
    // What has begun is no other connection's to carry.
    if (this.#begun !== undefined) this.offer();
    else if (this.#source === undefined || this.#own.length > 0 || this.isEmpty) this.wake();
    this.#source?.onRoom();
  };
}

/** The nearest one: of few sizes memory can be used again by whoever receives. */
const powerOfTwo = (bytes: number): number => 2 ** Math.round(Math.log2(bytes));

const frameBytes = (frame: OutgoingFrame): number => FRAME_HEADER_BYTES + byteLengthOf(frame.parts);
