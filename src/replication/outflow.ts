import type { Connection } from '../channel/connection.js';
import { FrameType, type Miss } from '../channel/messages.js';
import { prefetched } from '../engine/prefetch.js';
import { ProtocolError } from '../errors.js';
import type { Journal, JournalRecord } from '../journal/journal.js';
import { BATCH_BYTES, BATCH_RECORDS_MAX } from '../reduce/batch.js';
import type { CodecPlan } from '../reduce/compression.js';
import { Encoder, type Prepared } from '../reduce/encoder.js';
import type { History } from '../reduce/history.js';
import type { Indexer } from '../reduce/indexer.js';
import type { Outliner } from '../reduce/outline.js';
import { Primer } from '../reduce/primer.js';
import type { Stages } from '../reduce/stages.js';

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
  journal: Pick<Journal, 'readBatches' | 'readRanges' | 'reachingBack' | 'first'>;
  connection: Pick<Connection, 'generation' | 'send'>;
  reduction: Reduction;
  plan: CodecPlan;
  /** What the peer holds; it is the link's, and outlives the session. */
  history: History;
  stages: Stages;
  /** What the peer keeps as history, in bytes. */
  historyBytes: number;
  /** The oldest record that the peer holds. */
  historyFrom: number;
  /** The newest record that the peer is known to hold. */
  held: () => number;
  /** Is told what was handed to the connection. */
  onSent: (records: readonly JournalRecord[]) => void;
}

/** The peer frees what the sender lets go of, so a little less is used than it keeps: segments are freed whole. */
const HISTORY_PART = 7 / 8;

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
  #encoder: Encoder | undefined;

  constructor(options: OutflowOptions) {
    this.#o = options;
    this.#floor = options.historyFrom;
  }

  /** In bytes, of the codec. */
  get memoryBytes(): number {
    return this.#encoder?.memoryBytes ?? 0;
  }

  /** Sends what the queue holds from a record on, and what comes, until the signal. */
  async run(from: number, ended: AbortSignal): Promise<void> {
    const { plan, history, reduction } = this.#o;
    history.release(this.#floor);
    history.rewind(from);
    if (plan.codec !== 'none') await reduction.indexer.load(history, from - 1, ended);
    for (let next = from; ; ) {
      await this.#generation(next, ended);
      if (this.#miss === undefined) return;
      next = this.#resume(this.#miss);
    }
  }

  /** The peer asks for records anew. */
  onMiss(miss: Miss): void {
    const { connection, held } = this.#o;
    // Of a generation that is over already.
    if (miss.generation !== connection.generation || this.#miss !== undefined) return;
    if (miss.next <= held() || miss.next > this.#sent) {
      throw new ProtocolError(`a miss of record ${miss.next}`, `one of ${held() + 1} to ${this.#sent}`);
    }
    this.#miss = miss;
    this.#turn.abort();
  }

  #resume({ next, lost }: Miss): number {
    const { history, connection } = this.#o;
    // What went without any reference cannot be missed.
    const again = next === this.#missedNext;
    if (again && this.#literal) {
      throw new ProtocolError(`a miss of record ${next}, which refers to nothing`, 'that it is logged');
    }
    history.lose(lost);
    this.#literal = again || lost.length === 0;
    this.#missedNext = next;
    this.#miss = undefined;
    connection.generation++;
    return next;
  }

  async #generation(from: number, ended: AbortSignal): Promise<void> {
    const { journal, connection, history, onSent } = this.#o;
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
    const batches = journal.readBatches(from, { follow: true, signal: readSignal, ...limits });
    try {
      for await (const { records, prepared } of prefetched(prepare(encoder, batches), () => reading.abort())) {
        const body = await encoder.finish(prepared);
        if (signal.aborted) return;
        onSent(records.filter(({ sequence }) => sequence > this.#sent));
        this.#sent = Math.max(this.#sent, records[records.length - 1]?.sequence ?? 0);
        await connection.send(FrameType.batch, body);
      }
    } catch (error) {
      // What was called off has no other failure.
      if (!this.#turn.signal.aborted) throw error;
    } finally {
      signal.removeEventListener('abort', stop);
      encoder.close();
    }
  }

  #newEncoder(signal: AbortSignal): Encoder {
    const { plan, stages, history, journal, reduction, held } = this.#o;
    const { outliner, indexer } = reduction;
    const starts =
      plan.codec === 'zstd'
        ? { starts: new Primer({ journal, history, windowLog: plan.windowLog, level: plan.level, held, signal }) }
        : {};
    return new Encoder({
      plan,
      stages,
      ...starts,
      known: { journal, history, outliner, onOutlines: (outlines) => indexer.note(outlines) },
      floor: () => this.#release(),
      literalFirst: this.#literal,
    });
  }

  /** What lies further back than the peer keeps, or than this end can read, is let go of. */
  #release(): number {
    const { journal, historyBytes } = this.#o;
    const reached = journal.reachingBack(Math.max(this.#sent, this.#floor), Math.floor(historyBytes * HISTORY_PART));
    this.#floor = Math.max(this.#floor, journal.first, Math.min(reached, this.#sent + 1));
    return this.#floor;
  }
}

/** While one batch is compressed and sent, the next one is read, and looked for in what the peer has. */
async function* prepare(
  encoder: Encoder,
  batches: AsyncIterable<JournalRecord[]>,
): AsyncGenerator<{ records: JournalRecord[]; prepared: Prepared }, void, undefined> {
  for await (const records of batches) yield { records, prepared: await encoder.prepare(records) };
}
