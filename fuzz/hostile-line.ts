import { encodeFrameHeader, FLAG_MORE, FRAME_PONG, type Frame, type FrameHeader } from '../src/channel/frame.js';
import { laneOf } from '../src/channel/lanes.js';
import { FrameParser } from '../src/channel/parser.js';
import { checksum64 } from '../src/engine/checksum.js';
import { changed } from './changes.js';
import { MemorySocket } from './memory-socket.js';
import type { Random } from './random.js';
import { turns } from './virtual-time.js';

const NUMBER_MAX = Number.MAX_SAFE_INTEGER;
/** What our end may have waiting for a peer that does not read: what it keeps unconfirmed, and frames of the connection. */
const WAITING_BYTES_MAX = 3 * 1024 * 1024;

/** Somebody who may say anything, and what the frames of its session have in common, whichever line they go over. */
export class Manners {
  session = 0n;
  readonly next = { data: 0, control: 0 };
  /** How likely what it does is what it should. */
  readonly #part: number;
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
    this.#part = random.pick([0.6, 0.9, 0.98]);
  }

  /** Whether it does the next thing as it should. */
  get keeps(): boolean {
    return this.#random.chance(this.#part);
  }

  begin(session: bigint): void {
    this.session = session;
    Object.assign(this.next, { data: 0, control: 0 });
  }
}

/** One connection of a peer that may say anything: frames as they should be, or with one thing or another wrong. */
export class HostileLine {
  readonly socket: MemorySocket;
  /** The type of the newest frame that came and is no heartbeat. */
  heard = 0;
  readonly #random: Random;
  readonly #manners: Manners;
  #ownNumber = 0;

  constructor(random: Random, manners: Manners, onFrame: (frame: Frame) => void) {
    this.#random = random;
    this.#manners = manners;
    const parser = new FrameParser();
    this.socket = new MemorySocket((chunk) => {
      parser.push(chunk);
      for (let frame = parser.next(); frame !== undefined; frame = parser.next()) {
        if (frame.type > FRAME_PONG) this.heard = frame.type;
        onFrame(frame);
      }
    });
  }

  get isOver(): boolean {
    return this.socket.destroyed || (this.socket.readableEnded && this.socket.writableEnded);
  }

  get waitsWithinBounds(): boolean {
    return this.socket.writableLength <= WAITING_BYTES_MAX;
  }

  async say(type: number, body: Buffer): Promise<void> {
    const random = this.#random;
    if (this.#manners.keeps) return this.#hear(this.#frame(type, body, {}));
    const wrong: (() => Buffer)[] = [
      () => this.#frame(type, body, this.#wrongField()),
      () => this.#frame(type, body.byteLength === 0 ? random.bytes(9) : changed(random, body), {}),
      () => changed(random, this.#frame(type, body, {})),
      () => this.#frame(random.below(24), body, {}),
      () => {
        const frame = this.#frame(type, body, {});
        return Buffer.concat(Array.from({ length: random.between(2, 40) }, () => frame));
      },
      () => Buffer.concat([this.#frame(type, body, {}), random.bytes(random.below(100))]),
    ];
    await this.#hear(random.pick(wrong)());
  }

  /** In the middle of a frame, or between two, it goes away, falls silent or does not read. */
  disturb(): void {
    const { socket } = this;
    this.#random.pick([
      () => socket.hearEnd(),
      () => socket.destroy(),
      () => socket.destroy(Object.assign(new Error('reset'), { code: 'ECONNRESET' })),
      () => socket.hear(this.#frame(this.#random.below(20), this.#random.bytes(60), {}).subarray(0, 70)),
      () => {
        socket.isBlocked = this.#random.chance(0.6);
      },
    ])();
  }

  #frame(type: number, body: Buffer, change: Partial<FrameHeader>): Buffer {
    const { session, next } = this.#manners;
    const lane = session === 0n ? undefined : laneOf(type);
    const header = {
      type,
      flags: 0,
      generation: 0,
      session: lane === undefined ? 0n : session,
      frameNumber: lane === undefined ? this.#ownNumber++ : next[lane]++,
      bodyLength: body.byteLength,
      bodyChecksum: checksum64(body),
      ...change,
    };
    return Buffer.concat([encodeFrameHeader(header), body]);
  }

  #wrongField(): Partial<FrameHeader> {
    const random = this.#random;
    const number = random.pick([0, 1, random.below(50), random.u32(), NUMBER_MAX]);
    return random.pick<Partial<FrameHeader>>([
      { frameNumber: number },
      { generation: random.pick([1, 2, random.u32()]) },
      { session: random.pick([0n, 1n, random.u64()]) },
      { flags: random.pick([FLAG_MORE, 2, 3, random.below(256)]) },
      { bodyLength: random.pick([0, random.below(100_000), random.u32()]) },
      { bodyChecksum: random.u64() },
      { flags: FLAG_MORE, frameNumber: number },
    ]);
  }

  /** In one piece, cut anywhere, or drop by drop. */
  async #hear(bytes: Buffer): Promise<void> {
    const random = this.#random;
    if (random.chance(0.7)) {
      this.socket.hear(bytes);
      return;
    }
    const pieces = random.slices(bytes, random.pick([1, 20, 500, 100_000]));
    for (const [index, piece] of pieces.entries()) {
      this.socket.hear(piece);
      if (index < 20) await turns(1);
    }
  }
}
