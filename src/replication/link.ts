import type { BackgroundStatus } from '../channel/background-window.js';
import { Backoff } from '../channel/backoff.js';
import { Bundle, type PathStatus } from '../channel/bundle.js';
import { Channel } from '../channel/channel.js';
import type { CongestionControl } from '../channel/congestion-control.js';
import { type Connect, Dialer } from '../channel/dialer.js';
import type { Message } from '../channel/incoming.js';
import {
  type Ack,
  decodeAck,
  decodeMiss,
  decodeRefusal,
  decodeReply,
  encodeQuery,
  FrameType,
  type Welcome,
} from '../channel/messages.js';
import type { Security } from '../channel/security.js';
import { publish } from '../engine/events.js';
import {
  ClosedError,
  ConnectionLostError,
  LonghaulError,
  PeerRefusedError,
  ProtocolError,
  ResyncRequiredError,
  SequenceGoneError,
} from '../errors.js';
import type { Journal } from '../journal/journal.js';
import type { Prefer, Priority } from '../options.js';
import {
  affordable,
  type CodecPlan,
  type CompressionChoice,
  codecPlan,
  ladderOf,
  rungOf,
} from '../reduce/compression.js';
import { History } from '../reduce/history.js';
import { reductionBudget } from '../reduce/memory-budget.js';
import { PACE_LEVEL_MAX, type Rung } from '../reduce/pace.js';
import { Stages } from '../reduce/stages.js';
import { begin, greet, judge, refusalError, refuse, requireProvenId } from './greeting.js';
import { FrameInbox } from './inbox.js';
import { Outflow, type Reduction } from './outflow.js';
import { type PeerAddress, pathsOf } from './peer-address.js';
import { PeerCursor } from './peer-cursor.js';
import type { PeerRate } from './peer-rate.js';
import type { PeerBook } from './peers.js';
import { Queries } from './queries.js';
import type { Rates } from './rates.js';
import { Throughput } from './throughput.js';
import { Traffic } from './traffic.js';

/** One peer of a sender: dials it, agrees where to begin, streams the queue to it, and starts over when that breaks. */

export type LinkState = 'connecting' | 'greeting' | 'streaming' | 'refused' | 'closed';

export interface LinkContext {
  journal: Journal;
  book: PeerBook;
  node: string;
  security: Security;
  connect: Connect;
  rates: Rates;
  compression: CompressionChoice;
  prefer: Prefer;
  reduction: Reduction;
  adopt: boolean;
  queueBytesMax: number;
  /** Time without a session after which the waiters are told; the link goes on trying. Undefined: never told. */
  giveUpAfterMs: number | undefined;
  peerTimeoutMs: number;
  heartbeatMs: number;
  /** Of each path that is not spare: to begin with, and at most. */
  connections: { min: number; max: number };
  windowBytesMax: number;
  congestionControl: CongestionControl;
  /** Of peers that have none of their own. */
  priority: Priority;
  /** What puts the records that a peer needs anew into the queue; undefined when nobody can. */
  supply: () => ((peer: string) => Promise<void>) | undefined;
  /** Refuses a node that answers for another of our peers too: it would be counted twice. */
  checkNode: (link: PeerLink, node: string) => void;
  /** Whether the records describe a tree that has to be compared, rather than being all there is. */
  comparesContent: () => boolean;
  /** Resolves when it is clear whether somebody can supply records. */
  ready: Promise<void>;
  /** Lets go what peers hold in the queue that are none of ours any more. */
  releaseStrangers: () => Promise<void>;
  onProgress: (link: PeerLink) => void;
  /** More of the queue is with the network. */
  onHandedOver: () => void;
  onProblem: (link: PeerLink, problem: LonghaulError) => void;
}

/** What a handshake comes to. */
interface Agreement {
  /** Proves that further connections belong to the session. */
  token: Buffer;
  /** The first record to send. */
  from: number;
  reset: boolean;
  plan: CodecPlan;
  /** What the session may choose from besides; undefined when it keeps to the plan. */
  ladder: readonly Rung[] | undefined;
  /** The oldest record that the peer holds. */
  historyFrom: number;
  /** What it keeps as history. */
  historyBytes: number;
}

/** What keeps a link from working until someone acts; it looks again at this interval. */
const REFUSED_RETRY_MS = 5000;
/** So does one for a further connection of a session, which other connections carry meanwhile. */
const FURTHER_DIAL_MS = 10_000;
/** What is on its way at the end has this long to get there; on a thin line it stays in the queue, as what waits behind it. */
const CLOSE_MS = 2000;
/** One attempt to connect ends after this much time at the latest, to be followed by another. */
const DIAL_MS_MAX = 60_000;

export class PeerLink {
  readonly address: PeerAddress;
  readonly stages = new Stages();
  readonly traffic = new Traffic();
  state: LinkState = 'connecting';
  /** How far the peer has come; while it is owed everything anew it counts as having nothing. */
  logged = 0;
  applied = 0;
  /** The node that has answered in this process. */
  confirmedId: string | undefined;
  /** The callers were told that the peer cannot be reached, and it has not come back since. */
  isStuck = false;
  /** Highest number handed to the connection in this process. */
  sent = 0;
  /** Every record up to this one has been handed to the network in this process. */
  handedOver = 0;
  recordsSent = 0;
  payloadBytesSent = 0;
  problem: LonghaulError | undefined;
  /** How often the peer could not restore what it was sent, in this process. */
  misses = 0;
  #priority: Priority;

  readonly #context: LinkContext;
  readonly #abort = new AbortController();
  readonly #queries: Queries;
  readonly #throughput = new Throughput();
  #channel: Channel | undefined;
  readonly #dialer: Dialer;
  #bundle: Bundle | undefined;
  readonly #cursor: PeerCursor;
  #downSince = performance.now();
  #running: Promise<void> | undefined;
  #wake = new AbortController();
  /** What the peer has acknowledged, whatever it is owed. */
  #acked = { logged: 0, applied: 0 };
  /** The peer has everything anew once it has this record; Infinity while not all of it is in the queue. */
  #owedThrough = 0;
  /** What the peer holds that content can be found in. */
  readonly #history: History;
  readonly #indexMemory = reductionBudget.index();
  readonly #claim = reductionBudget.claim();
  #outflow: Outflow | undefined;
  #lastRung: Rung | undefined;
  #supplying: 'no' | 'once' | 'again' = 'no';

  constructor(address: PeerAddress, context: LinkContext) {
    this.address = address;
    this.#context = context;
    this.#priority = address.priority ?? context.priority;
    this.#queries = new Queries(address.name);
    const { security, connect, rates, congestionControl, heartbeatMs, peerTimeoutMs } = context;
    const { name: peer, allow } = address;
    const { shaper } = rates.of(peer);
    const paths = pathsOf(address);
    const times = { heartbeatMs, peerTimeoutMs };
    this.#dialer = new Dialer({ peer, paths, security, allow, connect, shaper, congestionControl, ...times });
    this.#history = new History((bytes) => this.#indexMemory.grow(bytes));
    const { journal, book, queueBytesMax } = context;
    const id = book.idOf(peer);
    this.#cursor = new PeerCursor({ journal, peer, id, onFull: address.onFull ?? 'block', queueBytesMax });
    if (id !== undefined) this.#goOnAs(id);
  }

  /** The node that the peer is, or was the last time; undefined until it has answered for the first time. */
  get id(): string | undefined {
    return this.#cursor.id;
  }

  /** The name of the cursor that holds the queue for this peer. */
  get cursorName(): string {
    return this.#cursor.name;
  }

  /** What the peer says that it has applied, whatever it is owed. */
  get acknowledgedApplied(): number {
    return this.#acked.applied;
  }

  /** Whether the peer follows, has not got that far yet, and would be left behind if the queue were full. */
  mustNotBeLost(sequence: number): boolean {
    const follows = this.state === 'streaming' && this.address.onFull === 'detach' && !this.isDetached;
    return follows && this.#acked.logged < sequence;
  }

  /** The queue was full and went on without the peer. */
  get isDetached(): boolean {
    return this.#cursor.isDetached;
  }

  /** What the reduction holds in memory for the peer, in bytes. */
  get reductionBytes(): number {
    return this.#history.memoryBytes + (this.#outflow?.memoryBytes ?? 0);
  }

  /** How records are sent, or were in the last session; undefined before the first. */
  get rung(): Rung | undefined {
    return this.#outflow?.rung ?? this.#lastRung;
  }

  get isStreaming(): boolean {
    return this.state === 'streaming';
  }

  /** Payload bytes in a millisecond while there is enough to do; undefined until that was seen. */
  get bytesPerMs(): number | undefined {
    return this.#throughput.bytesPerMs;
  }

  get roundTripMs(): number | undefined {
    return this.#channel?.roundTripMs;
  }

  /** The ways to the peer, while a session runs. */
  get paths(): PathStatus[] {
    return this.#bundle?.status ?? pathsOf(this.address).map((path) => ({ ...path, state: 'down', connections: 0 }));
  }

  /** Whether it takes its part of the line, or what others leave; to be changed at any time. */
  get priority(): Priority {
    return this.#priority;
  }

  set priority(priority: Priority) {
    this.#priority = priority;
    if (this.#channel !== undefined) this.#channel.priority = priority;
  }

  /** In the background, what it takes and leaves at present; undefined otherwise, and until something was measured. */
  get yields(): BackgroundStatus | undefined {
    return this.#channel?.yields;
  }

  /** How fast it is sent to. */
  get rate(): PeerRate {
    return this.#context.rates.of(this.address.name);
  }

  start(): void {
    this.#running = this.#run();
  }

  /** Tries again at once what was refused for want of somebody to supply records. */
  retry(): void {
    if (!(this.problem instanceof ResyncRequiredError)) return;
    this.problem = undefined;
    if (this.state === 'refused') this.#enter('connecting');
    this.#wake.abort();
  }

  /** Asks the peer something outside the ordered stream; only while a session runs. */
  query(name: string, body: Buffer): AsyncGenerator<Buffer> {
    const channel = this.#channel;
    if (channel === undefined || this.state !== 'streaming') {
      throw new ConnectionLostError(this.address.name, 'no session is up');
    }
    return this.#queries.ask((id) => channel.sendControl(FrameType.query, encodeQuery({ id, name, body })));
  }

  async close(): Promise<void> {
    this.#abort.abort();
    await this.#endChannel();
    await this.#running;
    await this.#cursor.move(this.#acked.logged);
    this.#enter('closed');
  }

  async #endChannel(): Promise<void> {
    const channel = this.#channel;
    if (channel === undefined) return;
    const late = setTimeout(() => channel.destroy(new ClosedError('the sender')), CLOSE_MS);
    await channel.end();
    clearTimeout(late);
  }

  /** Gives back all memory that is counted, once the link is closed or when it is not started. */
  leaveBudget(): void {
    this.#claim.end();
    this.#indexMemory.end();
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
        this.#wake = new AbortController();
        await backoff.wait(AbortSignal.any([this.#abort.signal, this.#wake.signal]), pause).catch(() => {});
      }
    }
  }

  /** One connection from dial to its end. */
  async #session(onUp: () => void): Promise<void> {
    this.#enter('connecting');
    const { name } = this.address;
    const { giveUpAfterMs, windowBytesMax } = this.#context;
    const connectTimeoutMs = Math.min(Math.max(1, giveUpAfterMs ?? DIAL_MS_MAX), DIAL_MS_MAX);
    const lead = await this.#dialer.openAny(connectTimeoutMs, this.#abort.signal);
    const inbox = new FrameInbox(name);
    const onMessage = (message: Message) => inbox.accept(message);
    const { connection, role } = lead;
    const channel: Channel = new Channel({
      lead: connection,
      role,
      onMessage,
      onPeerEnd: () => this.#onPeerEnd(channel),
      windowBytesMax,
      priority: this.#priority,
    });
    this.#channel = channel;
    this.traffic.attach(channel);
    void channel.closed.then((error) => inbox.close(error));
    let wasUp = false;
    try {
      const agreed = await this.#agree(channel, inbox);
      await inbox.handOver((frame) => this.#onFrame(frame));
      onUp();
      wasUp = true;
      this.problem = undefined;
      this.isStuck = false;
      this.#openBundle(channel, agreed.token);
      this.#enter('streaming');
      if (agreed.reset) this.#startSupply();
      await this.#stream(channel, agreed);
    } finally {
      if (wasUp) this.#downSince = performance.now();
      channel.destroy(new ConnectionLostError(name, 'session over'));
      const reason = await channel.closed;
      await this.#bundle?.stop();
      this.#bundle = undefined;
      this.#claim.give();
      this.traffic.detach(channel);
      this.#channel = undefined;
      this.#queries.fail(reason);
    }
  }

  #openBundle(channel: Channel, token: Buffer): void {
    const { connections } = this.#context;
    this.#bundle = new Bundle({
      channel,
      token,
      connections,
      paths: pathsOf(this.address),
      open: (path, signal) => this.#dialer.open(path, FURTHER_DIAL_MS, signal),
      isHeld: () => Number.isFinite(this.rate.shaper.quantumBytes) || this.priority === 'background',
    });
    this.#bundle.start();
  }

  /** The handshake; gives the first record to send. */
  async #agree(channel: Channel, inbox: FrameInbox): Promise<Agreement> {
    this.#enter('greeting');
    const { journal, node, adopt } = this.#context;
    const hello = { node, volume: journal.volume, epoch: journal.lastEpoch, last: journal.last, adopt };
    const welcome = await greet(channel, inbox, hello);
    requireProvenId(this.address.name, channel.peerId, welcome.node);
    this.#context.checkNode(this, welcome.node);
    this.confirmedId = welcome.node;
    await this.#context.book.bind(this.address.name, welcome.node);
    this.#bind(welcome.node);
    await this.#context.releaseStrangers();
    const acknowledged = Math.max(this.#cursor.position, this.#acked.logged);
    // The queue tells how the tree changed, not how it came about: a new replica is compared with it instead. So is one
    // that has gone back in time, because its files may not have gone with it.
    const isNew = welcome.volume === undefined;
    const isOlder = welcome.last < acknowledged || welcome.applied < this.#acked.applied;
    if (isNew || isOlder) await this.#context.ready;
    const mustCompare = (isNew || isOlder) && this.#context.comparesContent();
    const told = mustCompare ? { ...welcome, holdsContent: true } : welcome;
    const verdict = await judge(journal, told, acknowledged, adopt);
    if (verdict.action === 'refuse') throw refuse(channel, journal, welcome, verdict.code);
    const cutShort = this.#context.book.owes(welcome.node) && this.#supplying === 'no';
    const reset = verdict.action === 'resync' || cutShort;
    const because = verdict.action === 'resync' ? verdict.because : 'an earlier one was cut short';
    const from = await this.#startingPoint(welcome, reset, because);
    await this.#cursor.resume(from - 1);
    channel.established();
    channel.begin(welcome.session, welcome.windowBytes);
    const plan = this.#plan(welcome);
    await begin(channel, inbox, journal, from, reset);
    if (reset) this.#owedThrough = Number.POSITIVE_INFINITY;
    this.#acked = { logged: from - 1, applied: reset ? from - 1 : Math.min(welcome.applied, from - 1) };
    this.#count();
    this.sent = from - 1;
    this.handedOver = from - 1;
    this.#saveCursor();
    this.#context.onProgress(this);
    this.#lastRung = rungOf(plan);
    const ladder = this.#ladder(plan, welcome);
    const { token, historyBytes, first } = welcome;
    return { token, from, reset, plan, ladder, historyFrom: reset ? from : first, historyBytes };
  }

  #plan({ restores }: Welcome): CodecPlan {
    const plan = codecPlan(this.#context.compression, restores);
    const level = plan.codec === 'zstd' ? plan.level : 0;
    return affordable(plan, restores, this.#claim, this.#isPaced ? Math.max(level, PACE_LEVEL_MAX) : level);
  }

  get #isPaced(): boolean {
    return this.#context.prefer === 'latency' && this.#context.compression.codec === 'auto';
  }

  #ladder(plan: CodecPlan, { restores }: Welcome): Rung[] | undefined {
    return this.#isPaced ? ladderOf(plan, restores, this.#context.rates.highestOf(this.address.name)) : undefined;
  }

  async #startingPoint(welcome: Welcome, reset: boolean, because: string): Promise<number> {
    const { journal, supply, book, ready } = this.#context;
    if (!reset) return welcome.last + 1;
    await ready;
    if (supply() === undefined) throw new ResyncRequiredError(this.address.name, because);
    await book.owe(welcome.node);
    const base = journal.last + 1;
    await this.#cursor.move(base - 1);
    return base;
  }

  /** One supply at a time; a peer that starts over in the middle of one gets all of it again. */
  #startSupply(): void {
    if (this.#supplying !== 'no') {
      this.#supplying = 'again';
      return;
    }
    this.#supplyAll().catch((error: unknown) => {
      this.#supplying = 'no';
      if (this.#abort.signal.aborted) return;
      // Still owed: the next session has the peer start over, and asks for the records anew.
      this.#channel?.destroy(
        error instanceof LonghaulError
          ? error
          : new ResyncRequiredError(this.address.name, `supplying the records failed: ${message(error)}`, error),
      );
    });
  }

  async #supplyAll(): Promise<void> {
    const { journal, supply, book } = this.#context;
    do {
      this.#supplying = 'once';
      await supply()?.(this.address.name);
      await journal.flush();
    } while ((this.#supplying as string) === 'again');
    this.#owedThrough = journal.last;
    if (this.id !== undefined) await book.settle(this.id);
    this.#supplying = 'no';
    this.#count();
    this.#context.onProgress(this);
  }

  #count(): void {
    const { logged, applied } = this.#acked;
    this.logged = logged >= this.#owedThrough ? logged : 0;
    this.applied = applied >= this.#owedThrough ? applied : 0;
  }

  /** What has not gone out would be sent to nobody, for as long as a slow line takes: it goes to the next session. */
  #onPeerEnd(channel: Channel): void {
    if (channel.backlog.waitingBytes === 0) return;
    channel.destroy(new ConnectionLostError(this.address.name, 'it ended the session'));
  }

  async #stream(channel: Channel, agreed: Agreement): Promise<void> {
    const stop = new AbortController();
    const ended = channel.closed.then((error) => {
      stop.abort();
      throw error ?? new ConnectionLostError(this.address.name, 'it closed the connection');
    });
    // When the connection ends, or is about to, its reason counts, not that the sending was called off.
    const pumped = this.#pump(channel, agreed, stop.signal).catch((error: unknown) => {
      if (!stop.signal.aborted && !(error instanceof ClosedError)) throw error;
    });
    try {
      await Promise.race([ended, pumped]);
    } finally {
      stop.abort();
      await pumped.catch(() => {});
    }
    await ended;
  }

  async #pump(channel: Channel, agreed: Agreement, ended: AbortSignal): Promise<void> {
    const { from, plan, ladder, historyFrom, historyBytes } = agreed;
    const { journal, reduction, prefer } = this.#context;
    if (this.#history.through > journal.last) this.#history.clear();
    this.#outflow = new Outflow({
      journal,
      channel,
      reduction,
      plan,
      ...(ladder === undefined ? {} : { ladder }),
      waits: prefer === 'bytes',
      history: this.#history,
      stages: this.stages,
      throughput: this.#throughput,
      onHandedOver: (sequence) => {
        this.handedOver = Math.max(this.handedOver, sequence);
        this.#context.onHandedOver();
      },
      historyBytes,
      historyFrom,
      held: () => this.#acked.logged,
      onSent: (records) => {
        this.sent = records[records.length - 1]?.sequence ?? this.sent;
        this.recordsSent += records.length;
        for (const { payload } of records) this.payloadBytesSent += payload.byteLength;
      },
    });
    try {
      await this.#outflow.run(from, ended);
    } finally {
      this.#lastRung = this.#outflow.rung;
      this.#outflow = undefined;
    }
  }

  #onFrame(frame: { type: number; body: Buffer }): void | Promise<void> {
    switch (frame.type) {
      case FrameType.ack:
        return this.#onAck(decodeAck(frame.body));
      case FrameType.miss:
        this.misses++;
        return this.#outflow?.onMiss(decodeMiss(frame.body));
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
        throw new ProtocolError(`frame type ${frame.type} in a stream`, 'ACK, MISS, REPLY, NOTICE or REFUSE');
    }
  }

  #onAck({ logged, applied }: Ack): void {
    if (logged > this.sent || applied > logged) {
      throw new ProtocolError(
        `an acknowledgement of ${logged}/${applied}`,
        `at most ${this.sent}, applied at most logged`,
      );
    }
    if (applied > this.#acked.applied) this.problem = undefined;
    this.#acked.logged = Math.max(this.#acked.logged, logged);
    this.#acked.applied = Math.max(this.#acked.applied, applied);
    this.#count();
    this.#saveCursor();
    this.#context.onProgress(this);
  }

  #saveCursor(): void {
    this.#cursor.save(this.#acked.logged).catch((error: unknown) => {
      this.#context.onProblem(this, asLonghaul(error, this.address.name));
    });
  }

  #bind(id: string): void {
    if (this.id === id) return;
    this.#cursor.bind(id);
    this.#history.forgetLosses();
    this.#goOnAs(id);
  }

  /** Counts what that node has, as far as is known here. */
  #goOnAs(id: string): void {
    this.#owedThrough = this.#context.book.owes(id) ? Number.POSITIVE_INFINITY : 0;
    this.#acked = { logged: this.#cursor.position, applied: 0 };
    this.#count();
  }

  /** Notes what went wrong; true when nothing will change until someone acts. */
  #takeProblem(problem: LonghaulError): boolean {
    const { giveUpAfterMs } = this.#context;
    const downMs = performance.now() - this.#downSince;
    const needsSomebody = problem instanceof PeerRefusedError || problem instanceof ResyncRequiredError;
    // The queue went on without the peer: the next session finds out what it needs.
    const isGone = problem instanceof SequenceGoneError;
    const transient = isGone || (problem.recoverable && !needsSomebody);
    this.problem = problem;
    this.#enter(transient ? 'connecting' : 'refused');
    if (!transient || (giveUpAfterMs !== undefined && downMs >= giveUpAfterMs)) {
      this.isStuck = true;
      this.#context.onProblem(this, problem);
    }
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

function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
