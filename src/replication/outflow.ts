import type { Channel } from '../channel/channel.js';
import { FrameType, type Miss } from '../channel/messages.js';
import { byteLengthOf } from '../engine/bytes.js';
import { prefetched } from '../engine/prefetch.js';
import { ProtocolError } from '../errors.js';
import type { Journal, JournalRecord, LentBatch } from '../journal/journal.js';
import { BATCH_BYTES, BATCH_RECORDS_MAX } from '../reduce/batch.js';
import { type CodecPlan, rungOf } from '../reduce/compression.js';
import { Encoder, type Prepared } from '../reduce/encoder.js';
import type { History } from '../reduce/history.js';
import type { Indexer } from '../reduce/indexer.js';
import type { Outliner } from '../reduce/outline.js';
import { Pace, type Rung } from '../reduce/pace.js';
import { Primer } from '../reduce/primer.js';
import type { Stages } from '../reduce/stages.js';
import { CatchUp } from './catch-up.js';
import type { Throughput } from './throughput.js';

/**
 * The records of a queue on their way to one peer, in one session. What the peer cannot restore begins a new generation:
 * from the record that it asks for, and without what it has lost.
 */

/** What all peers of a queue share of the reduction. */
export interface Reduction {
  outliner: Outliner;
  indexer: Indexer;
}

export interface OutflowOptions {
  journal: Pick<
    Journal,
    'readBatches' | 'readLent' | 'readRanges' | 'readPayloads' | 'reachingBack' | 'first' | 'last'
  >;
  channel: Pick<Channel, 'generation' | 'send' | 'backlog'>;
  reduction: Reduction;
  plan: CodecPlan;
  /** What a session chooses from as it goes on; undefined when it keeps to its plan. */
  ladder?: readonly Rung[];
  /** Whether records wait for what makes fewer bytes of them: history that is read, a prefix that is loaded. */
  waits: boolean;
  /** What the peer holds; it is the link's, and outlives the session. */
  history: History;
  stages: Stages;
  throughput: Throughput;
  /** What the peer keeps as history, in bytes. */
  historyBytes: number;
  /** The oldest record that the peer holds. */
  historyFrom: number;
  /** The newest record that the peer is known to hold. */
  held: () => number;
  /** Is told what was handed to the channel. */
  onSent: (records: readonly JournalRecord[]) => void;
  /** Is told what is with the network: every record up to this one. */
  onHandedOver: (sequence: number) => void;
}

/** The peer frees what the sender lets go of, so a little less is used than it keeps: segments are freed whole. */
const HISTORY_PART = 7 / 8;
/** What waits behind a batch when the time that it takes counts, and when a prefix is worth its time. */
const BACKLOG_BYTES = 1024 * 1024;
const PREFIX_BACKLOG_BYTES = 8 * 1024 * 1024;

/** A batch, what it took to prepare it, and whether more waited behind. */
interface Ready extends LentBatch {
  prepared: Prepared;
  prepareMs: number;
  backlogged: boolean;
}

export class Outflow {
  readonly #o: OutflowOptions;
  #floor: number;
  /** Ends the generation under way. */
  #turn = new AbortController();
  #miss: Miss | undefined;
  /** What was asked for anew goes without references when it is asked for once more. */
  #literal = false;
  #missedNext = 0;
  #sent = 0;
  #lastSentAt = performance.now();
  #encoder: Encoder | undefined;
  readonly #pace: Pace | undefined;

  constructor(options: OutflowOptions) {
    this.#o = options;
    this.#pace = options.ladder === undefined ? undefined : new Pace(options.ladder);
    this.#floor = options.historyFrom;
  }

  /** In bytes, of the codec. */
  get memoryBytes(): number {
    return this.#encoder?.memoryBytes ?? 0;
  }

  /** How records are sent at present. */
  get rung(): Rung {
    return this.#pace?.rung ?? rungOf(this.#o.plan);
  }

  /** Sends what the queue holds from a record on, and what comes, until the signal. */
  async run(from: number, ended: AbortSignal): Promise<void> {
    const { plan, journal, history, reduction } = this.#o;
    history.release(this.#floor);
    history.rewind(from);
    const over = new AbortController();
    const signal = AbortSignal.any([ended, over.signal]);
    const catchUp = new CatchUp({ journal, history, indexer: reduction.indexer, signal });
    try {
      for (let next = from; ; ) {
        await this.#generation(next, ended, plan.codec === 'none' ? undefined : catchUp);
        if (this.#miss === undefined) return;
        next = this.#resume(this.#miss);
      }
    } finally {
      over.abort();
      await catchUp.idle();
    }
  }

  /** The peer asks for records anew. */
  onMiss(miss: Miss): void {
    const { channel, held } = this.#o;
    // Of a generation that is over already.
    if (miss.generation !== channel.generation || this.#miss !== undefined) return;
    if (miss.next <= held() || miss.next > this.#sent) {
      throw new ProtocolError(`a miss of record ${miss.next}`, `one of ${held() + 1} to ${this.#sent}`);
    }
    this.#miss = miss;
    this.#turn.abort();
  }

  #resume({ next, lost }: Miss): number {
    const { history, channel } = this.#o;
    // What went without any reference cannot be missed.
    const again = next === this.#missedNext;
    if (again && this.#literal) {
      throw new ProtocolError(`a miss of record ${next}, which refers to nothing`, 'that it is logged');
    }
    history.lose(lost);
    this.#literal = again || lost.length === 0;
    this.#missedNext = next;
    this.#miss = undefined;
    channel.generation++;
    return next;
  }

  async #generation(from: number, ended: AbortSignal, catchUp: CatchUp | undefined): Promise<void> {
    const { journal, history } = this.#o;
    this.#turn = new AbortController();
    const signal = AbortSignal.any([ended, this.#turn.signal]);
    history.rewind(from);
    const encoder = this.#newEncoder(signal);
    this.#encoder = encoder;
    const stop = () => encoder.close();
    signal.addEventListener('abort', stop, { once: true });
    const reading = new AbortController();
    const limits = { batchBytesMax: BATCH_BYTES, batchRecordsMax: BATCH_RECORDS_MAX };
    const readSignal = AbortSignal.any([signal, reading.signal]);
    const batches = journal.readLent(from, { follow: true, signal: readSignal, ...limits });
    try {
      const ready = prefetched(this.#prepare(encoder, batches, catchUp), () => reading.abort());
      for await (const batch of ready) {
        if (!(await this.#send(encoder, batch, signal))) return;
      }
    } catch (error) {
      // What was called off has no other failure.
      if (!this.#turn.signal.aborted) throw error;
    } finally {
      signal.removeEventListener('abort', stop);
      encoder.close();
    }
  }

  /** While one batch is compressed and sent, the next one is read, and looked for in what the peer has. */
  async *#prepare(
    encoder: Encoder,
    batches: AsyncIterable<LentBatch>,
    catchUp: CatchUp | undefined,
  ): AsyncGenerator<Ready, void, undefined> {
    for await (const { records, giveBack } of batches) {
      await catchUp?.before(records[0]?.sequence ?? 0, this.#mayWait(records));
      const begun = performance.now();
      const backlogged = this.#pace !== undefined && this.#hasBehind(records, BACKLOG_BYTES);
      const prepared = await encoder.prepare(records);
      yield { records, giveBack, prepared, prepareMs: performance.now() - begun, backlogged };
    }
  }

  /** Compresses a batch and hands it to the channel; false when that was called off. */
  async #send(
    encoder: Encoder,
    { records, giveBack, prepared, ...taken }: Ready,
    signal: AbortSignal,
  ): Promise<boolean> {
    const begun = performance.now();
    const body = await encoder.finish(prepared);
    if (signal.aborted) return false;
    const compressed = performance.now();
    this.#o.onSent(records.filter(({ sequence }) => sequence > this.#sent));
    this.#sent = Math.max(this.#sent, records[records.length - 1]?.sequence ?? 0);
    await this.#o.channel.send(FrameType.batch, body, giveBack);
    const sent = performance.now();
    this.#noteThroughput(records, prepared.payloadBytes, sent);
    this.#pace?.note({
      ...taken,
      rung: encoder.used(prepared),
      sourceBytes: prepared.payloadBytes,
      batchBytes: prepared.batchBytes,
      bodyBytes: byteLengthOf(body),
      compressMs: compressed - begun,
      sendMs: sent - compressed,
      elapsedMs: sent - this.#lastSentAt,
    });
    this.#lastSentAt = sent;
    return true;
  }

  #noteThroughput(records: readonly JournalRecord[], payloadBytes: number, nowMs: number): void {
    const { throughput, channel, journal, onHandedOver } = this.#o;
    const last = records[records.length - 1]?.sequence ?? 0;
    throughput.note(payloadBytes, nowMs, channel.backlog.unconfirmedBytes > 0 || journal.last > last);
    onHandedOver(last);
  }

  /** Behind much that waits nothing is late for a moment more. */
  #mayWait(records: readonly JournalRecord[]): boolean {
    return this.#o.waits || this.#hasBehind(records, PREFIX_BACKLOG_BYTES);
  }

  /** Whether at least about so many bytes are in the queue behind these records. */
  #hasBehind(records: readonly JournalRecord[], bytes: number): boolean {
    const { journal } = this.#o;
    return journal.reachingBack(journal.last, bytes) > (records[records.length - 1]?.sequence ?? 0) + 1;
  }

  #newEncoder(signal: AbortSignal): Encoder {
    const { plan, stages, history, journal, reduction, held } = this.#o;
    const { outliner, indexer } = reduction;
    const mayWait = (next: readonly JournalRecord[]) => this.#mayWait(next);
    const starts =
      plan.codec === 'zstd'
        ? { starts: new Primer({ ...plan, journal, history, level: this.rung.level, held, mayWait, signal }) }
        : {};
    return new Encoder({
      plan,
      stages,
      ...(this.#pace === undefined ? {} : { rung: () => this.rung }),
      ...starts,
      known: { journal, history, outliner, onOutlines: (outlines) => indexer.note(outlines) },
      floor: (first) => this.#release(first),
      literalFirst: this.#literal,
    });
  }

  /**
   * What lies further back than the peer keeps, or than this end can read, is let go of. It is counted from the batch
   * itself: the peer counts from what it has logged, and by the time it restores a batch that is all that came before it.
   */
  #release(first: number): number {
    const { journal, historyBytes } = this.#o;
    const reached = journal.reachingBack(first - 1, Math.floor(historyBytes * HISTORY_PART));
    this.#floor = Math.max(this.#floor, journal.first, reached);
    return this.#floor;
  }
}
