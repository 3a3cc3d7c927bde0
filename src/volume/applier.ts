import { access } from 'node:fs/promises';
import { isErrno } from '../engine/files.js';
import type { JournalRecord } from '../journal/journal.js';
import type { Aside } from './aside.js';
import type { Catalog } from './catalog.js';
import { digestFile } from './content.js';
import { Descriptor } from './descriptor.js';
import { fold } from './fold.js';
import { Incoming } from './incoming.js';
import type { OperationOf } from './operation.js';
import { parentOf, type VolumePath } from './path.js';
import { writeSparse } from './sparse.js';
import type { Tree } from './tree.js';
import { type Step, windows } from './window.js';

/**
 * Applies operations to the replica's files, a window at a time, and folds them into its catalog. What cannot be done
 * because the replica is not what the stream expects (a file to be moved that is not there) leaves a gap in the catalog:
 * the next verification sees it and the sender fills it.
 */

const WRITERS = 8;

export class Applier {
  /** Operations that found the replica other than expected, since the start. */
  missed = 0;

  readonly #tree: Tree;
  readonly #aside: Aside;
  readonly #catalog: Catalog;
  readonly #incoming: Incoming;
  /** Until the first window is through: what it does may have been done before a crash. */
  #recovering = true;
  /** The end of the last window as a position that is on disk. */
  #durable: Promise<void> = Promise.resolve();

  constructor(tree: Tree, aside: Aside, catalog: Catalog) {
    this.#tree = tree;
    this.#aside = aside;
    this.#catalog = catalog;
    this.#incoming = new Incoming(aside.transfer);
  }

  async apply(records: readonly JournalRecord[], applied: (sequence: number) => Promise<void>): Promise<void> {
    for (const steps of windows(records)) {
      const committed = await this.#prepare(steps);
      // After a crash one window may be done again, but not two: in two of them a path may stand twice.
      await this.#durable;
      this.#tree.lookAgain();
      const touched = new Set<VolumePath>();
      for (const step of steps) await this.#place(step, committed, touched);
      await this.#tree.sync(touched);
      const last = steps[steps.length - 1];
      this.#recovering = false;
      if (last !== undefined) this.#durable = applied(last.sequence);
    }
    const last = records[records.length - 1];
    if (last !== undefined) this.#durable = applied(last.sequence);
  }

  /** Gives up what lies aside. */
  async discard(): Promise<void> {
    this.#incoming.close();
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
    fold(this.#catalog, operation);
    if (done || !('path' in operation)) return;
    this.missed++;
    this.#catalog.remove(operation.path);
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
        return committed || this.#holds(operation);
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
        return this.#setAttributes(operation, sequence);
      case 'rename':
        return this.#rename(operation, sequence);
      case 'stash':
        return (await tree.takeAway(operation.path, this.#aside.stashAt(operation.id))) || this.#isAside(operation.id);
      case 'unstash':
        return this.#unstash(operation, sequence);
    }
  }

  #setAttributes(operation: OperationOf<'attributes' | 'rename' | 'unstash'>, sequence: number): Promise<boolean> {
    return this.#tree.setFileAttributes(operation.path, operation.attributes, this.#aside.fileAt(sequence));
  }

  async #rename(operation: OperationOf<'rename'>, sequence: number): Promise<boolean> {
    if (await this.#isMeant(operation)) await this.#tree.move(operation.from, operation.path);
    else if (!(await this.#holds(operation))) return false;
    return this.#setAttributes(operation, sequence);
  }

  /** Whether the file to be moved is the one that is meant: after a crash another may have taken its place. */
  async #isMeant({ from, size, digest, attributes }: OperationOf<'rename'>): Promise<boolean> {
    if (this.#recovering) return (await this.#contentAt(from))?.equals(digest) ?? false;
    const entry = await this.#tree.entryAt(from);
    return entry?.kind === 'file' && entry.size === size && entry.attributes.mtime === attributes.mtime;
  }

  async #unstash(operation: OperationOf<'unstash'>, sequence: number): Promise<boolean> {
    const { id, path } = operation;
    if (await this.#isAside(id)) await this.#tree.place(this.#aside.stashAt(id), path);
    else if (!(await this.#holds(operation))) return false;
    return this.#setAttributes(operation, sequence);
  }

  /** Whether the content that an operation brings is at its path already, from before a crash. */
  async #holds(operation: OperationOf<'rename' | 'unstash' | 'commit'>): Promise<boolean> {
    return (await this.#contentAt(operation.path))?.equals(operation.digest) ?? false;
  }

  async #contentAt(path: VolumePath): Promise<Buffer | undefined> {
    const isFile = (await this.#tree.entryAt(path))?.kind === 'file';
    return isFile ? (await digestFile(this.#tree.root, path))?.digest : undefined;
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
