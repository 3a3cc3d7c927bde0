import { chmod, copyFile, mkdir, rename, rm, rmdir, symlink, unlink } from 'node:fs/promises';
import { isErrno, syncDirectory } from '../engine/files.js';
import { setPathAttributes } from './attributes.js';
import { Descriptor } from './descriptor.js';
import type { Attributes, Entry, EntryKind } from './entry.js';
import { joinPath, parentOf, type VolumePath } from './path.js';
import { look, lstatBig, type Root } from './walk.js';

/**
 * The replica's files. Every change is made so that doing it again does no harm, and none leaves the root: before
 * anything is done at a path, each directory above it is known to be a directory and no link.
 */

const KNOWN_DIRECTORIES_MAX = 10_000;
const OWNER_ALL = 0o700;

export class Tree {
  readonly root: Root;
  readonly #known = new Set<VolumePath>(['']);

  constructor(root: Root) {
    this.root = root;
  }

  /** Forgets which paths were directories: something else may have been at work in the replica meanwhile. */
  lookAgain(): void {
    this.#known.clear();
    this.#known.add('');
  }

  /** What is at a path, if the way there leads through directories only. */
  async entryAt(path: VolumePath): Promise<Entry | undefined> {
    return (await this.#isReachable(path)) ? (await look(this.root, path))?.entry : undefined;
  }

  async #kindAt(path: VolumePath): Promise<EntryKind | undefined> {
    return (await look(this.root, path))?.entry?.kind;
  }

  async makeDirectory(path: VolumePath): Promise<void> {
    await this.#makeParent(path);
    await this.#ensureDirectory(path);
  }

  /** Puts a file or link that lies aside in its place, over whatever is there. */
  async place(aside: string, path: VolumePath): Promise<void> {
    await this.#makeParent(path);
    await this.#withAccess(path, () => this.#renameOver(aside, path));
  }

  /** Takes a file out of its place; false when there is none. */
  async takeAway(path: VolumePath, aside: string): Promise<boolean> {
    if (!(await this.#isReachable(path)) || (await this.#kindAt(path)) !== 'file') return false;
    await this.#withAccess(path, () => rename(this.root.at(path), aside));
    return true;
  }

  /** Moves a file to another place. */
  async move(from: VolumePath, to: VolumePath): Promise<void> {
    await this.#makeParent(to);
    await this.#withAccess(from, () => this.#withAccess(to, () => this.#renameOver(this.root.at(from), to)));
  }

  async makeLink(aside: string, target: Buffer, attributes: Attributes): Promise<void> {
    await rm(aside, { force: true });
    await symlink(target, aside);
    await setPathAttributes(Buffer.from(aside), 'symlink', attributes);
  }

  /** Removes an entry of that kind; another kind at the path belongs to a later change, and stays. */
  async remove(path: VolumePath, kind: EntryKind): Promise<void> {
    if (!(await this.#isReachable(path))) return;
    const there = await this.#kindAt(path);
    if (there === undefined) return;
    if ((there === 'directory') !== (kind === 'directory')) return;
    if (there === 'directory') await this.#removeDirectory(path);
    else await this.#withAccess(path, () => unlink(this.root.at(path)));
  }

  /** False when the path holds no directory. */
  async setDirectoryAttributes(path: VolumePath, attributes: Attributes): Promise<boolean> {
    if (!(await this.#isReachable(path)) || (await this.#kindAt(path)) !== 'directory') return false;
    await setPathAttributes(this.root.at(path), 'directory', attributes);
    return true;
  }

  /** False when the path holds no file. One that shares its inode, in a directory that was adopted, gets its own. */
  async setFileAttributes(path: VolumePath, attributes: Attributes, aside: string): Promise<boolean> {
    const isReachable = await this.#isReachable(path);
    const stats = isReachable ? await lstatBig(this.root.at(path)).catch(() => undefined) : undefined;
    if (!stats?.isFile()) return false;
    if (stats.nlink > 1n) {
      await copyFile(this.root.at(path), aside);
      const file = await Descriptor.open(aside, 'r+');
      await file.sync().finally(() => file.close());
      await this.place(aside, path);
    }
    await setPathAttributes(this.root.at(path), 'file', attributes);
    return true;
  }

  /** Makes what happened in these directories durable; one that has gone again needs nothing. */
  async sync(directories: Iterable<VolumePath>): Promise<void> {
    await Promise.all(
      [...directories].map(async (path) => {
        await syncDirectory(this.root.at(path)).catch((error: unknown) => {
          if (!isErrno(error, 'ENOENT', 'ENOTDIR')) throw error;
        });
      }),
    );
  }

  /** Whether every directory above a path is one, without making any. */
  async #isReachable(path: VolumePath): Promise<boolean> {
    const parent = parentOf(path);
    if (path === '' || this.#known.has(parent)) return true;
    if (!(await this.#isReachable(parent)) || (await this.#kindAt(parent)) !== 'directory') return false;
    this.#remember(parent);
    return true;
  }

  async #makeParent(path: VolumePath): Promise<void> {
    const parent = parentOf(path);
    if (this.#known.has(parent)) return;
    await this.#makeParent(parent);
    await this.#ensureDirectory(parent);
  }

  async #ensureDirectory(path: VolumePath): Promise<void> {
    const kind = await this.#kindAt(path);
    if (kind !== undefined && kind !== 'directory') await this.#withAccess(path, () => unlink(this.root.at(path)));
    // The final mode comes with the directory's attributes: until then its content must get in.
    if (kind !== 'directory') await this.#withAccess(path, () => mkdir(this.root.at(path), { mode: OWNER_ALL }));
    this.#remember(path);
  }

  async #removeDirectory(path: VolumePath): Promise<void> {
    this.#forget(path);
    await this.#withAccess(path, async () => {
      try {
        await rmdir(this.root.at(path));
      } catch (error) {
        // What is left in it came from elsewhere: the replica is what the source is, and no more.
        if (!isErrno(error, 'ENOTEMPTY', 'EEXIST')) throw error;
        await rm(this.root.at(path), { recursive: true });
      }
    });
  }

  async #renameOver(from: Buffer | string, to: VolumePath): Promise<void> {
    const target = this.root.at(to);
    try {
      await rename(from, target);
    } catch (error) {
      if (!isErrno(error, 'EISDIR', 'ENOTEMPTY', 'EEXIST')) throw error;
      this.#forget(to);
      await rm(target, { recursive: true, force: true });
      await rename(from, target);
    }
  }

  /** Opens the directory above for a moment when its mode keeps even its owner out; its attributes follow later. */
  async #withAccess<T>(path: VolumePath, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!isErrno(error, 'EACCES')) throw error;
      await chmod(this.root.at(parentOf(path)), OWNER_ALL);
      return work();
    }
  }

  #remember(path: VolumePath): void {
    if (this.#known.size >= KNOWN_DIRECTORIES_MAX) this.lookAgain();
    this.#known.add(path);
  }

  #forget(path: VolumePath): void {
    const inside = joinPath(path, '');
    for (const known of this.#known) if (known === path || known.startsWith(inside)) this.#known.delete(known);
  }
}
