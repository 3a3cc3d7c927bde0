import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { TlsOptions } from 'node:tls';
import { requireLoopback } from '../channel/address.js';
import { type Channel, WINDOW_BYTES_MAX } from '../channel/channel.js';
import { type CongestionControl, congestionControlOption } from '../channel/congestion-control.js';
import type { Message } from '../channel/incoming.js';
import { Listener, STRANGERS_MAX } from '../channel/listener.js';
import { openSecurity } from '../channel/open-security.js';
import type { SecuredSocket, Security, SecurityOptions } from '../channel/security.js';
import { type Capability, ownCapability } from '../engine/capability.js';
import { type Engine, engine } from '../engine/engine.js';
import { publish } from '../engine/events.js';
import { storageError } from '../engine/files.js';
import {
  ConnectionLostError,
  InvalidArgumentError,
  type LonghaulError,
  PeerRefusedError,
  SequenceGoneError,
} from '../errors.js';
import { DirectoryLock, Journal, type JournalRecord } from '../journal/journal.js';
import { directoryOption, integerOption } from '../options.js';
import { Decoder } from '../reduce/decoder.js';
import { decoderBytes, REDUCTION_BYTES, reductionBudget } from '../reduce/memory-budget.js';
import { type StageCounts, Stages } from '../reduce/stages.js';
import { Arrivals } from './arrivals.js';
import { type ApplyCallback, type Consumer, callbackConsumer } from './consumer.js';
import { requireProvenId } from './greeting.js';
import { nodeId } from './node-id.js';
import { FINISH_QUESTION } from './queries.js';
import { Readiness } from './readiness.js';
import { ReceiveLog } from './receive-log.js';
import {
  type HeartbeatTimes,
  heartbeatTimes,
  type JournalLimits,
  journalLimits,
  requireAllowed,
} from './sender-options.js';
import { Session } from './session.js';
import { securityStage, Traffic } from './traffic.js';

export interface ReceiverOptions extends SecurityOptions<TlsOptions> {
  /** State directory, made when missing; holds the receive log. One process at a time. */
  dir: string;
  /** Where to listen; without `identity` or `tls` a loopback host. Port 0 takes a free one, see `port`. */
  listen: { host: string; port: number };
  /**
   * Takes each record, in order, at least once: its effect must be durable when it returns. A throw stalls, is reported
   * and tried again. Without it records are only logged, until a Replica is opened on this receiver.
   */
  apply?: ApplyCallback;
  /** Take over a log that belongs to another volume, or an existing replica directory (default false). */
  adopt?: boolean;
  /** Disk for records that are logged but not applied, in bytes, 16 MiB to 1 PiB (default 8 GiB). */
  queueBytesMax?: number;
  /** Bytes of the state directory's file system that stay free for others; the log counts as full before (default 0: off). */
  diskReserveBytes?: number;
  /** Memory for records that are not durable yet, in bytes (default 64 MiB). */
  pendingBytesMax?: number;
  /** Applied records kept, in bytes (default 1 GiB). */
  historyBytes?: number;
  /** Size of a log segment in bytes (default 64 MiB). */
  segmentBytes?: number;
  /** Bound of the memory of all reduction in this process, as in SenderOptions. */
  reductionBytesMax?: number;
  /**
   * How the system finds out how fast it may send: `auto` (default) is bbr where it may be had, else cubic; `system` leaves
   * it alone; a name is that one, or the error CONGESTION_CONTROL_REFUSED. Needs the native engine and Linux.
   */
  congestionControl?: CongestionControl;
  /** Bytes that a sender may have under way to this end and not handled, 1 MiB to 1 GiB (default 64 MiB). */
  windowBytesMax?: number;
  /**
   * Connections that have not proved yet who they are, at the same time, 1 to 65,535 (default 64). When one more comes, the
   * oldest goes of the address that has the most. With `identity` or `tls`; otherwise there is nothing to prove.
   */
  strangersMax?: number;
  /** Silence after which a sender counts as gone, in milliseconds, 500 to 600,000 (default 15,000). */
  peerTimeoutMs?: number;
  /** Interval of heartbeats in milliseconds, 50 to 60,000 (default 2,000). */
  heartbeatMs?: number;
}

export interface ReceiverStatus {
  /** Volume whose records the log holds; absent before the first session. */
  volume?: string;
  connected: boolean;
  /** Highest sequence numbers that are durable in the log, and applied. */
  logged: number;
  applied: number;
  /** Disk that holds records not applied yet. */
  queueBytes: number;
  /** Age of the oldest record that is logged but not applied. */
  oldestUnappliedMs: number;
  records: number;
  /** Batches that could not be restored from history, and were asked for anew. */
  misses: number;
  payloadBytesReceived: number;
  wireBytesSent: number;
  wireBytesReceived: number;
  sourceBytesPerSecond: number;
  wireBytesPerSecond: number;
  roundTripMs?: number;
  stages: StageCounts;
  /** Memory of the reduction in bytes: of this receiver, taken by all of the process, and their bound. */
  reductionBytes: number;
  reductionBytesTaken: number;
  reductionBytesMax: number;
  /** What does the byte-level work. */
  engine: Engine;
  problem?: { code: string; message: string };
}

/**
 * The passive end: listens for one sender, logs what it receives, acknowledges it, and hands it on in order.
 *
 * Errors of `open`: INVALID_ARGUMENT, IDENTITY_REQUIRED, IDENTITY_INVALID, IDENTITY_EXPIRED, ADDRESS_IN_USE,
 * STATE_LOCKED, STATE_DAMAGED, JOURNAL_DAMAGED, DISK_FULL.
 */
export class Receiver {
  readonly #lock: DirectoryLock;
  readonly #log: ReceiveLog;
  readonly #node: string;
  readonly #options: ResolvedOptions;
  readonly #security: Security;
  readonly #stages = new Stages();
  readonly #traffic = new Traffic();
  readonly #openedAt = performance.now();
  readonly #finished = new Set<{ resolve: () => void; reject: (error: Error) => void }>();
  #failure: LonghaulError | undefined;
  readonly #readiness: Readiness;
  #listener: Listener | undefined;
  #arrivals: Arrivals | undefined;
  #session: Session | undefined;
  /** All that have a connection, and those without one that still have something on its way to the log. */
  readonly #connected = new Map<Session, Channel>();
  readonly #leaving = new Set<Session>();
  readonly #decoders = new Set<Decoder>();
  readonly #memory = reductionBudget.claim();
  readonly #unlimit: () => void;
  #records = 0;
  #payloadBytes = 0;
  #misses = 0;
  #closed = false;

  private constructor(
    options: ResolvedOptions,
    lock: DirectoryLock,
    log: ReceiveLog,
    node: string,
    security: Security,
  ) {
    this.#options = options;
    this.#security = security;
    this.#unlimit = reductionBudget.limit(options.reductionBytesMax);
    this.#lock = lock;
    this.#log = log;
    this.#node = node;
    this.#readiness = new Readiness(options.apply !== undefined);
  }

  static async open(options: ReceiverOptions): Promise<Receiver> {
    const { times, limits, ...resolved } = resolveReceiverOptions(options);
    const dir = directoryOption('dir', options.dir);
    const security = await openSecurity(options);
    await mkdir(dir, { recursive: true }).catch((error: unknown) => {
      throw storageError('creating', dir, error);
    });
    const lock = await DirectoryLock.take(dir);
    let journal: Journal | undefined;
    let receiver: Receiver | undefined;
    try {
      const node = security.nodeId ?? (await nodeId(dir));
      journal = await Journal.open({ dir: join(dir, 'log'), ...limits });
      const log = await ReceiveLog.open(dir, journal, limits, {
        onApplied: () => receiver?.current?.acknowledge(),
        onStall: (problem) => {
          if (problem !== undefined) receiver?.current?.notify(problem);
        },
      });
      receiver = new Receiver({ ...options, ...times, ...resolved }, lock, log, node, security);
      if (options.apply !== undefined) log.attach(callbackConsumer(options.apply));
      await receiver.#listen();
      return receiver;
    } catch (error) {
      if (receiver !== undefined) receiver.#leaveBudget();
      await journal?.close();
      await lock.release();
      throw error;
    }
  }

  /** The port it listens on. */
  get port(): number {
    return this.#listener?.port ?? 0;
  }

  /** The records in the log from a sequence number on; ends at the tail unless `follow`. */
  async *records(
    from: number,
    options: { follow?: boolean; signal?: AbortSignal } = {},
  ): AsyncGenerator<JournalRecord> {
    const { journal } = this.#log;
    let fresh = this.#log.volume === undefined;
    try {
      for await (const record of journal.read(from, options)) {
        fresh = false;
        yield record;
      }
    } catch (error) {
      // The first session gives the log its volume, for which an empty one begins anew.
      if (!fresh || !(error instanceof SequenceGoneError) || from !== journal.first) throw error;
      yield* journal.read(from, options);
    }
  }

  status(): ReceiverStatus {
    const { queueBytes, oldestUnreleasedTimestamp } = this.#log.journal.status();
    const openMs = performance.now() - this.#openedAt;
    const { logged, applied, volume, problem } = this.#log;
    const roundTripMs = this.#session?.channel.roundTripMs;
    const behind = applied < logged && oldestUnreleasedTimestamp !== undefined;
    const stages = this.#stages.counts();
    stages.frame = { bytesIn: 0, bytesOut: this.#traffic.dataBytes, milliseconds: 0 };
    stages.control = { bytesIn: 0, bytesOut: this.#traffic.controlBytes, milliseconds: 0 };
    Object.assign(stages, securityStage(this.#traffic));
    return {
      ...(volume === undefined ? {} : { volume }),
      connected: this.#session !== undefined,
      logged,
      applied,
      queueBytes,
      oldestUnappliedMs: behind ? Math.max(0, Date.now() - oldestUnreleasedTimestamp / 1000) : 0,
      records: this.#records,
      misses: this.#misses,
      payloadBytesReceived: this.#payloadBytes,
      wireBytesSent: this.#traffic.bytesSent,
      wireBytesReceived: this.#traffic.bytesReceived,
      sourceBytesPerSecond: Math.round((this.#payloadBytes * 1000) / openMs),
      wireBytesPerSecond: Math.round((this.#traffic.bytesReceived * 1000) / openMs),
      ...(roundTripMs === undefined ? {} : { roundTripMs }),
      stages,
      reductionBytes: [...this.#decoders].reduce((sum, { memoryBytes }) => sum + memoryBytes, 0),
      reductionBytesTaken: reductionBudget.bytes,
      reductionBytesMax: reductionBudget.bytesMax,
      engine,
      ...(problem === undefined ? {} : { problem: { code: problem.code, message: problem.message } }),
    };
  }

  /**
   * Resolves when a sender has said that it is done and has compared both ends; rejects when the receive log has failed
   * and nothing more can be received (DISK_FULL, JOURNAL_BROKEN).
   */
  finished(): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#failure === undefined) this.#finished.add({ resolve, reject });
      else reject(this.#failure);
    });
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#readiness.done();
    this.#session?.conclude();
    await this.#session?.channel.end();
    await this.#listener?.close();
    await this.#session?.idle();
    await this.#log.close();
    this.#leaveBudget();
    try {
      await this.#log.journal.close();
    } finally {
      await this.#lock.release();
    }
  }

  /** @internal Takes a connection as the listener hands it over. */
  accept(secured: SecuredSocket): void {
    // A sender that comes back this quickly finds nobody, and tries again; a refusal would tell it that it need not.
    if (this.#closed) secured.socket.destroy();
    else this.#arrivals?.take(secured);
  }

  /** @internal A replica is being opened: no sender is greeted before `attach`, or `expectNobody` if that fails. */
  expectConsumer(): void {
    this.#readiness.announce();
  }

  /** @internal */
  expectNobody(): void {
    this.#readiness.done();
  }

  /** @internal The replica takes the records from here on. */
  attach(consumer: Consumer): void {
    this.#log.attach(consumer);
    this.#readiness.done();
    if (consumer.holdsContent)
      this.#session?.channel.destroy(new ConnectionLostError('the sender', 'the replica was opened'));
  }

  /** @internal */
  get current(): Session | undefined {
    return this.#session;
  }

  /** @internal */
  get log(): ReceiveLog {
    return this.#log;
  }

  #leaveBudget(): void {
    this.#memory.end();
    this.#unlimit();
  }

  /** What a sender may send, as far as there is memory for it. */
  #offer(decoder: Decoder): Capability {
    const own = ownCapability();
    const windowLogMax = own.zstd ? this.#memory.takeWindow(own.windowLogMax, decoderBytes) : undefined;
    decoder.offer(windowLogMax === undefined ? { ...own, zstd: false, windowLogMax: 0 } : { ...own, windowLogMax });
    return decoder.capability;
  }

  async #listen(): Promise<void> {
    const { host, port } = this.#options.listen;
    const { heartbeatMs, peerTimeoutMs, windowBytesMax, congestionControl } = this.#options;
    this.#arrivals = new Arrivals({
      congestionControl,
      heartbeatMs,
      peerTimeoutMs,
      windowBytesMax,
      sessions: () => this.#connected,
      onGreeting: (channel) => this.#onGreeting(channel),
    });
    const { strangersMax } = this.#options;
    const security = this.#security;
    this.#listener = await Listener.open({ host, port, security, strangersMax }, (secured) => this.accept(secured));
  }

  #onGreeting(channel: Channel): (message: Message) => Promise<void> {
    const decoder = new Decoder(this.#stages, this.#log);
    const session = new Session(channel, {
      node: this.#node,
      adopt: this.#options.adopt ?? false,
      log: this.#log,
      decoder,
      claim: async (claimant, node) => {
        requireProvenId('the sender', channel.peerId, node);
        await this.#claim(claimant, node);
      },
      offer: () => this.#offer(decoder),
      query: (name, body) => this.#query(name, body),
      onOpen: (opened) => this.#onOpen(opened),
      onFailure: (failure) => this.#onFailure(failure),
      onBatch: (records, bytes) => {
        this.#records += records;
        this.#payloadBytes += bytes;
      },
      onMiss: () => {
        this.#misses++;
      },
    });
    this.#decoders.add(decoder);
    this.#traffic.attach(channel);
    this.#connected.set(session, channel);
    void channel.closed.then((problem) => this.#onClosed(session, channel, decoder, problem));
    return (message) => session.onMessage(message);
  }

  /** One sender at a time; a new connection of the same one takes the place of its old, half-dead one. */
  async #claim(claimant: Session, node: string): Promise<void> {
    await this.#readiness.ready;
    if (this.#closed) claimant.channel.destroy(new ConnectionLostError('the sender', 'the receiver is closing'));
    if (this.#closed || !this.#connected.has(claimant))
      throw new ConnectionLostError('the sender', 'it was gone before its turn');
    const holder = this.#session;
    if (holder !== undefined && holder.node !== node) {
      throw new PeerRefusedError('the receiver', 'BUSY', 'another sender has a session', true);
    }
    this.#session = claimant;
    claimant.node = node;
    holder?.channel.destroy(new ConnectionLostError('the sender', 'it connected anew'));
    // What an earlier session has begun changes the log, of which the greeting is about to speak.
    const others = [...this.#connected.keys(), ...this.#leaving].filter((session) => session !== claimant);
    await Promise.all(others.map((session) => session.idle()));
  }

  #onOpen(session: Session): void {
    publish('session', { peer: session.node ?? '', state: 'open' });
    if (this.#log.problem !== undefined) session.notify(this.#log.problem);
  }

  #onFailure(failure: LonghaulError): void {
    this.#failure ??= failure;
    for (const { reject } of this.#finished) reject(failure);
    this.#finished.clear();
  }

  #onClosed(session: Session, channel: Channel, decoder: Decoder, problem: LonghaulError | undefined): void {
    this.#traffic.detach(channel);
    this.#connected.delete(session);
    this.#leaving.add(session);
    void session.idle().then(() => {
      this.#leaving.delete(session);
      decoder.close();
      this.#decoders.delete(decoder);
      if (this.#session === undefined) this.#memory.give();
    });
    if (this.#session === session) this.#session = undefined;
    const details = problem === undefined ? {} : { problem };
    publish('session', { peer: session.node ?? '', state: 'closed', ...details });
  }

  async *#query(name: string, body: Buffer): AsyncGenerator<Buffer> {
    if (name === FINISH_QUESTION) {
      publish('session', { peer: this.#session?.node ?? '', state: 'finished' });
      for (const { resolve } of this.#finished) resolve();
      this.#finished.clear();
      return;
    }
    const answer = this.#log.consumer?.query?.(name, body);
    if (answer === undefined) throw new InvalidArgumentError('query', name, 'a question this receiver can answer');
    yield* answer;
  }
}

type ResolvedOptions = ReceiverOptions &
  HeartbeatTimes & { windowBytesMax: number; strangersMax: number; congestionControl: CongestionControl };

function resolveReceiverOptions(options: ReceiverOptions): {
  limits: JournalLimits;
  times: HeartbeatTimes;
  windowBytesMax: number;
  strangersMax: number;
  congestionControl: CongestionControl;
} {
  if (typeof options.listen?.host !== 'string')
    throw new InvalidArgumentError('listen', options.listen, '{ host, port }');
  integerOption('listen.port', options.listen.port, { min: 0, max: 65_535, default: 0 });
  if (options.identity === undefined && options.tls === undefined) requireLoopback(options.listen.host);
  if (options.identity !== undefined) requireAllowed('allow', options.allow);
  integerOption('reductionBytesMax', options.reductionBytesMax, REDUCTION_BYTES);
  return {
    limits: journalLimits(options),
    times: heartbeatTimes(options),
    congestionControl: congestionControlOption('congestionControl', options.congestionControl),
    windowBytesMax: integerOption('windowBytesMax', options.windowBytesMax, WINDOW_BYTES_MAX),
    strangersMax: integerOption('strangersMax', options.strangersMax, STRANGERS_MAX),
  };
}
