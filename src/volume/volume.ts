import { setMaxListeners } from 'node:events';
import { dirname, join } from 'node:path';
import { publish } from '../engine/events.js';
import { AbortedError, ClosedError, SourceUnreadableError, VerifyFailedError } from '../errors.js';
import type { JournalCursor } from '../journal/journal.js';
import { directoryOption } from '../options.js';
import type { Sender } from '../replication/sender.js';
import { Catalog, checkpointBytes } from './catalog.js';
import { checkpoint, Emitter } from './emitter.js';
import { fold } from './fold.js';
import { Listing } from './listing.js';
import { decodeOperation, OWN_KINDS_FROM } from './operation.js';
import { Pass, type PassResult } from './pass.js';
import { displayPath } from './path.js';
import { compare } from './planner.js';
import { decodeReport, encodeVerifyQuestion, type ReplicaReport, VERIFY_QUESTION } from './questions.js';
import { rootDigest } from './root-digest.js';
import { identify, RootMarker, refuseNesting } from './root-identity.js';
import { Root, walk } from './walk.js';

export interface VolumeOptions {
  /** The directory to replicate. */
  root: string;
  /** Carries the changes; a sender serves one volume. */
  sender: Sender;
  /** Accept that `root` is another directory than last time, as the same volume (default false). */
  adopt?: boolean;
  /** Allow a run that empties the replica or deletes more than half of its files (default false). */
  allowMassDelete?: boolean;
}

export interface SyncResult extends Omit<PassResult, 'unreadable'> {
  /** Files and links in the source. */
  filesInSource: number;
}

export interface VerifyResult {
  /** Entries, files and content bytes that both ends agree on. */
  entries: number;
  files: number;
  bytes: number;
  /** Entries of replicas that were not as left, and have been brought back. */
  repaired: number;
}

/** A file that keeps changing is tried again in this many passes; then it crosses as it was read. */
const PASSES_MAX = 3;
/** A replica that differs is brought in line this many times before the run fails. */
const REPAIRS_MAX = 2;

/**
 * A directory tree whose changes go into a send queue.
 *
 * Errors of `open`: INVALID_ARGUMENT, ROOT_MISSING, ROOT_CHANGED, NESTED_DIRECTORIES, STATE_DAMAGED.
 */
export class Volume {
  readonly #sender: Sender;
  readonly #options: VolumeOptions;
  readonly #rootPath: string;
  readonly #marker: RootMarker;
  readonly #catalog: Catalog;
  readonly #cursor: JournalCursor;
  readonly #stateDir: string;
  /** Peers whose replica does not follow our catalog, until a pass has compared their own listing. */
  readonly #strangers = new Set<string>();
  /** Links that wait until their peer is no stranger any more, by peer. */
  readonly #awaited = new Map<string, Awaiter[]>();
  /** Tells a verification that a stranger has come while it waited. */
  #strangerCame = (): void => {};
  #queue: Promise<unknown> = Promise.resolve();
  readonly #closing = new AbortController();

  private constructor(
    options: VolumeOptions,
    stateDir: string,
    marker: RootMarker,
    catalog: Catalog,
    cursor: JournalCursor,
  ) {
    this.#sender = options.sender;
    this.#options = options;
    this.#rootPath = options.root;
    this.#stateDir = stateDir;
    this.#marker = marker;
    this.#catalog = catalog;
    this.#cursor = cursor;
  }

  static async open(options: VolumeOptions): Promise<Volume> {
    options.sender.expectVolume();
    try {
      return await Volume.#open(options);
    } catch (error) {
      options.sender.expectNobody();
      throw error;
    }
  }

  static async #open(options: VolumeOptions): Promise<Volume> {
    const root = directoryOption('root', options.root);
    const { sender } = options;
    const stateDir = dirname(sender.journal.dir);
    const identity = await identify(root);
    await refuseNesting(root, stateDir);
    const marker = await RootMarker.open(stateDir, 'root.json');
    if (!options.adopt) marker.check(root, identity);
    await marker.bind(identity);
    const catalog = await Catalog.open(join(stateDir, 'catalog'));
    const cursor = sender.journal.cursor('catalog');
    const volume = new Volume(options, stateDir, marker, catalog, cursor);
    await volume.#catchUp();
    sender.attachResync(
      (peer) => volume.#resync(peer),
      () => !catalog.isEmpty,
    );
    volume.#followQueue();
    return volume;
  }

  /**
   * Brings the queue to the directory's present state: walks it, compares it with what the replica holds, and appends
   * what differs. Resolves when that is durable in the queue; `Sender.drain` waits for the replica.
   *
   * Errors: ROOT_MISSING, ROOT_CHANGED, ROOT_EMPTY, MASS_DELETE, SOURCE_UNREADABLE (after everything else has crossed),
   * ABORTED, and those of `Sender.append`.
   */
  sync(options: { signal?: AbortSignal } = {}): Promise<SyncResult> {
    return this.#exclusively(options.signal, (signal) => this.#syncNow(signal));
  }

  /**
   * Waits until every replica has applied everything, then compares both ends: each replica looks at its files and says
   * one digest over all it holds. A replica that is not as it should be is brought in line. `deep` rereads the content
   * of every file on both ends.
   *
   * Errors: VERIFY_FAILED when a replica still differs afterwards, and those of `sync`.
   */
  verify(options: { deep?: boolean; signal?: AbortSignal } = {}): Promise<VerifyResult> {
    return this.#exclusively(options.signal, (signal) => this.#verifyNow(options.deep ?? false, signal));
  }

  /** Ends what is running, with CLOSED. The sender stays open. */
  async close(): Promise<void> {
    this.#closing.abort(new ClosedError('the volume'));
    await this.#queue.catch(() => {});
  }

  /** One at a time, in the order of the calls; the work's signal fires with the caller's and when the volume closes. */
  #exclusively<T>(signal: AbortSignal | undefined, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const closing = this.#closing.signal;
    const either = signal === undefined ? closing : AbortSignal.any([signal, closing]);
    const run = this.#queue
      .catch(() => {})
      .then(() => {
        closing.throwIfAborted();
        return work(either);
      })
      .catch((error: unknown) => {
        throw closing.aborted ? closing.reason : error;
      });
    this.#queue = run.catch(() => {});
    return run;
  }

  /** Records of the embedder's own fill the queue too: while nothing else goes on, the catalog lets them pass. */
  #followQueue(): void {
    const { journal, queueBytesMax } = this.#sender;
    let scheduled = false;
    const stop = journal.onDurable(() => {
      if (scheduled || journal.status().queueBytes < checkpointBytes(queueBytesMax)) return;
      scheduled = true;
      this.#exclusively(undefined, () => checkpoint(this.#sender, this.#catalog, this.#cursor))
        .catch(() => {})
        .finally(() => {
          scheduled = false;
        });
    });
    this.#closing.signal.addEventListener('abort', stop, { once: true });
  }

  /** Folds what the queue holds beyond the catalog: the operations that a crash left out of it. */
  async #catchUp(): Promise<void> {
    const { journal } = this.#sender;
    const catalog = this.#catalog;
    if (catalog.through > journal.last || catalog.through < journal.first - 1) {
      // Another queue than the one this catalog was folded from: only the replica itself knows what it holds.
      await catalog.clear(journal.last);
      for (const peer of this.#sender.peerNames) this.#strangers.add(peer);
    }
    for await (const record of journal.read(catalog.through + 1)) {
      if (record.kind >= OWN_KINDS_FROM) fold(catalog, decodeOperation(record));
      if (catalog.wantsFlush) await catalog.flush(record.sequence);
    }
    if (catalog.through < journal.last) await catalog.flush(journal.last);
    await this.#cursor.advance(catalog.through);
  }

  /**
   * Resolves when everything that the peer lacks is in the queue. What keeps that from working shows again in the next
   * `sync` or `verify`, which try it anew.
   */
  #resync(peer: string): Promise<void> {
    this.#strangers.add(peer);
    this.#strangerCame();
    this.#exclusively(undefined, async (signal) => {
      if (this.#strangers.has(peer)) await this.#syncNow(signal);
    }).catch((problem: unknown) => {
      if (problem instanceof Error && !this.#closing.signal.aborted) {
        publish('peer', { peer, state: 'resync failed', problem });
      }
      for (const { reject } of this.#awaited.get(peer) ?? []) reject(problem);
      this.#awaited.delete(peer);
    });
    return new Promise((resolve, reject) => {
      this.#awaited.set(peer, [...(this.#awaited.get(peer) ?? []), { resolve, reject }]);
    });
  }

  #acquainted(peer: string): void {
    this.#strangers.delete(peer);
    for (const { resolve } of this.#awaited.get(peer) ?? []) resolve();
    this.#awaited.delete(peer);
  }

  async #syncNow(signal: AbortSignal): Promise<SyncResult> {
    const total: SyncResult = {
      sent: 0,
      moved: 0,
      removed: 0,
      touched: 0,
      sourceBytes: 0,
      unstable: 0,
      filesInSource: 0,
    };
    // With others that follow the catalog it must say what the source is before one peer is compared with it.
    if (this.#strangers.size > 0 && this.#sender.peerNames.length > 1) await this.#pass(total, undefined, signal);
    for (const peer of [...this.#strangers]) {
      const listing = await this.#fetchListing(peer, signal);
      try {
        await this.#pass(total, listing, signal);
      } catch (error) {
        // Everything else has crossed.
        if (error instanceof SourceUnreadableError) this.#acquainted(peer);
        throw error;
      } finally {
        await listing.remove();
      }
      this.#acquainted(peer);
    }
    for (let pass = 1; pass <= PASSES_MAX; pass++) {
      const { unstable } = await this.#pass(total, undefined, signal);
      if (unstable === 0) break;
    }
    return total;
  }

  async #pass(total: SyncResult, listing: Listing | undefined, signal: AbortSignal): Promise<PassResult> {
    if (signal.aborted) throw new AbortedError('sync', undefined, signal.reason);
    await this.#checkRoot();
    const root = new Root(this.#rootPath);
    const comparison = await compare({
      planPath: join(this.#stateDir, 'plan'),
      rootPath: this.#rootPath,
      catalog: this.#catalog,
      found: abortable(walk(root), signal),
      listing: listing?.entries(),
      hasOthers: this.#sender.peerNames.length > 1,
      allowMassDelete: this.#options.allowMassDelete ?? false,
    });
    try {
      // A root that was unmounted during the walk has shown a tree with its files gone.
      await this.#checkRoot();
      const emitter = new Emitter(this.#sender, this.#catalog, this.#cursor, manyListeners(signal));
      const allowMassDelete = this.#options.allowMassDelete ?? false;
      const ways = { allowMassDelete, comparedListing: listing !== undefined };
      const result = await new Pass(root, this.#catalog, emitter, comparison, ways).run();
      addUp(total, result, comparison.filesInSource);
      if (result.unreadable.length > 0) throw unreadable(result.unreadable);
      return result;
    } finally {
      await comparison.plan.remove();
    }
  }

  async #checkRoot(): Promise<void> {
    this.#marker.check(this.#rootPath, await identify(this.#rootPath));
  }

  async #fetchListing(peer: string, signal: AbortSignal): Promise<Listing> {
    const path = join(this.#stateDir, 'listing');
    return this.#sender.withSession(peer, signal, async () => {
      // Records that are still under way would land after the listing was taken.
      await this.#sender.journal.flush();
      await this.#sender.peerReached(peer, this.#sender.journal.last, signal);
      return Listing.fetch(this.#sender, peer, path);
    });
  }

  async #verifyNow(deep: boolean, signal: AbortSignal): Promise<VerifyResult> {
    let repaired = 0;
    for (let repairs = 0; ; repairs++) {
      await this.#applied(signal);
      const ours = await rootDigest(this.#catalog.entries());
      const differing: ReplicaReport[] = [];
      for (const peer of this.#sender.peerNames) {
        const report = await this.#askReport(peer, deep, signal);
        if (report.digest.equals(ours.digest)) continue;
        differing.push(report);
        this.#strangers.add(peer);
      }
      const { entries, files, bytes } = ours;
      if (differing.length === 0) return { entries, files, bytes, repaired };
      if (repairs === REPAIRS_MAX) throw verifyFailed(differing);
      const { sent, moved, removed, touched } = await this.#syncNow(signal);
      const drifted = differing.reduce((sum, report) => sum + report.drifted, 0);
      repaired += Math.max(drifted, sent + moved + removed + touched);
    }
  }

  /** Waits for the replicas. One that has to start over meanwhile waits for us in turn. */
  async #applied(signal: AbortSignal): Promise<void> {
    for (;;) {
      if (this.#strangers.size > 0) await this.#syncNow(signal);
      const interruption = new AbortController();
      this.#strangerCame = () => interruption.abort();
      try {
        return await this.#sender.drain('applied', { signal: AbortSignal.any([signal, interruption.signal]) });
      } catch (error) {
        if (signal.aborted || !interruption.signal.aborted) throw error;
      } finally {
        this.#strangerCame = () => {};
      }
    }
  }

  async #askReport(peer: string, deep: boolean, signal: AbortSignal): Promise<ReplicaReport> {
    return this.#sender.withSession(peer, signal, async () => {
      const parts: Buffer[] = [];
      for await (const part of this.#sender.query(peer, VERIFY_QUESTION, encodeVerifyQuestion(deep))) parts.push(part);
      return decodeReport(Buffer.concat(parts));
    });
  }
}

interface Awaiter {
  resolve: () => void;
  reject: (problem: unknown) => void;
}

function addUp(total: SyncResult, result: PassResult, filesInSource: number): void {
  for (const key of ['sent', 'moved', 'removed', 'touched', 'sourceBytes'] as const) total[key] += result[key];
  total.unstable = result.unstable;
  total.filesInSource = filesInSource;
}

function unreadable(paths: string[]): SourceUnreadableError {
  return new SourceUnreadableError(paths.slice(0, 8).map(displayPath), paths.length);
}

function verifyFailed(reports: ReplicaReport[]): VerifyFailedError {
  return new VerifyFailedError(
    reports.reduce((sum, report) => sum + Math.max(1, report.drifted), 0),
    reports.flatMap((report) => report.examples),
  );
}

/** Many records wait under one signal: a signal of our own, so that the caller's keeps its own limit of listeners. */
function manyListeners(signal: AbortSignal): AbortSignal {
  const own = AbortSignal.any([signal]);
  setMaxListeners(0, own);
  return own;
}

async function* abortable<T>(items: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T> {
  for await (const item of items) {
    if (signal.aborted) throw new AbortedError('sync', undefined, signal.reason);
    yield item;
  }
}
