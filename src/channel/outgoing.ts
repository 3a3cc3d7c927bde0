import { byteLengthOf } from '../engine/bytes.js';
import { checksumOfParts } from '../engine/checksum.js';
import { ProtocolError } from '../errors.js';
import { KIB } from '../options.js';
import type { FrameRange } from './arrived-frames.js';
import { FLAG_AGAIN, FLAG_MORE, FRAGMENT_BYTES_MAX, FRAGMENT_BYTES_MIN, type FrameHeader } from './frame.js';
import { costOf } from './lanes.js';

/** A frame as it goes out: its header, and its body in one or more parts. */
export interface OutgoingFrame extends FrameHeader {
  parts: Uint8Array[];
}

interface Message {
  type: number;
  generation: number;
  /** What is left of the body. */
  parts: Uint8Array[];
  bytes: number;
  begun: boolean;
  /** Its frames that are out and not confirmed. */
  frames: number;
  settle: (error?: unknown) => void;
  done: (() => void) | undefined;
}

/** A frame that the peer has not confirmed yet, and who carries it. */
interface Sent<Carrier> {
  frame: OutgoingFrame;
  message: Message;
  carrier: Carrier | undefined;
  sentAtMs: number;
}

export interface OutgoingOptions<Carrier> {
  session: bigint;
  /** What the frames may cost together until the peer grants more; Infinity where nothing is granted. */
  creditBytes: number;
  /** What may be out and not confirmed, whatever the peer grants: a fragment of the least size at least, or nothing goes. */
  unconfirmedBytesMax: () => number;
  /** Something waits because of that. */
  onFull?: () => void;
  now: () => number;
  /** A frame has arrived. */
  onArrived: (carrier: Carrier | undefined, frame: OutgoingFrame, elapsedMs: number) => void;
}

const SLIVER_BYTES = 16 * KIB;

/**
 * One lane on its way out: messages are cut into numbered frames when a connection has room for one, and kept until the
 * peer has confirmed them, so that another connection can carry them when theirs fails.
 */
export class OutgoingLane<Carrier> {
  readonly #o: OutgoingOptions<Carrier>;
  readonly #messages: Message[] = [];
  readonly #sent = new Map<number, Sent<Carrier>>();
  /** Numbers of frames that have to be sent again, lowest first. */
  #again: number[] = [];
  #number = 0;
  /** Every frame below this number was confirmed. */
  #confirmed = 0;
  #waitingBytes = 0;
  #sentBytes = 0;
  #cost = 0;
  #unconfirmedCost = 0;
  #creditBytes: number;

  constructor(options: OutgoingOptions<Carrier>) {
    this.#o = options;
    this.#creditBytes = options.creditBytes;
  }

  /** Messages that have not gone out whole. */
  get messages(): number {
    return this.#messages.length;
  }

  /** Bytes of bodies that have not gone out. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** Bytes of bodies that are out and not confirmed. */
  get unconfirmedBytes(): number {
    return this.#sentBytes;
  }

  get unconfirmedFrames(): number {
    return this.#sent.size;
  }

  /** The number of the next new frame: how many there were. */
  get next(): number {
    return this.#number;
  }

  /** Whether everything has gone out, and nothing has to go again. */
  get isEmpty(): boolean {
    return this.#messages.length === 0 && this.#again.length === 0;
  }

  /** Whether a connection that asks gets something. */
  get isReady(): boolean {
    return this.#again.length > 0 || (this.#messages.length > 0 && this.#hasRoom());
  }

  /** Whether something waits for the peer to grant credit. */
  get isHeldBack(): boolean {
    return this.#messages.length > 0 && !this.#suffices(this.#granted);
  }

  /**
   * Calls `settle` once the last of it has gone out, or with the reason why it will not, and `done` when nobody looks at its
   * parts any more. That is never where a frame went twice, as another connection may hold it still.
   */
  push(message: {
    type: number;
    generation: number;
    parts: Uint8Array[];
    settle: Message['settle'];
    done?: Message['done'];
  }): void {
    const parts = message.parts.filter((part) => part.byteLength > 0);
    const bytes = byteLengthOf(parts);
    this.#waitingBytes += bytes;
    this.#messages.push({ done: undefined, ...message, parts, bytes, begun: false, frames: 0 });
  }

  /** Puts a message in the place of one of the same type that has not begun; false when there is none. */
  replace(message: { type: number; generation: number; parts: Uint8Array[] }): boolean {
    const waiting = this.#messages.find(({ type, begun }) => type === message.type && !begun);
    if (waiting === undefined) return false;
    const bytes = byteLengthOf(message.parts);
    this.#waitingBytes += bytes - waiting.bytes;
    Object.assign(waiting, { ...message, bytes });
    return true;
  }

  /** The next frame for a connection to carry, its body at most `bodyBytesMax`; undefined when there is none. */
  take(carrier: Carrier, bodyBytesMax: number): OutgoingFrame | undefined {
    const again = this.#takeAgain(carrier);
    if (again !== undefined) return again;
    const message = this.#messages[0];
    if (message === undefined || !this.#hasRoom()) return undefined;
    const parts = cut(message, Math.min(bodyBytesMax, this.#granted, this.#kept, FRAGMENT_BYTES_MAX));
    const bodyLength = byteLengthOf(parts);
    const frame = {
      type: message.type,
      flags: message.bytes > 0 ? FLAG_MORE : 0,
      generation: message.generation,
      session: this.#o.session,
      frameNumber: this.#number++,
      bodyLength,
      bodyChecksum: checksumOfParts(parts),
      parts,
    };
    this.#waitingBytes -= bodyLength;
    this.#sentBytes += bodyLength;
    this.#cost += costOf(bodyLength);
    this.#unconfirmedCost += costOf(bodyLength);
    message.frames++;
    this.#sent.set(frame.frameNumber, { frame, message, carrier, sentAtMs: this.#o.now() });
    if (message.bytes === 0) {
      this.#messages.shift();
      message.settle();
    }
    return frame;
  }

  grant(creditBytes: number): void {
    this.#creditBytes = Math.max(this.#creditBytes, creditBytes);
  }

  /** The peer has every frame below `next`, and those of the ranges. */
  confirm(next: number, ranges: readonly FrameRange[] = []): void {
    const last = ranges[ranges.length - 1]?.to ?? next - 1;
    if (last >= this.#number) {
      throw new ProtocolError(`a confirmation of frame ${last}`, `frames below ${this.#number}, which were sent`);
    }
    for (; this.#confirmed < next; this.#confirmed++) this.#arrived(this.#confirmed);
    // By what is out, not by what is said to have arrived: that may be any number of frames, again and again. Both are in order.
    let at = 0;
    for (const number of this.#sent.keys()) {
      while ((ranges[at]?.to ?? Number.POSITIVE_INFINITY) < number) at++;
      const range = ranges[at];
      if (range === undefined) return;
      if (range.from <= number) this.#arrived(number);
    }
  }

  /** Has all that a connection carries, and that was not confirmed, carried by another one. */
  release(carrier: Carrier): void {
    for (const [number, sent] of this.#sent) {
      if (sent.carrier !== carrier) continue;
      sent.carrier = undefined;
      this.#again.push(number);
    }
    this.#again.sort((a, b) => a - b);
  }

  /** The connections that carry something, and when the oldest of it went out. */
  get carriers(): ReadonlyMap<Carrier, number> {
    const since = new Map<Carrier, number>();
    for (const { carrier, sentAtMs } of this.#sent.values()) {
      if (carrier === undefined) continue;
      since.set(carrier, Math.min(sentAtMs, since.get(carrier) ?? Number.POSITIVE_INFINITY));
    }
    return since;
  }

  /** Nothing goes out any more; whoever waits hears the reason. */
  close(reason: unknown): void {
    for (const message of this.#messages.splice(0)) message.settle(reason);
    this.#sent.clear();
    this.#again.length = 0;
    this.#waitingBytes = 0;
    this.#sentBytes = 0;
  }

  #hasRoom(): boolean {
    if (!this.#suffices(this.#granted)) return false;
    // A window that is not much larger than that takes frames of half its size.
    const sliverBytes = Math.max(FRAGMENT_BYTES_MIN, this.#o.unconfirmedBytesMax() / 2);
    const has = this.#suffices(this.#kept, sliverBytes);
    if (!has) this.#o.onFull?.();
    return has;
  }

  /** What would make but a sliver of a frame counts as none. */
  #suffices(bodyBytes: number, sliverBytes = SLIVER_BYTES): boolean {
    return bodyBytes >= Math.min(SLIVER_BYTES, sliverBytes, this.#messages[0]?.bytes ?? 0);
  }

  /** Bytes of the largest body that the peer's credit allows. */
  get #granted(): number {
    return this.#creditBytes - this.#cost - costOf(0);
  }

  /** Bytes of the largest body that may be under way on top of what is. */
  get #kept(): number {
    return Math.floor(this.#o.unconfirmedBytesMax()) - this.#unconfirmedCost - costOf(0);
  }

  #takeAgain(carrier: Carrier): OutgoingFrame | undefined {
    for (;;) {
      const number = this.#again.shift();
      if (number === undefined) return undefined;
      const sent = this.#sent.get(number);
      if (sent === undefined) continue;
      sent.carrier = carrier;
      sent.sentAtMs = this.#o.now();
      sent.message.done = undefined;
      sent.frame = { ...sent.frame, flags: sent.frame.flags | FLAG_AGAIN };
      return sent.frame;
    }
  }

  #arrived(number: number): void {
    const sent = this.#sent.get(number);
    if (sent === undefined) return;
    const { message } = sent;
    this.#sent.delete(number);
    this.#sentBytes -= sent.frame.bodyLength;
    this.#unconfirmedCost -= costOf(sent.frame.bodyLength);
    message.frames--;
    if (message.frames === 0 && message.bytes === 0) message.done?.();
    this.#o.onArrived(sent.carrier, sent.frame, this.#o.now() - sent.sentAtMs);
  }
}

/** Takes up to `bytesMax` off the front of a message. */
function cut(message: { parts: Uint8Array[]; bytes: number; begun: boolean }, bytesMax: number): Uint8Array[] {
  message.begun = true;
  const taken: Uint8Array[] = [];
  let room = Math.max(1, bytesMax);
  while (room > 0 && message.parts.length > 0) {
    const part = message.parts[0] as Uint8Array;
    if (part.byteLength <= room) {
      message.parts.shift();
      taken.push(part);
    } else {
      taken.push(part.subarray(0, room));
      message.parts[0] = part.subarray(room);
    }
    const bytes = Math.min(room, part.byteLength);
    message.bytes -= bytes;
    room -= bytes;
  }
  return taken;
}
