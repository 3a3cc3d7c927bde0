import { Random } from '../../../fuzz/random.js';
import { FrameType } from '../../../src/channel/messages.js';
import { ConnectionLostError } from '../../../src/errors.js';
import type { CodecPlan } from '../../../src/reduce/compression.js';
import { HAPPENINGS, type Stricken } from './events.js';
import { MemoryJournal } from './memory-journal.js';
import type { MemorySegments } from './memory-segments.js';
import { ReceivingEnd } from './receiving-end.js';
import { SendingEnd } from './sending-end.js';
import { Tally } from './tally.js';
import { Wire } from './wire.js';
import { Workload } from './workload.js';

/**
 * Batches through the real Outflow, Encoder and History on one side and the real Session, Decoder and ReceiveLog on the
 * other, joined in memory, while all that can go wrong between them does. Whatever is logged is compared with what was
 * sent. Random numbers come from one seed; threads of the codec take their own time, so that two runs of a seed are
 * alike and not the same.
 */

export interface RunOptions {
  batches: number;
  seed: number;
  codec: 'zstd' | 'lz4';
  /** Nothing happens that takes away what a peer has promised to keep: then nothing may be missed. */
  calm?: boolean;
  /** How much more often something happens than in a long run. */
  pace?: number;
  /** The receiver's journal believes everything: for the canary. */
  trusting?: boolean;
  /** An empty directory. */
  dir: string;
  log?: (line: string) => void;
}

const VOLUME = 'cc'.repeat(16);
/** Numbers pass 2^32 on the way. */
const BASE = 2 ** 32 - 5000;
const CHAIN = 0x1234_5678_9abc_def0n;
const SEGMENT_BYTES = 48 * 1024;
const HISTORY_BYTES = [192 * 1024, 512 * 1024, 1024 * 1024];
const WINDOW_LOG = 17;
const RECORDS_A_BATCH_MAX = 6;
const LEADS = [1, 5, 40, 300];
const BATCHES_A_LEAD = 500;
/** Nothing was logged for so long, though nothing is in the way. */
const STUCK_MS = 60_000;

export class Run implements Stricken {
  readonly tally = new Tally();
  readonly random: Random;
  readonly sender: MemoryJournal;
  readonly receiver: MemoryJournal;
  readonly #o: RunOptions;
  readonly #workload: Workload;
  readonly #sending: SendingEnd;
  readonly #receiving: ReceivingEnd;
  #wire: Wire | undefined;
  #batches = 0;
  /** How many records the queue is ahead of the log. */
  #lead = 1;
  /** What happens while no session is up. */
  #between: (() => void | Promise<void>)[] = [];
  #copy: MemorySegments | undefined;
  #meetings = 0;
  #missed = { next: 0, times: 0 };

  constructor(options: RunOptions) {
    const { seed, codec, dir, trusting = false } = options;
    this.#o = options;
    this.random = new Random(seed);
    this.#workload = new Workload(new Random(seed ^ 0x5bd1));
    const journal = (salt: number) => ({
      base: BASE,
      chain: CHAIN,
      volume: VOLUME,
      segmentBytes: SEGMENT_BYTES,
      historyBytes: this.random.pick(HISTORY_BYTES),
      random: new Random(seed ^ salt),
      batchRecordsMax: RECORDS_A_BATCH_MAX,
    });
    this.sender = new MemoryJournal(journal(0x1234));
    this.receiver = new MemoryJournal({ ...journal(0x4321), trusting });
    this.sender.faults.sideFaults = 1 / 2;
    const { tally } = this;
    const plan: CodecPlan =
      codec === 'zstd' ? { codec, level: 1, windowLog: WINDOW_LOG } : { codec, always: seed % 2 === 0 };
    this.#sending = new SendingEnd({
      journal: this.sender,
      plan,
      tally,
      onAcked: () => this.#hold(),
      onMiss: (next) => this.#onMiss(next),
    });
    this.#receiving = new ReceivingEnd({
      journal: this.receiver,
      capability: { lz4: true, zstd: codec === 'zstd', windowLogMax: codec === 'zstd' ? WINDOW_LOG : 0 },
      tally,
      dir,
      sent: (sequence) => this.sender.at(sequence),
      reachOf: (first) => this.#reachOf(first),
      onBatch: () => this.#onLogged(),
    });
    this.#hold();
  }

  get acked(): number {
    return this.#sending.acked;
  }

  get isDone(): boolean {
    return this.#batches >= this.#o.batches || this.tally.problems.length > 0;
  }

  async go(): Promise<Tally> {
    await this.#receiving.start();
    while (!this.isDone) {
      await this.#session();
      for (const act of this.#between.splice(0)) await act();
      this.#hold();
    }
    this.#countFaults();
    return this.tally;
  }

  cut(then: (run: Stricken) => void | Promise<void> = () => {}): void {
    this.#between.push(() => then(this));
    this.#wire?.cut(new ConnectionLostError('the other end', 'it was cut'));
  }

  async restartSender(): Promise<void> {
    await this.#sending.idle();
    this.#sending.start();
  }

  async restartReceiver(meanwhile: () => void = () => {}): Promise<void> {
    this.receiver.crash();
    meanwhile();
    await this.#receiving.start();
  }

  copyReceiver(): void {
    this.#copy = this.receiver.copy();
  }

  /** Only what the queue still has can be sent again. */
  async restoreReceiver(): Promise<void> {
    const copy = this.#copy;
    this.#copy = undefined;
    if (copy === undefined) return;
    this.tally.count('records cut off by an older copy', this.receiver.last - copy.last);
    this.receiver.restore(copy);
    this.#sending.regress(copy.last);
    // What lies in the queue again has to be readable.
    this.sender.faults.clear();
    await this.#receiving.start();
  }

  async #session(): Promise<void> {
    const wire = new Wire(this.random);
    this.#wire = wire;
    this.#missed = { next: 0, times: 0 };
    const session = this.#receiving.accept(wire);
    this.#sending.greet(wire);
    this.#feed();
    const before = this.#batches;
    const watch = setInterval(() => this.#watch(wire), STUCK_MS);
    await wire.run(
      (frame) => {
        if (frame.type === FrameType.batch) this.#onArrival(wire, frame.body.byteLength);
        return wire.isOver ? undefined : session.onMessage(frame);
      },
      (frame) => this.#sending.onFrame(wire, frame),
    );
    clearInterval(watch);
    await this.#sending.idle();
    if (this.#between.length === 0 && !this.isDone) this.tally.problem(`a session ended: ${wire.reason.stack}`);
    if (this.#batches === before) this.tally.count('sessions that logged nothing');
  }

  #watched = -1;

  #watch(wire: Wire): void {
    if (this.#watched === this.#batches) {
      this.tally.problem(`nothing was logged for ${STUCK_MS} ms, after record ${this.receiver.last}`);
      wire.cut(wire.reason);
    }
    this.#watched = this.#batches;
  }

  #onArrival(wire: Wire, bytes: number): void {
    this.tally.count('body bytes', bytes);
    const { calm = false, pace = 1 } = this.#o;
    for (const { name, every, isFault, happen } of HAPPENINGS) {
      if ((isFault && calm) || !this.random.chance(pace / every)) continue;
      this.tally.count(name);
      happen(this);
      if (wire.isOver) return;
    }
  }

  #onLogged(): void {
    this.#batches++;
    this.tally.count('batches');
    if (this.#batches % BATCHES_A_LEAD === 0) this.#lead = this.random.pick(LEADS);
    if (this.#batches % 20_000 === 0) this.#o.log?.(`${this.#batches} batches, ${this.tally.of('misses')} misses`);
    if (this.isDone) this.#wire?.cut(new ConnectionLostError('the other end', 'done'));
    else this.#feed();
  }

  #feed(): void {
    while (this.sender.last < this.receiver.last + this.#lead) this.sender.append(this.#workload.next());
  }

  /** As far as the sender has not freed it meanwhile. */
  #reachOf(first: number): number {
    const { sender, receiver } = this;
    const reach = sender.reachingBack(first - 1, receiver.historyBytes);
    return reach > sender.first ? reach : 0;
  }

  /** What nobody has acknowledged stays in the queue, and what an older copy of the receiver lacks. */
  #hold(): void {
    const oldest = Math.min(this.acked, this.#copy?.last ?? Number.POSITIVE_INFINITY);
    this.sender.neededFrom = oldest + 1;
    this.sender.collect();
  }

  /** One miss for a fault, and no more than two of the same record. */
  #onMiss(next: number): void {
    const meetings = this.receiver.faults.meetings + this.sender.faults.met.flipped;
    this.tally.expect(meetings > this.#meetings, () => `record ${next} was missed without a fault`);
    this.#meetings = meetings;
    const times = this.#missed.next === next ? this.#missed.times + 1 : 1;
    this.#missed = { next, times };
    if (times === 2) this.tally.count('records missed twice');
    this.tally.expect(times <= 2, () => `record ${next} was missed ${times} times`);
  }

  #countFaults(): void {
    for (const [whose, { met }] of [
      ['receiver', this.receiver.faults],
      ['sender', this.sender.faults],
    ] as const) {
      for (const [what, count] of Object.entries(met)) this.tally.count(`${whose} met ${what}`, count);
    }
    for (const [stage, { bytesIn, bytesOut }] of Object.entries(this.#sending.stages.counts())) {
      this.tally.count(`stage ${stage}, bytes in`, bytesIn);
      this.tally.count(`stage ${stage}, bytes out`, bytesOut);
    }
  }
}
