import type { Frame } from '../src/channel/frame.js';
import {
  decodeQuery,
  decodeRefusal,
  encodeAck,
  encodeMiss,
  encodeReply,
  encodeWelcome,
  FrameType,
  PROTOCOL_VERSION,
  TOKEN_BYTES,
} from '../src/channel/messages.js';
import { encodeWindow } from '../src/channel/window.js';
import type { Sender } from '../src/index.js';
import { HostileLine, Manners } from './hostile-line.js';
import { anyMiss, anyWelcome, anyWords, numberNear, randomId } from './hostile-words.js';
import type { MemorySocket } from './memory-socket.js';
import type { Random } from './random.js';

const LINES_MAX = 8;
const WINDOW_BYTES = 1 << 20;

/** Somebody whom a sender takes for its receiver: it answers as one would, or lies. */
export class HostileReceiver {
  readonly lines: HostileLine[] = [];
  /** The highest number that it has said it holds. */
  saidLast = 0;
  readonly #random: Random;
  readonly #sender: Sender;
  readonly #node: string;
  readonly #manners: Manners;
  readonly #reached: Set<string>;
  /** What is due to be answered, and where. */
  readonly #due: { line: HostileLine; frame: Frame }[] = [];
  #dataNext = 0;
  #controlNext = 0;

  constructor(random: Random, sender: Sender, honestNode: string, reached: Set<string>) {
    this.#random = random;
    this.#sender = sender;
    this.#reached = reached;
    this.#manners = new Manners(random);
    this.#node = random.chance(0.9) ? randomId(random) : honestNode;
  }

  /** The sender dials. Undefined: nobody answers. */
  answer(): MemorySocket | undefined {
    if (this.lines.length >= LINES_MAX) return undefined;
    const line: HostileLine = new HostileLine(this.#random, this.#manners, (frame) => this.#onFrame(line, frame));
    this.lines.push(line);
    return line.socket;
  }

  async step(): Promise<void> {
    const random = this.#random;
    const line = random.pick(this.lines);
    if (line === undefined) return;
    if (this.#manners.keeps) return this.#proper();
    const { type, body } = anyWords(random, this.#sender.journal.last);
    await random.pick([() => line.disturb(), () => line.say(type, body), () => this.#lie(line)])();
  }

  leave(): void {
    for (const { socket } of this.lines) socket.destroy();
  }

  #onFrame(line: HostileLine, frame: Frame): void {
    const { type, body } = frame;
    this.#reached.add(`sender says ${type}`);
    if (type === FrameType.refuse) this.#reached.add(`sender refuses ${decodeRefusal(body).code}`);
    if (type === FrameType.batch) this.#dataNext = Math.max(this.#dataNext, frame.frameNumber + 1);
    if (type === FrameType.query) this.#controlNext = Math.max(this.#controlNext, frame.frameNumber + 1);
    if (this.#due.length < 50) this.#due.push({ line, frame });
  }

  /** Answers what came, as a receiver would. */
  async #proper(): Promise<void> {
    const due = this.#due.shift();
    if (due === undefined) return;
    const { line, frame } = due;
    const { last } = this.#sender.journal;
    switch (frame.type) {
      case FrameType.hello:
        return line.say(FrameType.welcome, await this.#welcome());
      case FrameType.start:
        return line.say(FrameType.ready, Buffer.alloc(0));
      case FrameType.join:
        return line.say(FrameType.joined, Buffer.alloc(0));
      case FrameType.batch:
        await this.#window(line);
        return this.#ack(line, this.#manners.keeps ? last : numberNear(this.#random, last));
      case FrameType.query: {
        const { id } = decodeQuery(frame.body);
        return line.say(FrameType.reply, encodeReply({ id, status: 'end', body: Buffer.alloc(0) }));
      }
      default:
        return line.say(2, frame.body);
    }
  }

  async #lie(line: HostileLine): Promise<void> {
    const random = this.#random;
    const { last } = this.#sender.journal;
    await random.pick([
      () => this.#ack(line, numberNear(random, last)),
      () => line.say(FrameType.miss, encodeMiss(anyMiss(random, last))),
      () => this.#window(line),
      async () => line.say(FrameType.welcome, await this.#welcome()),
    ])();
  }

  #ack(line: HostileLine, logged: number): Promise<void> {
    this.saidLast = Math.max(this.saidLast, logged);
    const applied = this.#manners.keeps ? logged : numberNear(this.#random, logged);
    return line.say(FrameType.ack, encodeAck({ logged, applied }));
  }

  #window(line: HostileLine): Promise<void> {
    const random = this.#random;
    const [dataNext, controlNext] = this.#manners.keeps
      ? [this.#dataNext, this.#controlNext]
      : [numberNear(random, this.#dataNext), numberNear(random, this.#controlNext)];
    const creditBytes = this.#manners.keeps ? 2 * WINDOW_BYTES : numberNear(random, WINDOW_BYTES);
    return line.say(FrameType.window, encodeWindow({ dataNext, controlNext, creditBytes, arrived: [] }));
  }

  /** It may know what the sender has, and then the proof of it too. */
  async #welcome(): Promise<Buffer> {
    const random = this.#random;
    const { journal } = this.#sender;
    const last = this.#manners.keeps ? random.below(journal.last + 1) : numberNear(random, journal.last);
    const known = last <= journal.last ? await journal.chainAt(last).catch(() => undefined) : undefined;
    const session = this.#manners.keeps ? random.u64() | 1n : 0n;
    const isRight = this.#manners.keeps;
    const welcome = {
      ...anyWelcome(random, last),
      ...(isRight
        ? {
            version: PROTOCOL_VERSION,
            volume: random.chance(0.9) ? journal.volume : randomId(random),
            epoch: random.chance(0.9) ? 0 : 1,
            first: random.pick([1, Math.min(last + 1, Number.MAX_SAFE_INTEGER)]),
            holdsContent: random.chance(0.1),
            windowBytes: WINDOW_BYTES,
          }
        : {}),
      node: this.#node,
      last,
      chain: known !== undefined && this.#manners.keeps ? known : random.u64(),
      session,
      token: random.bytes(TOKEN_BYTES),
    };
    this.saidLast = Math.max(this.saidLast, last);
    this.#manners.begin(session);
    return encodeWelcome(welcome);
  }
}
