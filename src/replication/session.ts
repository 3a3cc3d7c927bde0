import { randomBytes, timingSafeEqual } from 'node:crypto';
import { bodies } from '../channel/body-pool.js';
import type { Channel } from '../channel/channel.js';
import type { Join } from '../channel/join.js';
import {
  decodeHello,
  decodeHelloVersions,
  decodeQuery,
  decodeRefusal,
  decodeStart,
  encodeAck,
  encodeMiss,
  encodeRefusal,
  encodeReply,
  encodeWelcome,
  FrameType,
  type Hello,
  ID_BYTES,
  LOST_RANGES_MAX,
  PROTOCOL_VERSION,
  PROTOCOL_VERSION_MIN,
  REPLY_BYTES_MAX,
  type Start,
  TOKEN_BYTES,
} from '../channel/messages.js';
import type { Capability } from '../engine/capability.js';
import {
  ChainMismatchError,
  DiskFullError,
  EpochStaleError,
  JournalBrokenError,
  LonghaulError,
  ProtocolError,
  ProtocolVersionError,
  StorageError,
} from '../errors.js';
import { Decoder, HistoryLost, type RestoredBatch } from '../reduce/decoder.js';
import { merged, type PrefixRange } from '../reduce/prefix.js';
import { refusalError } from './greeting.js';
import { encodeFailure } from './queries.js';
import type { ReceiveLog } from './receive-log.js';

/** One channel of a sender at a receiver: greeting, start, then batches in and acknowledgements out. */

/** Records taken off the wire that are not durable yet; beyond this the socket is left unread. */
const UNLOGGED_BYTES_MAX = 16 * 1024 * 1024;

/** What a session needs of its channel, and what others that have the session do with it. */
export type SessionChannel = Pick<
  Channel,
  'send' | 'sendControl' | 'established' | 'begin' | 'windowBytes' | 'end' | 'destroy' | 'roundTripMs'
>;

type SessionLog = Pick<
  ReceiveLog,
  | 'begin'
  | 'append'
  | 'damaged'
  | 'holdHistory'
  | 'logged'
  | 'applied'
  | 'chain'
  | 'epoch'
  | 'volume'
  | 'historyBytes'
  | 'holdsContent'
>;

export interface SessionHost {
  readonly node: string;
  readonly adopt: boolean;
  readonly log: SessionLog;
  readonly decoder: Decoder;
  /** Makes this the receiver's one session; refuses when another node has it. */
  claim(session: Session, node: string): Promise<void>;
  query(name: string, body: Buffer): AsyncIterable<Buffer>;
  /** What the sender may send; asked for once, when it is greeted. */
  offer(): Capability;
  onOpen(session: Session): void;
  onBatch(records: number, payloadBytes: number): void;
  /** A batch could not be restored and is asked for anew. */
  onMiss(): void;
  /** The log takes no more. */
  onFailure(failure: LonghaulError): void;
}

/** Under load acknowledgements are at least this far apart. */
const ACK_INTERVAL_MS = 5;

/** What a record takes beside its key and payload. */
const RECORD_BYTES = 512;

type State = 'new' | 'greeted' | 'streaming';

export class Session {
  node: string | undefined;

  readonly channel: SessionChannel;
  /** Not 0, which is no session. */
  readonly #id = randomBytes(8).readBigUInt64LE() | 1n;
  readonly #token = randomBytes(TOKEN_BYTES);
  readonly #host: SessionHost;
  #state: State = 'new';
  #hello: Hello | undefined;
  #unloggedBytes = 0;
  #unlogged = 0;
  readonly #awaitChange: (() => void)[] = [];
  #ackTimer: NodeJS.Timeout | undefined;
  #ackedAtMs = Number.NEGATIVE_INFINITY;
  /** Bodies of batches that are logged. */
  readonly #used: Buffer[] = [];
  /** Of the batches that are taken. */
  #generation = 0;
  /** Records of history that a batch of this generation was lost for; no further one of it is taken then. */
  #lost: PrefixRange[] | undefined;
  #concluded = false;

  constructor(channel: SessionChannel, host: SessionHost) {
    this.channel = channel;
    this.#host = host;
  }

  async onMessage(frame: { type: number; body: Buffer; generation: number }): Promise<void> {
    try {
      if (frame.type === FrameType.refuse) throw refusalError(decodeRefusal(frame.body), 'the sender');
      if (this.#state === 'new' && frame.type === FrameType.hello) await this.#onHello(frame.body);
      else if (this.#state === 'greeted' && frame.type === FrameType.start)
        await this.#onStart(decodeStart(frame.body));
      else if (this.#state === 'streaming' && frame.type === FrameType.batch) await this.#onBatch(frame);
      else if (this.#state === 'streaming' && frame.type === FrameType.query) this.#onQuery(frame.body);
      else throw new ProtocolError(`frame type ${frame.type}`, `what follows state ${this.#state}`);
    } catch (error) {
      if (frame.type !== FrameType.refuse) this.refuse(error);
      throw error;
    }
  }

  /** Whether a further connection has shown that it belongs to this session. */
  admits({ session, token }: Join): boolean {
    return this.#state === 'streaming' && session === this.#id && timingSafeEqual(token, this.#token);
  }

  /** Says why before the channel goes. */
  refuse(error: unknown): void {
    const known = error instanceof LonghaulError ? error : new StorageError('receiving', 'the receive log', error);
    const message =
      known instanceof ProtocolVersionError ? `${PROTOCOL_VERSION_MIN} to ${PROTOCOL_VERSION}` : known.message;
    this.channel.sendControl(
      FrameType.refuse,
      encodeRefusal({ code: known.code, message, recoverable: known.recoverable }),
    );
  }

  notify(problem: LonghaulError): void {
    if (this.#state !== 'streaming') return;
    const { code, message, recoverable } = problem;
    this.channel.sendControl(FrameType.notice, encodeRefusal({ code, message, recoverable }));
  }

  /** Acknowledges at once when little happens, and otherwise for everything of the last few milliseconds together. */
  acknowledge(): void {
    if (this.#ackTimer !== undefined || this.#state !== 'streaming') return;
    const waitMs = ACK_INTERVAL_MS - (performance.now() - this.#ackedAtMs);
    if (waitMs <= 0) this.#sendAck();
    else this.#ackTimer = setTimeout(() => this.#sendAck(), waitMs);
  }

  #sendAck(): void {
    clearTimeout(this.#ackTimer);
    this.#ackTimer = undefined;
    this.#ackedAtMs = performance.now();
    const { logged, applied } = this.#host.log;
    const ack = { logged, applied: Math.min(applied, logged) };
    this.channel.sendControl(FrameType.ack, encodeAck(ack));
  }

  /** Batches that have not begun on their way to the log are let go of from here on: the sender has them. */
  conclude(): void {
    this.#concluded = true;
    this.#changed();
  }

  /** Resolves when nothing that this session has begun with the log is under way any more. */
  async idle(): Promise<void> {
    while (this.#unlogged > 0) await this.#change();
  }

  /** The same, but nobody who handles a message waits beyond the end. */
  async #caughtUp(): Promise<void> {
    while (this.#unlogged > 0 && !this.#concluded) await this.#change();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#awaitChange.push(resolve));
  }

  #changed(): void {
    for (const resolve of this.#awaitChange.splice(0)) resolve();
  }

  async #onHello(body: Buffer): Promise<void> {
    const { versionMin, versionMax } = decodeHelloVersions(body);
    if (versionMin > PROTOCOL_VERSION || versionMax < PROTOCOL_VERSION_MIN) {
      throw new ProtocolVersionError(
        `${PROTOCOL_VERSION_MIN} to ${PROTOCOL_VERSION}`,
        `${versionMin} to ${versionMax}`,
      );
    }
    const hello = decodeHello(body);
    await this.#host.claim(this, hello.node);
    this.node = hello.node;
    this.#hello = hello;
    const { log, node, adopt } = this.#host;
    this.#state = 'greeted';
    this.channel.sendControl(
      FrameType.welcome,
      encodeWelcome({
        version: Math.min(versionMax, PROTOCOL_VERSION),
        node,
        ...(log.volume === undefined ? {} : { volume: log.volume }),
        epoch: log.epoch,
        first: log.holdHistory(),
        historyBytes: log.historyBytes,
        last: log.logged,
        chain: log.chain,
        applied: log.applied,
        adopt,
        holdsContent: log.holdsContent,
        restores: this.#host.offer(),
        session: this.#id,
        token: this.#token,
        windowBytes: this.channel.windowBytes,
      }),
    );
  }

  async #onStart(start: Start): Promise<void> {
    const hello = this.#hello;
    if (hello === undefined || hello.volume.length !== 2 * ID_BYTES)
      throw new ProtocolError('START before HELLO', 'HELLO');
    const { log } = this.#host;
    if (hello.volume === log.volume && hello.epoch < log.epoch) {
      throw new EpochStaleError('the receiver', log.epoch, hello.epoch);
    }
    const adopt = this.#host.adopt || hello.adopt;
    const done = this.#atWork(0);
    await log.begin(start, hello.volume, adopt).finally(done);
    this.channel.established();
    this.channel.begin(this.#id, start.windowBytes);
    this.#state = 'streaming';
    this.channel.sendControl(FrameType.ready, Buffer.alloc(0));
    this.#host.onOpen(this);
    this.acknowledge();
  }

  /** Counted as unlogged from here on, so that whoever takes over waits for a batch still being decoded. */
  async #onBatch({ body, generation }: { body: Buffer; generation: number }): Promise<void> {
    if (this.#concluded) return;
    // What is dropped is not taken faster than the log takes what came before it.
    if (!this.#takes(generation)) return this.#caughtUp();
    const bytes = Math.max(body.byteLength, Decoder.decodedBytes(body));
    while (this.#unlogged > 0 && this.#unloggedBytes + bytes > UNLOGGED_BYTES_MAX && !this.#concluded) {
      await this.#change();
    }
    if (this.#concluded || this.#lost !== undefined) return this.#caughtUp();
    // Now, while nothing is being decoded: that may look into what is being logged.
    this.#giveBack();
    const done = this.#atWork(bytes);
    let batch: RestoredBatch;
    try {
      batch = await this.#host.decoder.decode(body);
    } catch (error) {
      return this.#onUndecoded(error, done);
    }
    const payloadBytes = batch.records.reduce((sum, record) => sum + record.payload.byteLength, 0);
    const more = this.#atWork(Math.max(0, heldBytes(batch) - bytes));
    const logged = this.#host.log.append(batch).then(
      () => {
        this.#host.onBatch(batch.records.length, payloadBytes);
        this.#used.push(body);
        this.acknowledge();
      },
      (error: unknown) => this.#onUnlogged(batch, error),
    );
    void logged.finally(() => {
      done();
      more();
    });
  }

  async #onUndecoded(error: unknown, done: () => void): Promise<void> {
    if (error instanceof HistoryLost) this.#miss(error.ranges);
    done();
    // What it refers to may be in a batch before it that is lost itself: then it is asked for together with that.
    await this.#caughtUp();
    if (this.#lost === undefined && !this.#concluded) throw error;
  }

  /** Whether batches of a generation are taken; the first one of the next ends the wait for it. */
  #takes(generation: number): boolean {
    if (this.#lost !== undefined && generation === this.#generation + 1) {
      this.#generation = generation;
      this.#lost = undefined;
      this.#host.decoder.reset();
    }
    if (generation > this.#generation)
      throw new ProtocolError(`a batch of generation ${generation}`, String(this.#generation));
    return generation === this.#generation && this.#lost === undefined;
  }

  async #onUnlogged(batch: RestoredBatch, error: unknown): Promise<void> {
    if (error instanceof ChainMismatchError && batch.bases.length > 0) {
      this.#miss([]);
      const sequences = [...new Set(batch.bases.map(({ sequence }) => sequence))];
      this.#miss(await this.#host.log.damaged(sequences.filter((sequence) => sequence <= this.#host.log.logged)));
      return;
    }
    // Behind a batch that was lost the next ones do not follow.
    if (this.#lost !== undefined) return;
    const failure = error instanceof LonghaulError ? error : new StorageError('receiving', 'the receive log', error);
    if (failure instanceof DiskFullError || failure instanceof JournalBrokenError) this.#host.onFailure(failure);
    this.refuse(failure);
    this.channel.destroy(failure);
  }

  /** Asks for what is not logged, in a new generation, once everything that was restored is logged. */
  #miss(ranges: readonly PrefixRange[]): void {
    if (this.#lost !== undefined) {
      // A batch before the one that was found lost is lost as well.
      this.#lost = merged([...this.#lost, ...ranges]);
      return;
    }
    this.#host.onMiss();
    this.#lost = [...ranges];
    void this.idle().then(() => {
      const lost = (this.#lost ?? []).length > LOST_RANGES_MAX ? [] : (this.#lost ?? []);
      const miss = { generation: this.#generation, next: this.#host.log.logged + 1, lost };
      this.channel.sendControl(FrameType.miss, encodeMiss(miss));
    });
  }

  /** Something is under way to the log until the returned function is called. */
  #atWork(bytes: number): () => void {
    this.#unlogged++;
    this.#unloggedBytes += bytes;
    return () => {
      this.#unlogged--;
      this.#unloggedBytes -= bytes;
      if (this.#unlogged === 0) {
        this.#giveBack();
        // Nothing is under way that it could go together with.
        if (this.#ackTimer !== undefined) this.#sendAck();
      }
      this.#changed();
    };
  }

  #giveBack(): void {
    for (const used of this.#used.splice(0)) bodies.give(used);
  }

  #onQuery(frame: Buffer): void {
    const { id, name, body } = decodeQuery(frame);
    void this.#answer(id, name, body).catch((error: unknown) => {
      const failure = encodeFailure(error instanceof Error ? error : new Error(String(error)));
      void this.channel.send(FrameType.reply, encodeReply({ id, status: 'failed', body: failure }));
    });
  }

  async #answer(id: number, name: string, body: Buffer): Promise<void> {
    for await (const part of this.#host.query(name, body)) {
      for (let at = 0; at < part.byteLength; at += REPLY_BYTES_MAX) {
        const slice = part.subarray(at, at + REPLY_BYTES_MAX);
        await this.channel.send(FrameType.reply, encodeReply({ id, status: 'data', body: slice }));
      }
    }
    await this.channel.send(FrameType.reply, encodeReply({ id, status: 'end', body: Buffer.alloc(0) }));
  }
}

/** About what the records of a batch take in memory. */
function heldBytes({ records }: RestoredBatch): number {
  return records.reduce((sum, { payload, key }) => sum + payload.byteLength + (key?.byteLength ?? 0) + RECORD_BYTES, 0);
}
