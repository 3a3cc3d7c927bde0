import { byteLengthOf } from '../engine/bytes.js';
import { looksCompressible, lz4Compress } from '../engine/compress.js';
import { ZstdEncoder } from '../engine/zstd-encoder.js';
import type { Journal, JournalRecord } from '../journal/journal.js';
import { encodeBatch, NO_REFERENCES, type References } from './batch.js';
import { bodyHeader, CODEC_LZ4, CODEC_NONE, CODEC_ZSTD, CODEC_ZSTD_FIRST } from './body.js';
import { type CodecPlan, rungOf } from './compression.js';
import { Finder, type Plans } from './finder.js';
import type { History } from './history.js';
import type { Outline, Outliner } from './outline.js';
import type { Rung } from './pace.js';
import { encodeRanges, NO_PREFIX, type Prefix } from './prefix.js';
import type { Stages } from './stages.js';
import { KEPT_PART, leavesLittle, Yield } from './yield.js';

/** Batches below this are sent as they are: the codec's own header would eat the gain. */
const LZ4_BYTES_MIN = 64;

/** Says when a frame of zstd begins, and with what. */
export interface FrameStarts {
  /**
   * What the frame begins with that these records are the first of; undefined when they go on in the one there is. So many
   * bytes of them are not known as they are. Another level than before has a frame begin as soon as that may be.
   */
  next(records: readonly JournalRecord[], unknown: number, level: number): Promise<Prefix | undefined>;
  /** So many bytes have gone into the frame, or beside it. */
  streamed(bytes: number): void;
  passed(bytes: number): void;
  /** Whether there is something that these records are likely to resemble, whatever they look like by themselves. */
  resemble(outlines: readonly Outline[]): boolean;
  /** Whether what a record replaces is in reach of the frame, and whether a record is. */
  reaches(outline: Outline): boolean;
  holds(sequence: number): boolean;
}

/** What the content of records is looked for in. */
export interface Known {
  journal: Pick<Journal, 'readRanges'>;
  history: History;
  outliner: Outliner;
  /** Is told of the outlines of all records, in order. */
  onOutlines?: (outlines: readonly Outline[]) => void;
}

export interface EncoderOptions {
  plan: CodecPlan;
  stages: Stages;
  /** What the next batch goes through, of what the plan has. Default: always the same. */
  rung?: () => Rung;
  /** Default: a single frame that refers to nothing but itself. */
  starts?: FrameStarts;
  /** Default: nothing is known. */
  known?: Known;
  /** The oldest record that a batch with this first one, and all behind it, may refer to. Default: none may be. */
  floor?: (first: number) => number;
  /** The first batch is sent without references. */
  literalFirst?: boolean;
}

/** A batch that still has to go through its codec. */
export interface Prepared {
  parts: Uint8Array[];
  batchBytes: number;
  payloadBytes: number;
  rung: Rung;
  /** Whether it is worth its time. */
  compress: boolean;
  /** What a frame begins with. */
  prefix: Prefix | undefined;
}

/**
 * Turns records into frame bodies; one for each generation, in order, its totals in `stages`. Both halves of the work go
 * on at a time: while one batch is compressed, the next may be prepared.
 */
export class Encoder {
  readonly #options: EncoderOptions;
  readonly #starts: FrameStarts;
  readonly #finder: Finder | undefined;
  #zstd: ZstdEncoder | undefined;
  #frameLevel = 0;
  #closed = false;
  /** The next batch is sent without references. */
  #literal: boolean;
  readonly #yield = new Yield(KEPT_PART);

  constructor(options: EncoderOptions) {
    this.#options = options;
    this.#literal = options.literalFirst ?? false;
    const starts = options.starts ?? oneFrame();
    this.#starts = starts;
    const { known, plan } = options;
    this.#finder =
      known === undefined || plan.codec === 'none' ? undefined : new Finder(known.journal, known.history, starts);
  }

  async encode(records: readonly JournalRecord[]): Promise<Uint8Array[]> {
    return this.finish(await this.prepare(records));
  }

  /** Looks for what the peer has of a batch. Batches are prepared one after another. */
  async prepare(records: readonly JournalRecord[]): Promise<Prepared> {
    const { stages, known, floor, plan } = this.#options;
    const literal = this.#literal;
    this.#literal = false;
    const asked = this.#options.rung?.() ?? rungOf(plan);
    const payloads = records.map(({ payload }) => payload);
    const payloadBytes = byteLengthOf(payloads);
    const first = records[0]?.sequence ?? 1;
    const oldest = floor?.(first) ?? first + records.length;
    known?.history.release(oldest);
    const begun = performance.now();
    // Behind a gap nothing can be noted; whoever keeps history closes it.
    const knows = this.#finder !== undefined && (known?.history.through ?? 0) + 1 >= first;
    const places = knows ? records.map((record) => (known as Known).outliner.placeOf(record)) : [];
    const looks = asked.codec !== 'none' || this.#replacesMuch(places, payloadBytes);
    // Of a batch that is not looked for, only where its records go: what the next one resembles may lie there.
    const outlines = looks
      ? places.map((place, index) => (known as Known).outliner.whole(place, payloads[index] as Buffer))
      : places;
    const plans = literal || !knows || !looks ? undefined : this.#finder?.plan(outlines);
    const planned = performance.now() - begun;
    const unknown = plans === undefined ? payloadBytes : plans.unknown;
    // Of what the peer has all of nothing but references is left, whatever it looks like.
    const isKnown = payloadBytes > 0 && plans?.copied === payloadBytes;
    const compress = looks && (isKnown || looksCompressible(payloads) || this.#starts.resemble(outlines));
    const primes = compress && asked.codec === 'zstd' && !literal;
    const prefix = primes ? await this.#starts.next(records, unknown, asked.level) : undefined;
    const { references, literalBytes } = await this.#refer(records, plans, payloadBytes, planned);
    const parts = encodeBatch(records, oldest, references);
    const batchBytes = byteLengthOf(parts);
    stages.add('batch', literalBytes, batchBytes);
    if (looks && asked.codec === 'none') this.#yield.note(payloadBytes, batchBytes);
    const rung = this.#rungFor(asked, looks && leavesLittle(payloadBytes, batchBytes));
    if (compress && rung.codec === 'zstd') this.#starts.streamed(batchBytes);
    else this.#starts.passed(batchBytes);
    for (const outline of outlines) known?.history.note(outline);
    if (looks) known?.onOutlines?.(outlines);
    return { parts, batchBytes, payloadBytes, rung, compress, prefix };
  }

  /** Compresses a batch. Batches are finished in the order in which they were prepared. */
  async finish(prepared: Prepared): Promise<Uint8Array[]> {
    const begun = performance.now();
    const body = await this.#compress(prepared);
    this.#options.stages.add('compress', prepared.batchBytes, byteLengthOf(body), performance.now() - begun);
    return body;
  }

  /** How a batch went that was just finished: a frame keeps its level until the next one may begin. */
  used({ rung, compress }: Prepared): Rung {
    return rung.codec === 'zstd' && compress ? { codec: 'zstd', level: this.#frameLevel } : rung;
  }

  /** Frees the memory of the codec; what is under way fails. */
  close(): void {
    this.#closed = true;
    this.#zstd?.close();
  }

  /** Of the codec, in bytes. */
  get memoryBytes(): number {
    return this.#zstd?.memoryBytes ?? 0;
  }

  /** Whether the peer has something in the place of half of it or more, and that has been worth looking at of late. */
  #replacesMuch(places: readonly Outline[], payloadBytes: number): boolean {
    const finder = this.#finder;
    if (finder === undefined || places.length === 0 || !this.#yield.isTried()) return false;
    return 2 * places.reduce((sum, place) => sum + finder.replacedBytes(place), 0) >= payloadBytes;
  }

  /** The little that references leave is little work for the best codec there is. */
  #rungFor(asked: Rung, leftLittle: boolean): Rung {
    const { plan } = this.#options;
    return leftLittle && plan.codec === 'zstd' && asked.codec !== 'zstd' ? rungOf(plan) : asked;
  }

  async #refer(
    records: readonly JournalRecord[],
    plans: Plans | undefined,
    payloadBytes: number,
    planned: number,
  ): Promise<{ references: References; literalBytes: number }> {
    const { stages } = this.#options;
    if (this.#finder === undefined) return { references: NO_REFERENCES, literalBytes: payloadBytes };
    if (plans === undefined) {
      stages.add('copy', payloadBytes, payloadBytes, planned);
      stages.add('delta', payloadBytes, payloadBytes);
      return { references: NO_REFERENCES, literalBytes: payloadBytes };
    }
    const begun = performance.now();
    const { references, copied, matched } = await this.#finder.find(records, plans);
    const uncopied = payloadBytes - copied;
    stages.add('copy', payloadBytes, uncopied, planned);
    stages.add('delta', uncopied, uncopied - matched, performance.now() - begun);
    return { references, literalBytes: uncopied - matched };
  }

  async #compress({ parts, batchBytes, payloadBytes, rung, compress, prefix }: Prepared): Promise<Uint8Array[]> {
    const { plan } = this.#options;
    if (rung.codec === 'zstd' && compress) {
      if (prefix === undefined && this.#zstd !== undefined) {
        return [bodyHeader(CODEC_ZSTD, batchBytes, payloadBytes), await this.#zstd.compress(parts)];
      }
      const { ranges, content } = prefix ?? NO_PREFIX;
      const first = await (await this.#begin(rung.level, content)).compress(parts);
      return [bodyHeader(CODEC_ZSTD_FIRST, batchBytes, payloadBytes), encodeRanges(ranges), first];
    }
    const always = plan.codec === 'lz4' && plan.always;
    if (rung.codec === 'lz4' && batchBytes >= LZ4_BYTES_MIN && (always || compress)) {
      const block = await lz4Compress(Buffer.concat(parts, batchBytes));
      if (block.byteLength < batchBytes) return [bodyHeader(CODEC_LZ4, batchBytes, payloadBytes), block];
    }
    return [bodyHeader(CODEC_NONE, batchBytes, payloadBytes), ...parts];
  }

  async #begin(level: number, prefix: Buffer): Promise<ZstdEncoder> {
    const { plan } = this.#options;
    if (plan.codec !== 'zstd') throw new RangeError(`zstd in a session with ${plan.codec}`);
    this.#zstd?.close();
    const encoder = await ZstdEncoder.open({ level, windowLog: plan.windowLog, prefix });
    this.#zstd = encoder;
    this.#frameLevel = level;
    if (this.#closed) encoder.close();
    return encoder;
  }
}

/** A single frame that refers to nothing but itself. */
function oneFrame(): FrameStarts {
  return {
    next: async () => undefined,
    streamed: () => {},
    passed: () => {},
    resemble: () => false,
    reaches: () => false,
    holds: () => false,
  };
}
