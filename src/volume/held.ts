import { lstatSync } from 'node:fs';
import type { Aside } from './aside.js';
import type { Catalog } from './catalog.js';
import { digestFile } from './content.js';
import { type Entry, type Signature, sameSignature, signatureFromStats } from './entry.js';
import type { VolumePath } from './path.js';
import type { Tree } from './tree.js';
import { Root } from './walk.js';

/**
 * What the replica's files hold. A recorded digest speaks of the file that carries the signature recorded with it, and of
 * no other: the files may be newer than the catalog, because a state was put back from a copy or a process was killed.
 * What no signature proves is read.
 */
export class Held {
  readonly #tree: Tree;
  readonly #catalog: Catalog;
  readonly #aside: Aside;
  /** Files between two places whose content was proved when they were taken away, by the number of their stash. */
  readonly #stashed = new Map<number, { digest: Buffer; signature: Signature | undefined }>();

  constructor(tree: Tree, catalog: Catalog, aside: Aside) {
    this.#tree = tree;
    this.#catalog = catalog;
    this.#aside = aside;
  }

  /** The digest of the file at a path; undefined when there is none, or none that can be read. */
  async digestAt(path: VolumePath): Promise<Buffer | undefined> {
    const there = await this.#tree.entryAt(path);
    if (there?.kind !== 'file') return undefined;
    return (await this.#recorded(there)) ?? read(this.#tree.root, path);
  }

  /** The digest that the catalog has for a path, if the file there is the one that it speaks of. */
  async recordedAt(path: VolumePath): Promise<Buffer | undefined> {
    const there = await this.#tree.entryAt(path);
    return there?.kind === 'file' ? this.#recorded(there) : undefined;
  }

  async #recorded(there: Entry): Promise<Buffer | undefined> {
    const known = await this.#catalog.get(there.path);
    const isSame = known?.size === there.size && sameSignature(known.signature, there.signature);
    return isSame ? known.digest : undefined;
  }

  /** What to record with a digest that was just proved: how the file at a path looks now. */
  signatureAt(path: VolumePath): Signature | undefined {
    return signatureOf(this.#tree.root.at(path));
  }

  /** A file was taken away under a number. */
  keepStashed(id: number, digest: Buffer | undefined): void {
    this.#stashed.delete(id);
    if (digest !== undefined) this.#stashed.set(id, { digest, signature: signatureOf(this.#aside.stashAt(id)) });
  }

  /** The digest of the file that was taken away under a number; undefined when there is none. */
  async digestOfStashed(id: number): Promise<Buffer | undefined> {
    const kept = this.#stashed.get(id);
    this.#stashed.delete(id);
    const isSame = sameSignature(kept?.signature, signatureOf(this.#aside.stashAt(id)));
    return isSame ? kept?.digest : read(new Root(this.#aside.dir), this.#aside.stashName(id));
  }

  forgetStashed(): void {
    this.#stashed.clear();
  }
}

/** A file that cannot be read counts as one that is not what it should be: it is sent again. */
async function read(root: Root, path: VolumePath): Promise<Buffer | undefined> {
  return (await digestFile(root, path).catch(() => undefined))?.digest;
}

/** At once: the inode was just in use, so nothing waits for a disk. */
function signatureOf(path: Buffer | string): Signature | undefined {
  try {
    const stats = lstatSync(path, { bigint: true });
    return stats.isFile() ? signatureFromStats(stats) : undefined;
  } catch {
    return undefined;
  }
}
