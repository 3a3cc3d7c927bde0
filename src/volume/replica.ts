import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isErrno, storageError } from '../engine/files.js';
import { ClosedError, ReplicaNotEmptyError, RootChangedError } from '../errors.js';
import type { JournalCursor, JournalRecord } from '../journal/journal.js';
import { directoryOption } from '../options.js';
import type { Consumer } from '../replication/consumer.js';
import type { Receiver } from '../replication/receiver.js';
import { Applier } from './applier.js';
import { Aside } from './aside.js';
import { Catalog, checkpointBytes } from './catalog.js';
import { fold } from './fold.js';
import { listingChunks } from './listing.js';
import { decodeOperation, OWN_KINDS_FROM } from './operation.js';
import { displayPath } from './path.js';
import { encodeReport, LISTING_QUESTION, type ReplicaReport, VERIFY_QUESTION } from './questions.js';
import { rootDigest } from './root-digest.js';
import {
  describeIdentity,
  identify,
  type RootIdentity,
  RootMarker,
  refuseNesting,
  sameIdentity,
} from './root-identity.js';
import { fillDigests, scan } from './scan.js';
import { Tree } from './tree.js';
import { Root } from './walk.js';

export interface ReplicaOptions {
  /** The directory that becomes the copy, made when missing. It belongs to the replica alone. */
  root: string;
  /** Where the changes come from; opened without `apply`. A receiver serves one replica. */
  receiver: Receiver;
  /** Take a directory that is not empty as the start: what differs is sent, what the source lacks is removed. */
  adopt?: boolean;
}

export interface ReplicaVerifyResult {
  entries: number;
  files: number;
  bytes: number;
  /** Entries that are not as the stream left them; the sender's next verification brings them back. */
  drifted: number;
  examples: string[];
}

/** Content that may be read again after a crash, because no checkpoint has proved it yet. */
const UNSETTLED_BYTES_MAX = 16 * 1024 ** 3;

/**
 * The copy of a volume: takes the records of a receiver and applies them to a directory.
 *
 * Errors of `open`: INVALID_ARGUMENT, REPLICA_NOT_EMPTY, ROOT_MISSING, NESTED_DIRECTORIES, STATE_DAMAGED, DISK_FULL.
 */
export class Replica {
  readonly #parts: Parts;
  #queue: Promise<unknown> = Promise.resolve();
  #uncheckpointedBytes = 0;

  private constructor(parts: Parts) {
    this.#parts = parts;
  }

  static async open(options: ReplicaOptions): Promise<Replica> {
    options.receiver.expectConsumer();
    try {
      return await Replica.#open(options);
    } catch (error) {
      options.receiver.expectNobody();
      throw error;
    }
  }

  static async #open(options: ReplicaOptions): Promise<Replica> {
    const root = directoryOption('root', options.root);
    const { log } = options.receiver;
    const stateDir = join(log.journal.dir, '..');
    await mkdir(root, { recursive: true }).catch((error: unknown) => {
      throw storageError('creating', root, error);
    });
    const identity = await identify(root);
    await refuseNesting(root, stateDir);
    const marker = await RootMarker.open(stateDir, 'replica.json');
    const isOurs = await takeRoot(root, identity, marker, options);
    const catalog = await Catalog.open(join(stateDir, 'catalog'));
    if (!isOurs) await catalog.clear(log.applied);
    const aside = await Aside.open(stateDir, root, marker.mark ?? '');
    const tree = new Tree(new Root(root));
    const cursor = log.journal.cursor('catalog', { at: Math.min(catalog.through, log.journal.last) });
    const parts: Parts = {
      receiver: options.receiver,
      catalog,
      marker,
      aside,
      tree,
      cursor,
      applier: new Applier(tree, aside, catalog, () => marker.setHoldsContent(true)),
    };
    const replica = new Replica(parts);
    await replica.#catchUp();
    await aside.clear(true);
    await aside.prepare();
    options.receiver.attach(replica.#consumer());
    return replica;
  }

  /** Compares the files with what the stream left. `deep` rereads the content of every file. */
  async verify(options: { deep?: boolean } = {}): Promise<ReplicaVerifyResult> {
    const report = await this.#exclusively(() => this.#report(options.deep ?? false));
    const { entries, files, bytes, drifted, examples } = report;
    return { entries, files, bytes, drifted, examples: examples.map(displayPath) };
  }

  /** Makes the catalog durable and leaves nothing of its own in the root. Close the receiver first. */
  async close(): Promise<void> {
    await this.#exclusively(async () => {
      const { receiver, applier, aside, catalog } = this.#parts;
      applier.close();
      try {
        if (catalog.isChanged) await this.#checkpoint(receiver.log.applied);
      } catch (error) {
        // The receiver is closed first, and its log with it; the cursor follows when both are opened again.
        if (!(error instanceof ClosedError)) throw error;
      } finally {
        await aside.close();
      }
    });
  }

  #consumer(): Consumer {
    const replica = this;
    return {
      apply: (records, applied) => replica.#exclusively(() => replica.#apply(records, applied)),
      rebase: (base) => replica.#exclusively(() => replica.#rebase(base)),
      rebased: () => replica.#parts.marker.setHoldsContent(false),
      query: (name, body) => replica.#answer(name, body),
      get holdsContent() {
        return replica.#parts.marker.holdsContent;
      },
    };
  }

  async #apply(records: JournalRecord[], applied: (sequence: number) => Promise<void>): Promise<void> {
    const { applier, catalog, receiver, tree } = this.#parts;
    await applier.apply(records, applied).catch((error: unknown) => {
      // Writing to an open file fails without a path, and it must be said which disk is full.
      throw isErrno(error, 'ENOSPC', 'EDQUOT') ? storageError('writing', String(tree.root.bytes), error) : error;
    });
    for (const record of records) this.#uncheckpointedBytes += record.payload.byteLength;
    const isDue = this.#uncheckpointedBytes >= checkpointBytes(receiver.log.queueBytesMax);
    if (!catalog.wantsFlush && !isDue && applier.unsettledBytes < UNSETTLED_BYTES_MAX) return;
    await this.#checkpoint(records[records.length - 1]?.sequence ?? catalog.through);
  }

  async #checkpoint(through: number): Promise<void> {
    const { catalog, cursor, applier } = this.#parts;
    await catalog.flush(Math.max(through, catalog.through));
    applier.unsettledBytes = 0;
    await cursor.advance(catalog.through);
    this.#uncheckpointedBytes = 0;
  }

  /** The log begins anew: what it brought so far stays in files and catalog, what was half there goes. */
  async #rebase(base: number): Promise<void> {
    const { catalog, applier } = this.#parts;
    await applier.discard();
    catalog.transfer = undefined;
    catalog.stashed = 0;
    await catalog.flush(base - 1);
  }

  /** Folds what was applied after the catalog was last made durable. */
  async #catchUp(): Promise<void> {
    const { catalog, receiver, cursor } = this.#parts;
    const { journal, applied } = receiver.log;
    if (catalog.through > journal.last || catalog.through < journal.first - 1) {
      // Not the log that this catalog was folded from: the sender has to compare with what is here.
      await this.#parts.marker.setHoldsContent(true);
      await catalog.flush(applied);
    }
    for await (const record of journal.read(catalog.through + 1)) {
      if (record.sequence > applied) break;
      if (record.kind >= OWN_KINDS_FROM) fold(catalog, decodeOperation(record));
      if (catalog.wantsFlush) await catalog.flush(record.sequence);
    }
    if (catalog.through < applied) await catalog.flush(applied);
    await cursor.advance(catalog.through);
    await this.#missLost();
  }

  /** What lay aside may be gone while the log goes on after it: then the sender has to compare. */
  async #missLost(): Promise<void> {
    const { catalog, aside, marker } = this.#parts;
    const { transfer, stashes } = await aside.unfinished();
    if ((catalog.transfer === undefined || transfer) && catalog.stashed <= stashes) return;
    await marker.setHoldsContent(true);
  }

  #answer(name: string, body: Buffer): AsyncIterable<Buffer> | undefined {
    if (name === VERIFY_QUESTION) return this.#answerVerify(body[0] === 1);
    return name === LISTING_QUESTION ? this.#answerListing() : undefined;
  }

  async *#answerVerify(deep: boolean): AsyncGenerator<Buffer> {
    yield encodeReport(await this.#exclusively(() => this.#report(deep)));
  }

  async *#answerListing(): AsyncGenerator<Buffer> {
    const { tree, aside, catalog } = this.#parts;
    await this.#exclusively(async () => {
      // Whoever asks will send what the listing lacks and nothing else: it says what is there, not what should be.
      await scan(tree.root, aside.ignored, catalog, false);
      await fillDigests(tree.root, catalog);
    });
    yield* listingChunks(catalog.entries());
  }

  async #report(deep: boolean): Promise<ReplicaReport> {
    const { tree, aside, catalog, receiver } = this.#parts;
    const drift = await scan(tree.root, aside.ignored, catalog, deep);
    const said = await rootDigest(catalog.entries());
    await this.#checkpoint(receiver.log.applied);
    return { ...said, ...drift };
  }

  /** Applying and looking at the files take turns. */
  #exclusively<T>(work: () => Promise<T>): Promise<T> {
    const run = this.#queue.catch(() => {}).then(work);
    this.#queue = run.catch(() => {});
    return run;
  }
}

interface Parts {
  receiver: Receiver;
  marker: RootMarker;
  catalog: Catalog;
  aside: Aside;
  tree: Tree;
  cursor: JournalCursor;
  applier: Applier;
}

/** Makes the directory ours, if it may be; true when it was before. */
async function takeRoot(
  root: string,
  identity: RootIdentity,
  marker: RootMarker,
  options: ReplicaOptions,
): Promise<boolean> {
  const { kept } = marker;
  if (kept !== undefined && sameIdentity(kept, identity)) return true;
  const isEmpty = (await readdir(root)).length === 0;
  if (!options.adopt && !isEmpty) throw new ReplicaNotEmptyError(root);
  // An empty directory in the place of a full one is most likely a mount that is missing.
  if (!options.adopt && kept !== undefined) {
    throw new RootChangedError(root, describeIdentity(identity), describeIdentity(kept));
  }
  await marker.bind(identity, !isEmpty || options.receiver.log.volume !== undefined);
  return false;
}
