import { Connection } from '../channel/connection.js';
import { Backoff, dial } from '../channel/dial.js';
import { decodeAck, decodeRefusal, decodeReply, encodeQuery, FrameType, type Welcome } from '../channel/messages.js';
import type { Shaper } from '../channel/shaper.js';
import { publish } from '../engine/events.js';
import { prefetched } from '../engine/prefetch.js';
import { ConnectionLostError, LonghaulError, PeerRefusedError, ProtocolError, ResyncRequiredError } from '../errors.js';
import type { Journal, JournalCursor } from '../journal/journal.js';
import type { Compression } from '../options.js';
import { BATCH_BYTES, BATCH_RECORDS_MAX } from '../reduce/batch.js';
import { Encoder } from '../reduce/encoder.js';
import { Stages } from '../reduce/stages.js';
import { begin, greet, judge, refusalError, refuse } from './greeting.js';
import { FrameInbox } from './inbox.js';
import type { PeerBook } from './peers.js';
import { Queries } from './queries.js';
import { Traffic } from './traffic.js';

/** One peer of a sender: dials it, agrees where to begin, streams the queue to it, and starts over when that breaks. */

export type LinkState = 'connecting' | 'greeting' | 'streaming' | 'refused' | 'closed';

export interface LinkContext {
  journal: Journal;
  book: PeerBook;
  node: string;
  shaper: Shaper | undefined;
  compression: Compression;
  adopt: boolean;
  /** Time without a session after which the waiters are told; the link goes on trying. Undefined: never told. */
  giveUpAfterMs: number | undefined;
  peerTimeoutMs: number;
  heartbeatMs: number;
  /** Supplies records for a peer that needs everything anew; undefined when nobody can. */
  resync: (link: PeerLink) => Promise<void> | undefined;
  /** Resolves when it is clear whether somebody can. */
  ready: Promise<void>;
  /** Lets go what peers hold in the queue that are none of ours any more. */
  releaseStrangers: () => Promise<void>;
  onProgress: (link: PeerLink) => void;
  onProblem: (link: PeerLink, problem: LonghaulError) => void;
}

export interface PeerAddress {
  name: string;
  host: string;
  port: number;
}

/** What keeps a link from working until someone acts; it looks again at this interval. */
const REFUSED_RETRY_MS = 5000;
/** The acknowledged position is persisted after this much time, or when the peer has caught up. */
const CURSOR_INTERVAL_MS = 250;

export const PEER_CURSOR_PREFIX = 'peer:';
const peerCursor = (id: string): string => `${PEER_CURSOR_PREFIX}${id}`;
const unknownPeer = (name: string): string => `${PEER_CURSOR_PREFIX}?${name}`;

export class PeerLink {
  readonly address: PeerAddress;
  readonly stages = new Stages();
  readonly traffic = new Traffic();
  state: LinkState = 'connecting';
  id: string | undefined;
  logged = 0;
  applied = 0;
  /** Highest number handed to the connection in this process. */
  sent = 0;
  recordsSent = 0;
  payloadBytesSent = 0;
  problem: LonghaulError | undefined;
  /** Settles when the records of a running resynchronisation are all in the queue. */
  resyncing: Promise<void> | undefined;

  readonly #context: LinkContext;
  readonly #abort = new AbortController();
  readonly #queries: Queries;
  #connection: Connection | undefined;
  #cursor: JournalCursor | undefined;
  #cursorSavedAt = 0;
  #downSince = performance.now();
  #running: Promise<void> | undefined;

  constructor(address: PeerAddress, context: LinkContext) {
    this.address = address;
    this.#context = context;
    this.#queries = new Queries(address.name);
    const id = context.book.idOf(address.name);
    if (id === undefined)
      this.#cursor = context.journal.cursor(unknownPeer(address.name), { at: context.journal.first - 1 });
    else this.#bind(id);
  }

  /** The name of the cursor that holds the queue for this peer. */
  get cursorName(): string {
    return this.id === undefined ? unknownPeer(this.address.name) : peerCursor(this.id);
  }

  get roundTripMs(): number | undefined {
    return this.#connection?.roundTripMs;
  }

  start(): void {
    this.#running = this.#run();
  }

  /** Asks the peer something outside the ordered stream; only while a session runs. */
  query(name: string, body: Buffer): AsyncGenerator<Buffer> {
    const connection = this.#connection;
    if (connection === undefined || this.state !== 'streaming') {
      throw new ConnectionLostError(this.address.name, 'no session is up');
    }
    return this.#queries.ask((id) => connection.sendControl(FrameType.query, encodeQuery({ id, name, body })));
  }

  async close(): Promise<void> {
    this.#abort.abort();
    await this.#connection?.end();
    await this.#running;
    await this.#cursor?.advance(this.logged);
    this.#enter('closed');
  }

  async #run(): Promise<void> {
    const backoff = new Backoff();
    while (!this.#abort.signal.aborted) {
      try {
        await this.#session(() => backoff.reset());
      } catch (error) {
        if (this.#abort.signal.aborted) return;
        const problem = asLonghaul(error, this.address.name);
        const pause = this.#takeProblem(problem) ? REFUSED_RETRY_MS : undefined;
        await backoff.wait(this.#abort.signal, pause).catch(() => {});
      }
    }
  }

  /** One connection from dial to its end. */
  async #session(onUp: () => void): Promise<void> {
    this.#enter('connecting');
    const { host, port, name } = this.address;
    const connectTimeoutMs = this.#context.giveUpAfterMs ?? 60_000;
    const socket = await dial({ host, port, connectTimeoutMs, signal: this.#abort.signal });
    const inbox = new FrameInbox(name);
    const { shaper, heartbeatMs, peerTimeoutMs } = this.#context;
    const connection = new Connection({
      socket,
      peer: name,
      heartbeatMs,
      peerTimeoutMs,
      onFrame: (frame) => inbox.accept(frame),
      ...(shaper === undefined ? {} : { shaper }),
    });
    this.#connection = connection;
    this.traffic.attach(connection);
    void connection.closed.then((error) => inbox.close(error));
    try {
      const { from, reset } = await this.#agree(connection, inbox);
      await inbox.handOver((frame) => this.#onFrame(frame));
      onUp();
      this.problem = undefined;
      this.#enter('streaming');
      if (reset) this.#startResync();
      await this.#stream(connection, from);
    } finally {
      this.#downSince = performance.now();
      connection.destroy(new ConnectionLostError(name, 'session over'));
      const reason = await connection.closed;
      this.traffic.detach(connection);
      this.#connection = undefined;
      this.#queries.fail(reason);
    }
  }

  /** The handshake; gives the first record to send. */
  async #agree(connection: Connection, inbox: FrameInbox): Promise<{ from: number; reset: boolean }> {
    this.#enter('greeting');
    const { journal, node, adopt } = this.#context;
    const hello = { node, volume: journal.volume, epoch: 1, last: journal.last, adopt };
    const welcome = await greet(connection, inbox, hello);
    await this.#context.book.bind(this.address.name, welcome.node);
    this.#bind(welcome.node);
    await this.#context.releaseStrangers();
    const acknowledged = this.#cursor?.position ?? 0;
    const verdict = await judge(journal, welcome, acknowledged, adopt);
    if (verdict.action === 'refuse') throw refuse(connection, journal, welcome, this.address.name, verdict);
    const reset = verdict.action === 'resync';
    const from = await this.#startingPoint(welcome, reset, verdict.because);
    connection.established();
    await begin(connection, inbox, journal, from, reset);
    this.logged = from - 1;
    this.applied = reset ? from - 1 : Math.min(welcome.applied, from - 1);
    this.sent = from - 1;
    this.#saveCursor();
    this.#context.onProgress(this);
    return { from, reset };
  }

  async #startingPoint(welcome: Welcome, reset: boolean, because: string): Promise<number> {
    const { journal, resync, ready } = this.#context;
    if (!reset) return welcome.last + 1;
    await ready;
    if (resync(this) === undefined) throw new ResyncRequiredError(this.address.name, because);
    const base = journal.last + 1;
    await this.#cursor?.advance(base - 1);
    return base;
  }

  #startResync(): void {
    const running = this.#context.resync(this);
    this.resyncing = running
      ?.catch((error: unknown) => this.#context.onProblem(this, asLonghaul(error, this.address.name)))
      .finally(() => (this.resyncing = undefined));
  }

  async #stream(connection: Connection, from: number): Promise<void> {
    const stop = new AbortController();
    const ended = connection.closed.then((error) => {
      stop.abort();
      throw error ?? new ConnectionLostError(this.address.name, 'it closed the connection');
    });
    // When the connection ends first its reason counts, not that the reading of the queue was called off.
    const pumped = this.#pump(connection, from, stop.signal).catch((error: unknown) => {
      if (!stop.signal.aborted) throw error;
    });
    await Promise.race([ended, pumped]).finally(() => stop.abort());
    await ended;
  }

  async #pump(connection: Connection, from: number, ended: AbortSignal): Promise<void> {
    const own = new AbortController();
    const signal = AbortSignal.any([ended, own.signal]);
    const encoder = new Encoder(this.#context.compression, this.stages);
    const limits = { batchBytesMax: BATCH_BYTES, batchRecordsMax: BATCH_RECORDS_MAX };
    const batches = this.#context.journal.readBatches(from, { follow: true, signal, ...limits });
    for await (const records of prefetched(batches, () => own.abort())) {
      const body = await encoder.encode(records);
      this.sent = records[records.length - 1]?.sequence ?? this.sent;
      await connection.send(FrameType.batch, body);
      this.recordsSent += records.length;
      for (const record of records) this.payloadBytesSent += record.payload.byteLength;
    }
  }

  #onFrame(frame: { type: number; body: Buffer }): void | Promise<void> {
    switch (frame.type) {
      case FrameType.ack:
        return this.#onAck(decodeAck(frame.body));
      case FrameType.reply:
        return this.#queries.onReply(decodeReply(frame.body));
      case FrameType.notice: {
        const { code, message, recoverable } = decodeRefusal(frame.body);
        this.problem = new PeerRefusedError(this.address.name, code, message, recoverable);
        publish('peer', { peer: this.address.name, state: this.state, problem: this.problem });
        // The receiver tries again by itself; only callers that asked not to wait for long are told.
        if (this.#context.giveUpAfterMs !== undefined) this.#context.onProblem(this, this.problem);
        return;
      }
      case FrameType.refuse:
        throw refusalError(decodeRefusal(frame.body), this.address.name);
      default:
        throw new ProtocolError(`frame type ${frame.type} in a stream`, 'ACK, REPLY, NOTICE or REFUSE');
    }
  }

  #onAck({ logged, applied }: { logged: number; applied: number }): void {
    if (logged > this.sent || applied > logged) {
      throw new ProtocolError(
        `an acknowledgement of ${logged}/${applied}`,
        `at most ${this.sent}, applied at most logged`,
      );
    }
    if (applied > this.applied) this.problem = undefined;
    this.logged = Math.max(this.logged, logged);
    this.applied = Math.max(this.applied, applied);
    this.#saveCursor();
    this.#context.onProgress(this);
  }

  /** Not at every acknowledgement: each save is a sync that the queue's own syncs would wait for. */
  #saveCursor(): void {
    const now = performance.now();
    if (now - this.#cursorSavedAt < CURSOR_INTERVAL_MS && this.logged < this.#context.journal.last) return;
    this.#cursorSavedAt = now;
    this.#cursor?.advance(this.logged).catch((error: unknown) => {
      this.#context.onProblem(this, asLonghaul(error, this.address.name));
    });
  }

  /** A peer that has not said yet who it is holds the queue under its name, and from then on under its id. */
  #bind(id: string): void {
    if (this.id === id) return;
    const { journal } = this.#context;
    const before = this.id === undefined ? this.#cursor : undefined;
    this.id = id;
    this.#cursor = journal.cursor(peerCursor(id), { at: before?.position ?? journal.first - 1 });
    this.logged = this.#cursor.position;
  }

  /** Notes what went wrong; true when nothing will change until someone acts. */
  #takeProblem(problem: LonghaulError): boolean {
    const { giveUpAfterMs } = this.#context;
    const downMs = performance.now() - this.#downSince;
    const transient = problem.recoverable && !(problem instanceof PeerRefusedError);
    this.problem = problem;
    this.#enter(transient ? 'connecting' : 'refused');
    if (!transient) this.#context.onProblem(this, problem);
    else if (giveUpAfterMs !== undefined && downMs >= giveUpAfterMs) this.#context.onProblem(this, problem);
    return !transient;
  }

  #enter(state: LinkState): void {
    if (this.state === state) return;
    this.state = state;
    publish('peer', {
      peer: this.address.name,
      state,
      ...(this.problem === undefined || state === 'greeting' ? {} : { problem: this.problem }),
    });
    this.#context.onProgress(this);
  }
}

function asLonghaul(error: unknown, peer: string): LonghaulError {
  return error instanceof LonghaulError ? error : new ConnectionLostError(peer, String(error), error);
}
