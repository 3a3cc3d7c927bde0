import { ProtocolError } from '../errors.js';
import { ArrivedFrames, type FrameRange } from './arrived-frames.js';
import { bodies } from './body-pool.js';
import { FLAG_MORE, FRAGMENT_BYTES_MIN, type Frame } from './frame.js';
import { costOf } from './lanes.js';

/** What a lane delivers: the fragments of one message, put together. */
export interface Message {
  type: number;
  generation: number;
  /** Its receiver's alone, who may give it back to the pool of bodies. */
  body: Buffer;
}

export interface IncomingOptions {
  messageBytesMax: number;
  /** What frames that were not taken out yet may cost together. */
  windowBytes: number;
  /** One at a time; the next one comes when its promise has resolved. */
  onMessage: (message: Message) => void | Promise<void>;
  onError: (error: unknown) => void;
  /** Room was made for more, or everything was handled. */
  onProgress: () => void;
}

/**
 * One lane on its way in: frames come over any connection, in any order and some of them twice; messages go on in the order
 * of their numbers. What is out of order, or waits because a message is being handled, is bounded by the credit that
 * the peer was granted: who exceeds it violates the protocol.
 */
export class IncomingLane {
  readonly #o: IncomingOptions;
  readonly #held = new Map<number, Frame>();
  /** Fragments of the message that is being put together. */
  #fragments: Frame[] = [];
  #fragmentBytes = 0;
  readonly #arrived = new ArrivedFrames();
  /** The frame that is put in place next. */
  #next = 0;
  /** What all that arrived has cost, and of it what was taken out again. */
  #cost = 0;
  #taken = 0;
  #windowBytes: number;
  #creditBytes: number;
  #handling = false;
  #stopped = false;

  constructor(options: IncomingOptions) {
    this.#o = options;
    this.#windowBytes = options.windowBytes;
    this.#creditBytes = options.windowBytes;
  }

  /** Every frame below it has arrived. */
  get next(): number {
    return this.#arrived.next;
  }

  /** Every frame below it was taken out, as far as it goes. */
  get takenNext(): number {
    return this.#next;
  }

  /** What all frames may cost from the first on. It only grows: what was granted is not taken back. */
  get creditBytes(): number {
    this.#creditBytes = Math.max(this.#creditBytes, this.#taken + this.#windowBytes);
    return this.#creditBytes;
  }

  /** Bytes of memory, about. */
  get heldBytes(): number {
    return this.#cost - this.#taken + this.#fragmentBytes;
  }

  /** A message is being handled, or waits for that. */
  get isBusy(): boolean {
    return this.#handling || this.#held.has(this.#next);
  }

  /** Something is missing before what has arrived. */
  get hasGap(): boolean {
    return this.#fragments.length > 0 || this.#held.size > 0;
  }

  set windowBytes(bytes: number) {
    this.#windowBytes = bytes;
  }

  /** False when the frame has arrived before. Throws when it may not be sent; what is wrong with a message goes to onError. */
  accept(frame: Frame): boolean {
    const { frameNumber } = frame;
    if (frameNumber < this.#arrived.next || this.#held.has(frameNumber)) {
      bodies.give(frame.body);
      return false;
    }
    // Or one message of many tiny ones would take much more memory than its bytes.
    if ((frame.flags & FLAG_MORE) !== 0 && frame.bodyLength < FRAGMENT_BYTES_MIN) {
      throw new ProtocolError(`a fragment of ${frame.bodyLength} bytes`, `${FRAGMENT_BYTES_MIN} but for the last one`);
    }
    const cost = this.#cost + costOf(frame.bodyLength);
    if (cost > this.creditBytes || frameNumber - this.#next > this.#creditBytes / costOf(0)) {
      throw new ProtocolError(
        `frame ${frameNumber} with which all cost ${cost}`,
        `at most the credit of ${this.#creditBytes}`,
      );
    }
    this.#cost = cost;
    this.#held.set(frameNumber, frame);
    this.#arrived.add(frameNumber);
    this.#proceed();
    return true;
  }

  /** The frames beyond `next` that have arrived, as ranges in order. */
  ranges(rangesMax: number): FrameRange[] {
    return this.#arrived.beyond(rangesMax);
  }

  /** Nothing is delivered after this. */
  stop(): void {
    this.#stopped = true;
    this.#held.clear();
    this.#fragments = [];
  }

  #proceed(): void {
    try {
      while (!this.#handling && !this.#stopped) {
        const frame = this.#held.get(this.#next);
        if (frame === undefined) return;
        this.#held.delete(this.#next++);
        this.#taken += costOf(frame.bodyLength);
        const message = this.#put(frame);
        if (message !== undefined) this.#handle(message);
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Puts a frame in its place; gives the message that it completes. */
  #put(frame: Frame): Message | undefined {
    const [first = frame] = this.#fragments;
    if (first.type !== frame.type || first.generation !== frame.generation) {
      throw new ProtocolError(`a fragment of type ${frame.type} in a message of type ${first.type}`, 'one message');
    }
    this.#fragments.push(frame);
    this.#fragmentBytes += frame.bodyLength;
    if (this.#fragmentBytes > this.#o.messageBytesMax) {
      throw new ProtocolError(`a message of ${this.#fragmentBytes} bytes`, `at most ${this.#o.messageBytesMax}`);
    }
    if ((frame.flags & FLAG_MORE) !== 0) return undefined;
    const { type, generation } = frame;
    const body = this.#join();
    this.#fragments = [];
    this.#fragmentBytes = 0;
    return { type, generation, body };
  }

  #join(): Buffer {
    const [first] = this.#fragments;
    if (first !== undefined && this.#fragments.length === 1) return first.body;
    const body = bodies.take(this.#fragmentBytes);
    let at = 0;
    for (const fragment of this.#fragments) {
      body.set(fragment.body, at);
      at += fragment.bodyLength;
      bodies.give(fragment.body);
    }
    return body;
  }

  #handle(message: Message): void {
    const result = this.#o.onMessage(message);
    if (result === undefined) return;
    this.#handling = true;
    result.then(
      () => this.#handled(),
      (error: unknown) => this.#fail(error),
    );
  }

  #handled(): void {
    this.#handling = false;
    this.#proceed();
    if (!this.#stopped) this.#o.onProgress();
  }

  #fail(error: unknown): void {
    if (this.#stopped) return;
    this.stop();
    this.#o.onError(error);
  }
}
