import {
  decodeAck,
  decodeMiss,
  decodeRefusal,
  decodeWelcome,
  encodeHello,
  encodeStart,
  FrameType,
  PROTOCOL_VERSION,
} from '../../../src/channel/messages.js';
import { LonghaulError } from '../../../src/errors.js';
import type { CodecPlan } from '../../../src/reduce/compression.js';
import { History } from '../../../src/reduce/history.js';
import { Indexer } from '../../../src/reduce/indexer.js';
import { Outliner } from '../../../src/reduce/outline.js';
import { Stages } from '../../../src/reduce/stages.js';
import { Outflow } from '../../../src/replication/outflow.js';
import { Throughput } from '../../../src/replication/throughput.js';
import type { MemoryJournal } from './memory-journal.js';
import type { Tally } from './tally.js';
import type { Wire, WireFrame } from './wire.js';

/** The sender of a run: what a link does around an Outflow, without its sockets, its cursor and its pauses. */

const SECRET = Buffer.alloc(32, 7);

export interface SendingOptions {
  journal: MemoryJournal;
  plan: CodecPlan;
  tally: Tally;
  onAcked: (logged: number) => void;
  onMiss: (next: number) => void;
}

export class SendingEnd {
  readonly stages = new Stages();
  readonly #o: SendingOptions;
  #indexer!: Indexer;
  #history!: History;
  #acked = 0;
  #outflow: Outflow | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(options: SendingOptions) {
    this.#o = options;
    this.start();
  }

  /** The process begins: nothing of an earlier one is left but its journal and the files beside it. */
  start(): void {
    this.#indexer = new Indexer(this.#o.journal, new Outliner(SECRET));
    this.#history = new History();
  }

  get acked(): number {
    return this.#acked;
  }

  /** What counts as acknowledged, where the receiver has gone back. */
  regress(logged: number): void {
    this.#acked = Math.min(this.#acked, logged);
  }

  greet(wire: Wire): void {
    const versions = { versionMin: PROTOCOL_VERSION, versionMax: PROTOCOL_VERSION };
    const { volume, last } = this.#o.journal;
    const hello = { ...versions, node: 'aa'.repeat(16), volume, epoch: 1, last, adopt: false };
    wire.sender.sendControl(FrameType.hello, encodeHello(hello));
  }

  /** When what it had begun in a session that is over has ended. */
  async idle(): Promise<void> {
    await this.#running;
    this.#outflow = undefined;
    await this.#indexer.idle();
  }

  onFrame(wire: Wire, frame: WireFrame): void | Promise<void> {
    const { tally } = this.#o;
    switch (frame.type) {
      case FrameType.welcome:
        return this.#onWelcome(wire, frame.body);
      case FrameType.ready:
        return;
      case FrameType.ack:
        return this.#onAck(frame.body);
      case FrameType.miss:
        return this.#onMiss(wire, frame.body);
      default:
        tally.problem(`the receiver refused: ${decodeRefusal(frame.body).message}`);
    }
  }

  async #onWelcome(wire: Wire, body: Buffer): Promise<void> {
    const { journal, tally } = this.#o;
    const welcome = decodeWelcome(body);
    const chain = await journal.chainAt(welcome.last);
    tally.expect(chain === welcome.chain, () => `chains differ at record ${welcome.last}`);
    const from = welcome.last + 1;
    this.#acked = welcome.last;
    wire.sender.sendControl(FrameType.start, encodeStart({ from, chain: welcome.chain, reset: false, windowBytes: 0 }));
    this.#running = this.#stream(wire, from, welcome.first, welcome.historyBytes);
  }

  async #stream(wire: Wire, from: number, historyFrom: number, historyBytes: number): Promise<void> {
    const { journal, plan, tally } = this.#o;
    const ended = new AbortController();
    void wire.over.then(() => ended.abort());
    this.#outflow = new Outflow({
      journal,
      channel: wire.sender,
      reduction: { outliner: new Outliner(SECRET), indexer: this.#indexer },
      plan,
      waits: true,
      history: this.#history,
      stages: this.stages,
      historyBytes,
      historyFrom,
      held: () => this.#acked,
      throughput: new Throughput(),
      onHandedOver: () => {},
      onSent: () => tally.count('batches sent'),
    });
    try {
      await this.#outflow.run(from, ended.signal);
      tally.expect(wire.isOver, () => 'the stream ended by itself');
    } catch (error) {
      if (wire.isOver) return;
      tally.problem(`the stream failed: ${error instanceof Error ? error.stack : error}`);
      wire.cut(error instanceof LonghaulError ? error : wire.reason);
    } finally {
      tally.count('generations', wire.sender.generation + 1);
    }
  }

  #onAck(body: Buffer): void {
    const { logged } = decodeAck(body);
    this.#acked = Math.max(this.#acked, logged);
    this.#o.onAcked(this.#acked);
  }

  #onMiss(wire: Wire, body: Buffer): void {
    const miss = decodeMiss(body);
    const { tally, onMiss } = this.#o;
    tally.expect(miss.generation === wire.sender.generation, () => `a second miss of generation ${miss.generation}`);
    onMiss(miss.next);
    this.#outflow?.onMiss(miss);
  }
}
