import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Connect, connectOver } from '../channel/dialer.js';
import { openSecurity } from '../channel/open-security.js';
import type { Schedule } from '../channel/schedule.js';
import { storageError } from '../engine/files.js';
import {
  AbortedError,
  ClosedError,
  ConnectionLostError,
  DiskFullError,
  InvalidArgumentError,
  JournalBrokenError,
  type LonghaulError,
} from '../errors.js';
import { type AppendOptions, DirectoryLock, Journal } from '../journal/journal.js';
import { type AckLevel, choiceOption, directoryOption, integerOption, type Priority } from '../options.js';
import { Indexer } from '../reduce/indexer.js';
import { reductionBudget } from '../reduce/memory-budget.js';
import { Outliner } from '../reduce/outline.js';
import { AckWaiters, type RemoteLevel } from './ack-waiters.js';
import { Admission } from './admission.js';
import { type LinkContext, PeerLink } from './link.js';
import { nodeId } from './node-id.js';
import { isPeerCursor } from './peer-cursor.js';
import { PeerBook } from './peers.js';
import { FINISH_QUESTION } from './queries.js';
import { resolveCeiling, resolveSchedule } from './rate-options.js';
import { Rates } from './rates.js';
import { Readiness } from './readiness.js';
import { chunkSecret } from './secret.js';
import { priorityOption, type ResyncRecord, resolveSenderOptions, type SenderOptions } from './sender-options.js';
import { type SenderStatus, senderStatus } from './sender-status.js';

/** After this part of the queue it is looked how far the peers are. */
const BULK_PART = 1 / 8;

/** `kind` 0 to 127 is the embedder's; the rest is Longhaul's own. */
export const KIND_MAX = 127;

export interface SenderAppendOptions {
  /** Locality hint, at most 4,352 bytes; a string means UTF-8. */
  key?: string | Uint8Array;
  /** Locality hint: where in the object named by `key` the payload belongs, in bytes. */
  offset?: number;
  /** The embedder's record kind, 0 to 127 (default 0). */
  kind?: number;
  /** How far the record must have come before the call resolves (default `local`). */
  ack?: AckLevel;
  /** How many peers must reach `ack`, 1 to the number of peers (default all). */
  quorum?: number;
  /**
   * Nobody waits for this record: it enters the queue no faster than the fastest peer takes what is before it, so that records
   * without this find at most some 50 ms of it ahead of them (default false). Without effect with `prefer: 'bytes'`.
   */
  bulk?: boolean;
  /** Ends the wait; the error carries `sequence` if the record had its number already and stays in the queue. */
  signal?: AbortSignal;
}

/**
 * The active end: an ordered, durable queue of records and a link to each peer.
 *
 * Errors of `open`: INVALID_ARGUMENT, IDENTITY_REQUIRED, IDENTITY_INVALID, IDENTITY_EXPIRED, STATE_LOCKED,
 * STATE_DAMAGED, JOURNAL_DAMAGED, DISK_FULL.
 */
export class Sender {
  readonly #journal: Journal;
  readonly #lock: DirectoryLock;
  readonly #links: PeerLink[];
  readonly #indexer: Indexer;
  readonly #rates: Rates;
  readonly queueBytesMax: number;
  readonly #waiters = new AckWaiters();
  /** Undefined where bytes count and nobody waits. */
  readonly #admission: Admission | undefined;
  readonly #readiness: Readiness;
  readonly #openedAt = performance.now();
  #supply: ((peer: string) => Promise<void>) | undefined;
  #comparesContent = (): boolean => false;
  #watchers = new Set<Watcher>();
  /** What was put into the queue of a whole state since the peers were last looked at, and what was in it then. */
  #bulk = { bytes: 0, through: 0 };
  #started = false;
  #closed = false;
  readonly #unlimit: () => void;

  private constructor(
    journal: Journal,
    lock: DirectoryLock,
    context: Omit<LinkContext, SenderHooks>,
    options: SenderOptions,
  ) {
    this.queueBytesMax = context.queueBytesMax;
    this.#admission = context.prefer === 'bytes' ? undefined : new Admission(() => this.#links);
    this.#unlimit = reductionBudget.limit(options.reductionBytesMax);
    this.#journal = journal;
    this.#indexer = context.reduction.indexer;
    this.#rates = context.rates;
    this.#lock = lock;
    this.#readiness = new Readiness(options.resync !== undefined);
    const supply = options.resync;
    if (supply !== undefined) this.#supply = async (peer) => this.#appendAll(supply(peer));
    const hooks: Pick<LinkContext, SenderHooks> = {
      supply: () => this.#supply,
      comparesContent: () => this.#comparesContent(),
      checkNode: (link, node) => this.#checkNode(link, node),
      ready: this.#readiness.ready,
      releaseStrangers: () => this.#releaseStrangers(),
      onProgress: () => this.#settle(),
      onHandedOver: () => this.#admission?.progress(),
      onProblem: (link, problem) => this.#fail(problem, link),
    };
    this.#links = options.peers.map((address) => new PeerLink(address, { ...context, ...hooks }));
  }

  static open(options: SenderOptions): Promise<Sender> {
    return Sender.openOver(connectOver, options);
  }

  /** @internal Reaches its peers in another way than over the network. */
  static async openOver(connect: Connect, options: SenderOptions): Promise<Sender> {
    const resolved = resolveSenderOptions(options);
    const dir = directoryOption('dir', options.dir);
    const security = await openSecurity(options);
    await mkdir(dir, { recursive: true }).catch((error: unknown) => {
      throw storageError('creating', dir, error);
    });
    const lock = await DirectoryLock.take(dir);
    let journal: Journal | undefined;
    let rates: Rates | undefined;
    let sender: Sender | undefined;
    try {
      const node = security.nodeId ?? (await nodeId(dir));
      const book = await PeerBook.open(dir);
      journal = await Journal.open({ dir: join(dir, 'queue'), ...resolved.journal });
      const { queueBytesMax } = resolved.journal;
      const outliner = new Outliner(await chunkSecret(dir));
      const reduction = { outliner, indexer: new Indexer(journal, outliner) };
      rates = new Rates(resolved.rates);
      const context = { journal, book, node, security, connect, rates, queueBytesMax, reduction, ...resolved.link };
      sender = new Sender(journal, lock, context, options);
      await sender.#releaseStrangers();
      sender.#started = true;
      for (const link of sender.#links) link.start();
      return sender;
    } catch (error) {
      if (sender !== undefined) sender.#leaveBudget();
      rates?.stop();
      await journal?.close();
      await lock.release();
      throw error;
    }
  }

  /**
   * Adds a record of 0 to 16 MiB and resolves with its sequence number once it has reached `ack`. Records keep the
   * order of the calls. Waits while the queue is full (`queueBytesMax`) or too much is not yet durable
   * (`pendingBytesMax`). The caller may reuse `payload` when the call has resolved.
   *
   * Errors: INVALID_ARGUMENT, PAYLOAD_TOO_LARGE, ABORTED, CLOSED, DISK_FULL, JOURNAL_BROKEN, and for `logged` and
   * `applied` what keeps a peer from getting there (PEER_REFUSED, VOLUME_MISMATCH, RESYNC_REQUIRED, ...).
   */
  async append(payload: Uint8Array, options: SenderAppendOptions = {}): Promise<number> {
    const { key, offset, signal } = options;
    const kind = integerOption('kind', options.kind, { min: 0, max: KIND_MAX, default: 0 });
    const ack = choiceOption('ack', options.ack, ['local', 'logged', 'applied'], 'local');
    const quorum = this.#quorum(options.quorum);
    const bulk = options.bulk === true && this.#admission !== undefined;
    if (bulk) await this.#admission?.admit(payload.byteLength, signal);
    const appended = this.#journal.append(payload, {
      kind,
      ...(key === undefined ? {} : { key }),
      ...(offset === undefined ? {} : { offset }),
      ...(signal === undefined ? {} : { signal }),
    });
    if (bulk) this.#entered(payload.byteLength, appended);
    const sequence = await appended;
    if (ack !== 'local') await this.#reach(ack, quorum, sequence, signal);
    return sequence;
  }

  /** Waits until everything appended so far has reached `level` on every peer. */
  async drain(level: AckLevel, options: { signal?: AbortSignal } = {}): Promise<void> {
    choiceOption('level', level, ['local', 'logged', 'applied'], 'local');
    if (this.#closed) throw new ClosedError('the sender');
    await this.#journal.flush();
    if (level === 'local') return;
    const sequence = this.#journal.last;
    if (sequence > 0) await this.#reach(level, this.#links.length, sequence, options.signal);
  }

  /** Resolves once every peer has a session; rejects with what stands in the way. */
  connected(options: { signal?: AbortSignal } = {}): Promise<void> {
    return this.#until(() => this.#links.every((link) => link.state === 'streaming'), options.signal);
  }

  /** Tells every receiver that this run is complete and both ends have been compared; `receive --once` ends on it. */
  async finish(options: { signal?: AbortSignal } = {}): Promise<void> {
    await Promise.all(
      this.peerNames.map((peer) =>
        this.withSession(peer, options.signal, async () => {
          for await (const _part of this.query(peer, FINISH_QUESTION));
        }),
      ),
    );
  }

  status(): SenderStatus {
    const openMs = performance.now() - this.#openedAt;
    return senderStatus(this.#journal, this.#links, this.#rates.rateBytesPerSecond, openMs);
  }

  /**
   * Another ceiling from now on, also for what is under way: bytes per second, text such as `20mbit`, or undefined for
   * none. With `peer` that of one peer, else that of all together. Where a schedule has a rule, the rule still holds.
   *
   * Errors: INVALID_ARGUMENT, CLOSED.
   */
  setRate(rate: number | string | undefined, options: { peer?: string } = {}): void {
    this.#rates.setRate(resolveCeiling('rate', rate), this.#named(options.peer));
  }

  /** Another weekly schedule from now on, or none; with `peer` that of one peer. Errors: INVALID_ARGUMENT, CLOSED. */
  setSchedule(schedule: Schedule | undefined, options: { peer?: string } = {}): void {
    this.#rates.setSchedule(resolveSchedule('schedule', schedule), this.#named(options.peer));
  }

  /**
   * Another priority from now on, also for what is under way: of one peer, or without `peer` of all.
   *
   * Errors: INVALID_ARGUMENT, CLOSED.
   */
  setPriority(priority: Priority, options: { peer?: string } = {}): void {
    const peer = this.#named(options.peer);
    const checked = priorityOption('priority', priority);
    for (const link of peer === undefined ? this.#links : [this.#link(peer)]) link.priority = checked;
  }

  /**
   * Ends the links, makes what is pending durable and closes the queue. Undelivered records stay in it: what is on its way has
   * two seconds to arrive, and `drain` waits for all of it.
   */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#readiness.done();
    this.#fail(new ClosedError('the sender'));
    await Promise.allSettled(this.#links.map((link) => link.close()));
    this.#rates.stop();
    this.#leaveBudget();
    try {
      await this.#indexer.idle();
      await this.#journal.close();
    } finally {
      await this.#lock.release();
    }
  }

  /** @internal The send queue, for the volume that folds its catalog from it. */
  get journal(): Journal {
    return this.#journal;
  }

  /** @internal A record of Longhaul's own kinds; resolves with its number before it is durable. */
  async assign(payload: Uint8Array, options: AppendOptions): Promise<number> {
    const room = this.#roomForBulk(payload.byteLength, options.signal);
    if (room !== undefined) await room;
    const turn = this.#admission?.admit(payload.byteLength, options.signal);
    if (turn !== undefined) await turn;
    try {
      const assigned = this.#journal.assign(payload, options).then(({ sequence }) => sequence);
      this.#entered(payload.byteLength, assigned);
      return await assigned;
    } catch (error) {
      // Nobody waits for these records one by one, so the first one after the failure tells its cause.
      throw error instanceof JournalBrokenError && error.cause instanceof DiskFullError ? error.cause : error;
    }
  }

  /** @internal The volume supplies what a peer needs when it must start over. */
  attachResync(supply: (peer: string) => Promise<void>, comparesContent: () => boolean): void {
    this.#supply = supply;
    this.#comparesContent = comparesContent;
    this.#readiness.done();
    for (const link of this.#links) link.retry();
  }

  /** @internal A volume is being opened: nobody is told that there is no resync before `attachResync` or `expectNobody`. */
  expectVolume(): void {
    this.#readiness.announce();
  }

  /** @internal */
  expectNobody(): void {
    this.#readiness.done();
  }

  /** @internal Asks a peer something outside the stream. */
  query(peer: string, name: string, body: Buffer = Buffer.alloc(0)): AsyncGenerator<Buffer> {
    return this.#link(peer).query(name, body);
  }

  /** @internal */
  get peerNames(): string[] {
    return this.#links.map((link) => link.address.name);
  }

  /** @internal Resolves when a peer has applied everything up to a record, whatever else it is owed. */
  peerReached(peer: string, sequence: number, signal?: AbortSignal): Promise<void> {
    const link = this.#link(peer);
    return this.#until(() => link.acknowledgedApplied >= sequence, signal, [link]);
  }

  /** @internal Asks something of a peer, and again when the connection breaks before the answer is complete. */
  async withSession<T>(peer: string, signal: AbortSignal | undefined, ask: () => Promise<T>): Promise<T> {
    const link = this.#link(peer);
    for (;;) {
      await this.#until(() => link.state === 'streaming', signal, [link]);
      try {
        return await ask();
      } catch (error) {
        if (!(error instanceof ConnectionLostError)) throw error;
      }
    }
  }

  #leaveBudget(): void {
    for (const link of this.#links) link.leaveBudget();
    this.#unlimit();
  }

  #named(peer: string | undefined): string | undefined {
    if (this.#closed) throw new ClosedError('the sender');
    return peer === undefined ? undefined : this.#link(peer).address.name;
  }

  #link(peer: string): PeerLink {
    const link = this.#links.find((candidate) => candidate.address.name === peer);
    if (link === undefined) throw new InvalidArgumentError('peer', peer, `one of ${this.peerNames.join(', ')}`);
    return link;
  }

  #quorum(value: number | undefined): number {
    const peers = this.#links.length;
    return integerOption('quorum', value, { min: Math.min(1, peers), max: peers, default: peers });
  }

  async #reach(level: RemoteLevel, quorum: number, sequence: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) throw new AbortedError('append', sequence, signal.reason);
    const refused = this.#links.filter((link) => link.state === 'refused' && link[level] < sequence);
    const problem = refused[0]?.problem;
    if (problem !== undefined && quorum > this.#links.length - refused.length) throw problem;
    const reached = this.#waiters.wait(level, quorum, sequence, signal);
    this.#settle();
    await reached.catch((error: unknown) => {
      throw signal?.aborted ? new AbortedError('append', sequence, signal.reason) : error;
    });
  }

  #checkNode(link: PeerLink, node: string): void {
    const twin = this.#links.find((other) => other !== link && other.confirmedId === node);
    if (twin === undefined) return;
    throw new InvalidArgumentError(
      'peers',
      [twin.address.name, link.address.name].join(', '),
      'a node of its own for each name',
    );
  }

  /** A peer that is no longer among ours, or answers under another id, must not hold the queue for ever. */
  async #releaseStrangers(): Promise<void> {
    // Peers may have changed places: nobody is a stranger before everybody has said who it is.
    const isKnown = (link: PeerLink): boolean => link.id === undefined || link.confirmedId !== undefined;
    if (this.#started && !this.#links.every(isKnown)) return;
    const ours = new Set(this.#links.map((link) => link.cursorName));
    for (const { name } of this.#journal.cursors()) {
      if (isPeerCursor(name) && !ours.has(name)) await this.#journal.dropCursor(name);
    }
  }

  #entered(bytes: number, appended: Promise<number>): void {
    appended.then(
      (sequence) => this.#admission?.entered(sequence, bytes),
      () => this.#admission?.failed(bytes),
    );
  }

  #settle(): void {
    this.#waiters.settle(this.#links);
    this.#admission?.progress();
    for (const watcher of [...this.#watchers]) watcher();
  }

  /** Tells those who wait for the peer that has a problem, or for everything. */
  #fail(problem: LonghaulError, link?: PeerLink): void {
    const left = link === undefined ? -1 : this.#links.filter((other) => other !== link && !other.isStuck).length;
    this.#waiters.fail(problem, left);
    for (const watcher of [...this.#watchers]) watcher(problem, link);
  }

  #until(condition: () => boolean, signal?: AbortSignal, links: readonly PeerLink[] = this.#links): Promise<void> {
    return new Promise((resolve, reject) => {
      const finish = (settle: () => void): void => {
        this.#watchers.delete(watcher);
        signal?.removeEventListener('abort', onAbort);
        settle();
      };
      const watcher: Watcher = (problem, link) => {
        const concerned = link === undefined || links.includes(link);
        if (problem !== undefined && concerned) finish(() => reject(problem));
        else if (condition()) finish(resolve);
      };
      const onAbort = (): void =>
        finish(() => reject(new AbortedError('waiting for a peer', undefined, signal?.reason)));
      this.#watchers.add(watcher);
      signal?.addEventListener('abort', onAbort, { once: true });
      const refused = links.find((link) => link.state === 'refused')?.problem;
      if (this.#closed) watcher(new ClosedError('the sender'));
      else if (signal?.aborted) onAbort();
      else watcher(refused);
    });
  }

  /**
   * Whole states are put into the queue no faster than the peers take them that would rather be left behind than fill
   * it: what brings a peer up to date must not be what loses it.
   */
  #roomForBulk(bytes: number, signal?: AbortSignal): Promise<void> | undefined {
    const bulk = this.#bulk;
    bulk.bytes += bytes;
    if (bulk.bytes < this.queueBytesMax * BULK_PART) return undefined;
    const { through } = bulk;
    this.#bulk = { bytes: 0, through: this.#journal.assigned };
    return this.#until(() => !this.#links.some((link) => link.mustNotBeLost(through)), signal, []);
  }

  async #appendAll(records: AsyncIterable<ResyncRecord> | Iterable<ResyncRecord>): Promise<void> {
    for await (const { payload, ...options } of records) {
      integerOption('kind', options.kind, { min: 0, max: KIND_MAX, default: 0 });
      await this.assign(payload, options);
    }
    await this.#journal.flush();
  }
}

type SenderHooks =
  | 'supply'
  | 'comparesContent'
  | 'checkNode'
  | 'ready'
  | 'releaseStrangers'
  | 'onProgress'
  | 'onHandedOver'
  | 'onProblem';

/** Looks again whether what it waits for has come, or hears what stands in the way, and of which peer. */
type Watcher = (problem?: LonghaulError, link?: PeerLink) => void;
