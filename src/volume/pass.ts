import { publish } from '../engine/events.js';
import { MassDeleteError } from '../errors.js';
import { ahead } from './ahead.js';
import type { Catalog } from './catalog.js';
import {
  type ContentResult,
  digestFile,
  PART_BYTES,
  readWhole,
  sendFile,
  type WholeFile,
  wholeOperation,
} from './content.js';
import type { Emitter } from './emitter.js';
import { type Entry, sameAttributes } from './entry.js';
import { type Move, Moves } from './moves.js';
import type { Operation } from './operation.js';
import { displayPath, isInside, OpenDirectories, type VolumePath } from './path.js';
import type { Plan, PlanItem } from './plan.js';
import type { Comparison } from './planner.js';
import type { Root } from './walk.js';

/**
 * Carries a plan over. The order keeps every file of the replica whole at any moment, and keeps what the source still
 * has until its new place is taken:
 *
 *   1. directories that are new, and room for them
 *   2. moves, each after the one that frees its target
 *   3. removals of what stands in the way of a file
 *   4. content, links and attributes
 *   5. the other removals
 *   6. attributes of directories, which everything before has touched, innermost first
 */

/** Up to this many files a replica may lose most of them without being asked about. */
const MASS_DELETE_FILES = 100;
/** Small files read before their turn; together they take at most this many MiB. */
const READ_AHEAD = 16;

export interface PassResult {
  /** Files and links that crossed, were moved, were removed, or got new attributes only. */
  sent: number;
  moved: number;
  removed: number;
  touched: number;
  sourceBytes: number;
  /** Files that still changed when they were read last, or vanished: another pass may catch them. */
  unstable: number;
  unreadable: VolumePath[];
}

export class Pass {
  readonly result: PassResult = {
    sent: 0,
    moved: 0,
    removed: 0,
    touched: 0,
    sourceBytes: 0,
    unstable: 0,
    unreadable: [],
  };
  readonly #root: Root;
  readonly #catalog: Catalog;
  readonly #emitter: Emitter;
  readonly #plan: Plan;
  readonly #displaced: Map<number, Entry>;
  readonly #knownFiles: number;
  readonly #allowMassDelete: boolean;
  readonly #comparedListing: boolean;
  #moves = new Moves();
  #stashes = 0;
  #files = 0;
  #bytes = 0;

  constructor(
    root: Root,
    catalog: Catalog,
    emitter: Emitter,
    comparison: Comparison,
    { allowMassDelete, comparedListing }: { allowMassDelete: boolean; comparedListing: boolean },
  ) {
    this.#root = root;
    this.#catalog = catalog;
    this.#emitter = emitter;
    this.#plan = comparison.plan;
    this.#displaced = comparison.displaced;
    this.#knownFiles = comparison.knownFiles;
    this.#allowMassDelete = allowMassDelete;
    this.#comparedListing = comparedListing;
    this.result.unreadable = comparison.unreadable;
  }

  async run(): Promise<PassResult> {
    if (this.#plan.totals.items > 0) {
      this.#moves = await Moves.find(this.#root, this.#plan, this.#displaced);
      await this.#checkDeletions();
      await this.#discardLeftovers();
      for await (const item of this.#plan.items()) await this.#makeDirectory(item);
      for (const move of this.#moves.all) await this.#move(move);
      await this.#removeAll(true);
      // Before any content: a file that will not hold still has everything that lies aside given up.
      for (const move of this.#moves.all) if (move.state === 'stashed') await this.#unstash(move);
      const items = ahead(this.#plan.items(), READ_AHEAD, (item) => this.#readAhead(item));
      for await (const { item, done } of items) await this.#bring(item, done);
      await this.#removeAll(false);
      await this.#finishDirectories();
    }
    await this.#emitter.checkpoint();
    return this.result;
  }

  /** Before anything is queued: a tree that has lost most of its files is more often a mistake than a wish. */
  async #checkDeletions(): Promise<void> {
    const half = this.#knownFiles / 2;
    if (this.#allowMassDelete || this.#knownFiles <= MASS_DELETE_FILES || this.#plan.totals.gone <= half) return;
    let deletions = 0;
    for await (const { path, found, known } of this.#plan.items()) {
      const isGone = found === undefined && known !== undefined && known.kind !== 'directory';
      if (isGone && this.#moves.leaving(path) === undefined) deletions++;
    }
    if (deletions > half) throw new MassDeleteError(deletions, this.#knownFiles);
  }

  /** What an interrupted pass left aside over there, unless it is the beginning of a file that is still wanted. */
  async #discardLeftovers(): Promise<void> {
    const { stashed, transfer } = this.#catalog;
    // A peer that was compared by its listing never saw the beginning of the file that was on its way.
    if (stashed !== 0 || (this.#comparedListing && transfer !== undefined))
      await this.#emitter.emit({ type: 'discard' });
  }

  async #makeDirectory({ path, found, known }: PlanItem): Promise<void> {
    if (found?.kind !== 'directory' || known?.kind === 'directory' || path === '') return;
    const leaving = this.#moves.leaving(path);
    if (leaving !== undefined) await this.#stash(leaving);
    else if (known !== undefined) await this.#emitter.emit({ type: 'remove', path, kind: known.kind });
    await this.#emitter.emit({ type: 'directory', path, attributes: found.attributes }, found);
  }

  async #move(move: Move): Promise<void> {
    const { order, stash } = this.#moves.sequenceFor(move);
    if (stash !== undefined) await this.#stash(stash);
    for (const next of order) {
      if (next.ontoDirectory && next.state === 'waiting') await this.#stash(next);
      if (next.state === 'waiting') await this.#rename(next);
      else if (next.state === 'stashed' && !next.ontoDirectory) await this.#unstash(next);
    }
  }

  async #rename(move: Move): Promise<void> {
    const { attributes, size, digest = Buffer.alloc(0) } = move.entry;
    await this.#emitter.emit({ type: 'rename', path: move.to, from: move.from, attributes, size, digest }, move.entry);
    move.state = 'done';
    this.result.moved++;
  }

  async #stash(move: Move): Promise<void> {
    if (move.state !== 'waiting') return;
    move.stashId = ++this.#stashes;
    await this.#emitter.emit({ type: 'stash', path: move.from, id: move.stashId });
    move.state = 'stashed';
  }

  async #unstash(move: Move): Promise<void> {
    const { attributes, size, digest = Buffer.alloc(0) } = move.entry;
    await this.#emitter.emit(
      { type: 'unstash', path: move.to, id: move.stashId, attributes, size, digest },
      move.entry,
    );
    move.state = 'done';
    this.result.moved++;
  }

  /** Removals, a directory after everything in it: those under a file's new place first, the rest later. */
  async #removeAll(inTheWay: boolean): Promise<void> {
    const open = new OpenDirectories<Entry>((directory) => this.#remove(directory.path, 'directory'));
    let blocked: VolumePath | undefined;
    for await (const { path, found, known } of this.#plan.items()) {
      await open.moveTo(path);
      const blocks = known?.kind === 'directory' && found !== undefined && found.kind !== 'directory';
      if (blocks) blocked = path;
      if (!blocks && (found !== undefined || known === undefined)) continue;
      const isBlocked = blocked !== undefined && (path === blocked || isInside(path, blocked));
      if (isBlocked !== inTheWay || this.#moves.leaving(path) !== undefined) continue;
      if (known?.kind === 'directory') open.enter(known);
      else if (known !== undefined) await this.#remove(path, known.kind);
    }
    await open.moveTo(undefined);
  }

  async #remove(path: VolumePath, kind: Entry['kind']): Promise<void> {
    await this.#emitter.emit({ type: 'remove', path, kind });
    if (kind !== 'directory') this.result.removed++;
  }

  /** Reads a small file before its turn; what goes wrong shows again when it is its turn. */
  async #readAhead({ path, found }: PlanItem): Promise<WholeFile | undefined> {
    if (found?.kind !== 'file' || found.size > PART_BYTES || this.#moves.arriving(path) !== undefined) return undefined;
    return readWhole(this.#root, path).catch(() => undefined);
  }

  async #bring(item: PlanItem, whole: WholeFile | undefined): Promise<void> {
    const { path, found } = item;
    if (found === undefined || found.kind === 'directory') return;
    if (this.#moves.arriving(path) === undefined) {
      if (found.kind === 'symlink') await this.#bringLink(found);
      else await this.#bringFile(item, found, whole);
    }
    this.#files++;
    this.#bytes += found.size;
    const { files, bytes } = this.#plan.totals;
    publish('progress', {
      phase: 'content',
      files: this.#files,
      filesTotal: files,
      bytes: this.#bytes,
      bytesTotal: bytes,
    });
  }

  async #bringLink(found: Entry): Promise<void> {
    const { path, attributes, target = Buffer.alloc(0) } = found;
    await this.#emitter.emit({ type: 'symlink', path, attributes, target }, found);
    this.result.sent++;
  }

  async #bringFile({ path, known }: PlanItem, found: Entry, whole: WholeFile | undefined): Promise<void> {
    const there = this.#moves.leaving(path) === undefined ? known : undefined;
    if (there !== undefined && (await this.#isThereAlready(found, there, whole?.entry))) return;
    const emit = (operation: Operation, entry?: Entry): Promise<void> => {
      if (operation.type === 'file' || operation.type === 'part')
        this.result.sourceBytes += operation.content.byteLength;
      return this.#emitter.emit(operation, entry);
    };
    if (whole !== undefined) {
      await emit(wholeOperation(whole), whole.entry);
      this.result.sent++;
      return;
    }
    const resume = this.#catalog.transfer?.path === path ? this.#catalog.transfer : undefined;
    this.#count(path, await sendFile(this.#root, path, emit, resume));
  }

  #count(path: VolumePath, result: ContentResult): void {
    if (result.outcome === 'unreadable') {
      this.result.unreadable.push(path);
      publish('skipped', { path: displayPath(path), reason: result.detail });
      return;
    }
    if (result.outcome === 'gone' || result.unstable) this.result.unstable++;
    if (result.outcome === 'sent') this.result.sent++;
  }

  /** When the replica has this very content at this path, at most its attributes have to cross. */
  async #isThereAlready(found: Entry, there: Entry, read: Entry | undefined): Promise<boolean> {
    if (there.kind !== 'file' || there.digest === undefined || there.size !== found.size) return false;
    const known = read ?? (found.digest === undefined ? undefined : found);
    const now = known ?? (await digestFile(this.#root, found.path).catch(() => undefined));
    if (now?.digest === undefined || !now.digest.equals(there.digest)) return false;
    if (sameAttributes(now.attributes, there.attributes)) {
      await this.#emitter.put(now);
      return true;
    }
    const { path, attributes, size, digest } = now;
    await this.#emitter.emit({ type: 'attributes', path, attributes, content: { size, digest } }, now);
    this.result.touched++;
    return true;
  }

  /** A directory's time changes with what happens in it; one in which nothing did needs nothing. */
  #needsAttributes(path: VolumePath, found: Entry, known: Entry | undefined): boolean {
    if (this.#catalog.unsettled.has(path)) return true;
    return known?.kind !== 'directory' || !sameAttributes(found.attributes, known.attributes);
  }

  async #finishDirectories(): Promise<void> {
    const open = new OpenDirectories<Entry>((directory) => {
      const { path, attributes } = directory;
      return this.#emitter.emit({ type: 'attributes', path, attributes }, directory);
    });
    for await (const { path, found, known } of this.#plan.items()) {
      await open.moveTo(path);
      if (found?.kind === 'directory' && this.#needsAttributes(path, found, known)) open.enter(found);
    }
    await open.moveTo(undefined);
    this.#catalog.unsettled.settle();
  }
}
