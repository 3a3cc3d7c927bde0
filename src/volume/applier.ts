import { access } from 'node:fs/promises';
import { isErrno } from '../engine/files.js';
import type { JournalRecord } from '../journal/journal.js';
import type { Aside } from './aside.js';
import type { Catalog } from './catalog.js';
import { Descriptor } from './descriptor.js';
import type { Entry } from './entry.js';
import { fold } from './fold.js';
import { Held } from './held.js';
import { Incoming } from './incoming.js';
import { entryAfter, type Operation, type OperationOf } from './operation.js';
import { parentOf, type VolumePath } from './path.js';
import { writeSparse } from './sparse.js';
import type { Tree } from './tree.js';
import { type Step, windows } from './window.js';

/**
 * Applies operations to the replica's files, a window at a time, and folds them into its catalog. What cannot be done
 * because the replica is not what the stream expects (a file to be moved that is not there, or is another one) leaves a
 * gap in the catalog: the next verification, or the comparison with which the next session begins, has the sender fill it.
 */

const WRITERS = 8;

export class Applier {
  /** Operations that found the replica other than expected, since the start. */
  missed = 0;
  /** Bytes of the files that were placed, moved or touched: what a crash leaves without a proof, until a checkpoint. */
  unsettledBytes = 0;

  readonly #tree: Tree;
  readonly #aside: Aside;
  readonly #catalog: Catalog;
  readonly #incoming: Incoming;
  readonly #held: Held;
  readonly #onMissed: () => Promise<void>;
  /** The end of the last window as a position that is on disk. */
  #durable: Promise<void> = Promise.resolve();

  /** `onMissed` is awaited before a window in which something was missed counts as applied. */
  constructor(tree: Tree, aside: Aside, catalog: Catalog, onMissed: () => Promise<void> = async () => {}) {
    this.#tree = tree;
    this.#aside = aside;
    this.#catalog = catalog;
    this.#onMissed = onMissed;
    this.#incoming = new Incoming(aside.transfer);
    this.#held = new Held(tree, catalog, aside);
  }

  async apply(records: readonly JournalRecord[], applied: (sequence: number) => Promise<void>): Promise<void> {
    for (const steps of windows(records)) {
      const committed = await this.#prepare(steps);
      // After a crash one window may be done again, but not two: in two of them a path may stand twice.
      await this.#durable;
      this.#tree.lookAgain();
      const touched = new Set<VolumePath>();
      const { missed } = this;
      for (const step of steps) await this.#place(step, committed, touched);
      await this.#tree.sync(touched);
      if (this.missed > missed) await this.#onMissed();
      const last = steps[steps.length - 1];
      if (last !== undefined) this.#durable = applied(last.sequence);
    }
    const last = records[records.length - 1];
    if (last !== undefined) this.#durable = applied(last.sequence);
  }

  /** Gives up what lies aside. */
  async discard(): Promise<void> {
    this.#incoming.close();
    this.#held.forgetStashed();
    await this.#aside.clear(false);
  }

  close(): void {
    this.#incoming.close();
  }

  /** Writes contents aside: whole files side by side, the parts of the large one in order. */
  async #prepare(steps: readonly Step[]): Promise<boolean> {
    const files = steps.filter(
      (step): step is Step & { operation: OperationOf<'file'> } => step.operation.type === 'file',
    );
    const writers = Array.from({ length: Math.min(WRITERS, files.length) }, async () => {
      for (let next = files.shift(); next !== undefined; next = files.shift())
        await this.#writeFile(next.sequence, next.operation);
    });
    const [committed] = await Promise.all([this.#writeParts(steps), ...writers]);
    return committed;
  }

  async #writeFile(sequence: number, operation: OperationOf<'file'>): Promise<void> {
    const { content, sparse, attributes } = operation;
    const file = await Descriptor.open(this.#aside.fileAt(sequence), 'w');
    try {
      if (sparse) {
        await writeSparse(file, content, 0);
        await file.truncate(content.byteLength);
      } else await file.write(content, 0);
      file.setAttributes(attributes);
      await file.sync();
    } finally {
      file.close();
    }
  }

  /** True when a file was completed and lies ready. */
  async #writeParts(steps: readonly Step[]): Promise<boolean> {
    let wrote = false;
    let committed = false;
    for (const { operation } of steps) {
      if (operation.type === 'begin') await this.#incoming.begin();
      const transfer = this.#catalog.transfer;
      if (operation.type === 'part' && transfer?.path === operation.path) {
        wrote = (await this.#incoming.write(transfer, operation)) || wrote;
      }
      if (operation.type === 'commit' && transfer?.path === operation.path)
        committed = await this.#incoming.commit(operation);
    }
    if (wrote && !committed) await this.#incoming.sync();
    return committed;
  }

  async #place(step: Step, committed: boolean, touched: Set<VolumePath>): Promise<void> {
    const { operation, sequence } = step;
    const done = await this.#effect(step, committed);
    if (operation.type !== 'begin' && operation.type !== 'part' && operation.type !== 'discard') {
      touched.add(parentOf(operation.path));
      if (operation.type === 'rename') touched.add(parentOf(operation.from));
      if (operation.type === 'directory' || operation.type === 'attributes') touched.add(operation.path);
    }
    // After a crash the catalog may already say more than the files were known to have.
    if (sequence <= this.#catalog.through) return;
    fold(this.#catalog, operation, this.#left(operation));
    if (done || !('path' in operation)) return;
    this.missed++;
    this.#catalog.remove(operation.path);
  }

  /** The entry that an operation has left, with the signature that proves its digest from here on. */
  #left(operation: Operation): Entry | undefined {
    const entry = entryAfter(operation);
    if (entry?.kind !== 'file') return entry;
    this.unsettledBytes += entry.size;
    const signature = this.#held.signatureAt(entry.path);
    return signature === undefined ? entry : { ...entry, signature };
  }

  async #effect({ operation, sequence }: Step, committed: boolean): Promise<boolean> {
    const tree = this.#tree;
    switch (operation.type) {
      case 'begin':
      case 'part':
        return true;
      case 'discard':
        await this.discard();
        return true;
      case 'directory':
        await tree.makeDirectory(operation.path);
        return true;
      case 'file':
        await tree.place(this.#aside.fileAt(sequence), operation.path);
        return true;
      case 'commit':
        if (committed) await tree.place(this.#aside.transfer, operation.path);
        return committed || this.#holds(operation.path, operation.digest);
      case 'symlink':
        await tree.makeLink(this.#aside.fileAt(sequence), operation.target, operation.attributes);
        await tree.place(this.#aside.fileAt(sequence), operation.path);
        return true;
      case 'remove':
        await tree.remove(operation.path, operation.kind);
        return true;
      case 'attributes':
        if (operation.content === undefined) {
          return tree.setDirectoryAttributes(operation.path, operation.attributes);
        }
        if (!(await this.#holds(operation.path, operation.content.digest))) return false;
        return this.#setAttributes(operation, sequence);
      case 'rename':
        return this.#rename(operation, sequence);
      case 'stash':
        return this.#stash(operation);
      case 'unstash':
        return this.#unstash(operation, sequence);
    }
  }

  #setAttributes(operation: OperationOf<'attributes' | 'rename' | 'unstash'>, sequence: number): Promise<boolean> {
    return this.#tree.setFileAttributes(operation.path, operation.attributes, this.#aside.fileAt(sequence));
  }

  /** Another file may have taken the place of the one that is meant; and that may be where it belongs, from before a crash. */
  async #rename(operation: OperationOf<'rename'>, sequence: number): Promise<boolean> {
    const { from, path, digest } = operation;
    if (await this.#holds(from, digest)) await this.#tree.move(from, path);
    else if (!(await this.#holds(path, digest))) return false;
    return this.#setAttributes(operation, sequence);
  }

  async #stash({ path, id }: OperationOf<'stash'>): Promise<boolean> {
    const digest = await this.#held.recordedAt(path);
    if (!(await this.#tree.takeAway(path, this.#aside.stashAt(id)))) return this.#isAside(id);
    this.#held.keepStashed(id, digest);
    return true;
  }

  async #unstash(operation: OperationOf<'unstash'>, sequence: number): Promise<boolean> {
    const { id, path, digest } = operation;
    if (!(await this.#holds(path, digest))) {
      // After a crash another file may lie there already: the next pass begins with the same number.
      if (!(await this.#held.digestOfStashed(id))?.equals(digest)) return false;
      await this.#tree.place(this.#aside.stashAt(id), path);
    }
    return this.#setAttributes(operation, sequence);
  }

  async #holds(path: VolumePath, digest: Buffer): Promise<boolean> {
    return (await this.#held.digestAt(path))?.equals(digest) ?? false;
  }

  async #isAside(id: number): Promise<boolean> {
    try {
      await access(this.#aside.stashAt(id));
      return true;
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return false;
      throw error;
    }
  }
}
