import { checksum64 } from '../engine/checksum.js';
import { ProtocolError } from '../errors.js';
import {
  decodeFrameHeader,
  FRAME_BYTES_MAX_DEFAULT,
  FRAME_HEADER_BYTES,
  type Frame,
  type FrameHeader,
} from './frame.js';

export interface FrameParserOptions {
  /** Bounds header and body of one frame; it may be changed between frames. */
  frameBytesMax?: number;
  /** Where bodies come from. Default: new memory for each. */
  allocate?: (bytes: number) => Buffer;
  /** Gets each chunk when nothing of it is needed any more. */
  onUsed?: (chunk: Buffer) => void;
}

/**
 * Makes frames of socket chunks. A body is allocated once, from a length that was checked, and chunks are copied into
 * it as they come, so a frame costs one copy however it was cut. Frames are pulled one at a time: what the owner has
 * not asked for stays unparsed, and the limit that holds is the one at the moment a header is read.
 */
export class FrameParser {
  frameBytesMax: number;
  readonly #allocate: (bytes: number) => Buffer;
  readonly #onUsed: ((chunk: Buffer) => void) | undefined;
  readonly #chunks: Buffer[] = [];
  /** Bytes of the first chunk that are used up. */
  #offset = 0;
  /** Bytes in the chunks that are not used up. */
  #pendingBytes = 0;
  readonly #headerBytes = Buffer.alloc(FRAME_HEADER_BYTES);
  #header: FrameHeader | undefined;
  #body: Buffer | undefined;
  #bodyFilled = 0;
  #broken: ProtocolError | undefined;

  constructor(options: FrameParserOptions = {}) {
    const { frameBytesMax = FRAME_BYTES_MAX_DEFAULT, allocate = Buffer.allocUnsafe, onUsed } = options;
    this.frameBytesMax = frameBytesMax;
    this.#allocate = allocate;
    this.#onUsed = onUsed;
  }

  /** True when a frame has begun and not ended. Meaningful once `next` has returned undefined. */
  get withinFrame(): boolean {
    return this.#header !== undefined || this.#pendingBytes > 0;
  }

  /** The chunk must stay as it is until the frames in it were taken. */
  push(chunk: Buffer): void {
    if (chunk.byteLength === 0) return;
    this.#chunks.push(chunk);
    this.#pendingBytes += chunk.byteLength;
  }

  /** The next complete frame, or undefined until more is pushed. After an error it throws that error for good. */
  next(): Frame | undefined {
    if (this.#broken !== undefined) throw this.#broken;
    try {
      return this.#next();
    } catch (error) {
      if (error instanceof ProtocolError) this.#breakWith(error);
      throw error;
    }
  }

  #next(): Frame | undefined {
    if (this.#header === undefined) {
      if (this.#pendingBytes < FRAME_HEADER_BYTES) return undefined;
      this.#header = decodeFrameHeader(this.#takeHeader(), this.frameBytesMax);
      this.#body = this.#allocate(this.#header.bodyLength);
      this.#bodyFilled = 0;
    }
    const header = this.#header;
    const body = this.#body as Buffer;
    this.#bodyFilled += this.#copyTo(body, this.#bodyFilled);
    if (this.#bodyFilled < header.bodyLength) return undefined;
    this.#header = undefined;
    this.#body = undefined;
    if (checksum64(body) !== header.bodyChecksum) {
      throw new ProtocolError('frame body with a wrong checksum', 'an undamaged body');
    }
    return { ...header, body };
  }

  /** Good until the next one is taken. */
  #takeHeader(): Buffer {
    this.#copyTo(this.#headerBytes, 0);
    return this.#headerBytes;
  }

  /** Moves as much as there is and fits to `target` from position `from`; returns how much that was. */
  #copyTo(target: Buffer, from: number): number {
    const count = Math.min(target.byteLength - from, this.#pendingBytes);
    for (let copied = 0; copied < count; ) {
      const part = (this.#chunks[0] as Buffer).subarray(this.#offset, this.#offset + count - copied);
      target.set(part, from + copied);
      copied += part.byteLength;
      this.#consume(part.byteLength);
    }
    return count;
  }

  #consume(bytes: number): void {
    this.#offset += bytes;
    this.#pendingBytes -= bytes;
    const first = this.#chunks[0] as Buffer;
    if (this.#offset < first.byteLength) return;
    this.#chunks.shift();
    this.#offset = 0;
    this.#onUsed?.(first);
  }

  #breakWith(error: ProtocolError): void {
    this.#broken = error;
    this.#chunks.length = 0;
    this.#offset = 0;
    this.#pendingBytes = 0;
    this.#header = undefined;
    this.#body = undefined;
  }
}
