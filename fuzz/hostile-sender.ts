import type { Frame } from '../src/channel/frame.js';
import { encodeJoin } from '../src/channel/join.js';
import {
  decodeRefusal,
  decodeWelcome,
  encodeHello,
  encodeQuery,
  encodeStart,
  FrameType,
  PROTOCOL_VERSION,
  type Welcome,
} from '../src/channel/messages.js';
import type { Receiver, Sender } from '../src/index.js';
import { Encoder } from '../src/reduce/encoder.js';
import { Stages } from '../src/reduce/stages.js';
import { HostileLine, Manners } from './hostile-line.js';
import { anyWords, numberNear, randomId } from './hostile-words.js';
import type { Random } from './random.js';

const LINES_MAX = 4;
const RECORDS_MAX = 20;

/** Somebody who connects to a receiver and says things, those that a sender would say among them. */
export class HostileSender {
  readonly lines: HostileLine[] = [];
  readonly #random: Random;
  readonly #receiver: Receiver;
  /** The honest one, whose name and records this one may know. */
  readonly #sender: Sender;
  readonly #node: string;
  readonly #manners: Manners;
  readonly #reached: Set<string>;
  #welcome: Welcome | undefined;
  #next = 1;

  constructor(random: Random, receiver: Receiver, sender: Sender, senderNode: string, reached: Set<string>) {
    this.#random = random;
    this.#receiver = receiver;
    this.#sender = sender;
    this.#reached = reached;
    this.#manners = new Manners(random);
    this.#node = random.chance(0.7) ? senderNode : randomId(random);
    this.#connect();
  }

  async step(): Promise<void> {
    const random = this.#random;
    const line = random.pick(this.lines);
    if (this.#manners.keeps) return this.#proper(line);
    const { type, body } = anyWords(random, this.#welcome?.last ?? 0);
    await random.pick([() => line.disturb(), () => line.say(type, body), () => line.say(type, body)])();
  }

  leave(): void {
    for (const { socket } of this.lines) socket.destroy();
  }

  #connect(): void {
    if (this.lines.length >= LINES_MAX) return;
    const line = new HostileLine(this.#random, this.#manners, (frame) => this.#onFrame(frame));
    this.lines.push(line);
    const { socket } = line.socket;
    this.#receiver.accept({ socket, wire: socket, peerId: undefined });
  }

  #onFrame({ type, body }: Frame): void {
    this.#reached.add(`receiver says ${type}`);
    if (type === FrameType.refuse) this.#reached.add(`receiver refuses ${decodeRefusal(body).code}`);
    if (type !== FrameType.welcome) return;
    this.#welcome = decodeWelcome(body);
    this.#next = this.#welcome.last + 1;
    this.#manners.begin(this.#welcome.session);
  }

  /** What a sender would say about now. */
  async #proper(line: HostileLine): Promise<void> {
    const random = this.#random;
    const welcome = this.#welcome;
    if (welcome === undefined) return line.say(FrameType.hello, this.#hello());
    if (line.heard === FrameType.welcome) return line.say(FrameType.start, this.#start(welcome));
    if (line.heard === 0 || line.isOver) return this.#another(welcome);
    const query = { id: random.below(9), name: 'nothing', body: Buffer.alloc(0) };
    await random.pick([
      () => this.#batch(line),
      () => this.#batch(line),
      () => line.say(FrameType.query, encodeQuery(query)),
      () => this.#another(welcome),
    ])();
  }

  /** A further connection of its session, or one that begins anew. */
  async #another({ session, token }: Welcome): Promise<void> {
    const random = this.#random;
    this.#connect();
    const line = this.lines.at(-1) as HostileLine;
    if (line.heard > 0) return;
    if (random.chance(0.2)) return line.say(FrameType.hello, this.#hello());
    await line.say(FrameType.join, encodeJoin({ session, token, path: random.below(3), spare: random.chance(0.3) }));
  }

  #hello(): Buffer {
    const random = this.#random;
    const { journal } = this.#sender;
    return encodeHello({
      versionMin: PROTOCOL_VERSION,
      versionMax: PROTOCOL_VERSION,
      node: this.#node,
      volume: random.chance(0.9) ? journal.volume : randomId(random),
      epoch: this.#manners.keeps ? journal.lastEpoch : numberNear(random, journal.lastEpoch),
      last: this.#manners.keeps ? journal.last : numberNear(random, journal.last),
      adopt: random.chance(0.2),
    });
  }

  #start({ last, chain }: Welcome): Buffer {
    const random = this.#random;
    const isRight = this.#manners.keeps;
    this.#next = isRight && last < Number.MAX_SAFE_INTEGER ? last + 1 : Math.max(1, numberNear(random, last + 1));
    return encodeStart({
      from: this.#next,
      chain: isRight ? chain : random.pick([chain, 0n, random.u64()]),
      reset: random.chance(isRight ? 0.1 : 0.5),
      windowBytes: random.pick([0, 1 << 20, 1 << 20, Number.MAX_SAFE_INTEGER]),
    });
  }

  /** Records of the honest sender: others it could not prove. */
  async #batch(line: HostileLine): Promise<void> {
    const random = this.#random;
    const { journal } = this.#sender;
    const from = this.#manners.keeps ? this.#next : random.between(1, journal.last + 1);
    if (from < journal.first || from > journal.last) return;
    const records = [];
    for await (const record of journal.read(from)) {
      records.push({ ...record, payload: Buffer.from(record.payload) });
      if (records.length >= random.between(1, RECORDS_MAX)) break;
    }
    const encoder = new Encoder({ plan: random.pick([{ codec: 'none' }, LZ4, ZSTD]), stages: new Stages() });
    try {
      const body = Buffer.concat(await encoder.encode(records));
      this.#next = from + records.length;
      await line.say(FrameType.batch, body);
    } finally {
      encoder.close();
    }
  }
}

const LZ4 = { codec: 'lz4', always: true } as const;
const ZSTD = { codec: 'zstd', level: 1, windowLog: 12 } as const;
