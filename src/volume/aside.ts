import { mkdir, open, readdir, rename, rm, rmdir, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isErrno, storageError } from '../engine/files.js';

/**
 * Where content is written before it gets its name in the replica. Putting it in place must be a rename, so it lies in
 * the state directory when that shares the replica's file system, and else in a directory of its own inside the root,
 * which goes when the replica is closed.
 *
 * Names: `file-<sequence>` a whole file, `transfer` the large one on its way, `stash-<id>` a file between two places.
 */

const TRANSFER = 'transfer';

export class Aside {
  readonly dir: string;
  /** The name that a walk of the root must overlook, when the directory is in it. */
  readonly ignored: ReadonlySet<string>;

  private constructor(dir: string, ignored: string | undefined) {
    this.dir = dir;
    this.ignored = new Set(ignored === undefined ? [] : [ignored]);
  }

  static async open(stateDir: string, root: string, mark: string): Promise<Aside> {
    const name = `.longhaul-aside-${mark}`;
    const outside = join(stateDir, 'aside');
    await mkdir(outside, { recursive: true }).catch((error: unknown) => {
      throw storageError('creating', outside, error);
    });
    if (await canRename(outside, root, `.longhaul-probe-${mark}`)) {
      await rm(join(root, name), { recursive: true, force: true });
      return new Aside(outside, undefined);
    }
    return new Aside(join(root, name), name);
  }

  async prepare(): Promise<void> {
    await mkdir(this.dir, { recursive: true, mode: 0o700 });
  }

  fileAt(sequence: number): string {
    return join(this.dir, `file-${sequence}`);
  }

  get transfer(): string {
    return join(this.dir, TRANSFER);
  }

  stashAt(id: number): string {
    return join(this.dir, `stash-${id}`);
  }

  /** Removes what nobody needs: everything, or all but the unfinished transfer and the stashes. */
  async clear(keepUnfinished: boolean): Promise<void> {
    for (const name of await this.#names()) {
      if (keepUnfinished && (name === TRANSFER || name.startsWith('stash-'))) continue;
      await rm(join(this.dir, name), { recursive: true, force: true });
    }
  }

  /** Leaves nothing in the replica's root; an unfinished transfer is given up with it. */
  async close(): Promise<void> {
    if (this.ignored.size > 0) await rm(this.dir, { recursive: true, force: true });
    else await rmdir(this.dir).catch(() => {});
  }

  async #names(): Promise<string[]> {
    try {
      return await readdir(this.dir);
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return [];
      throw storageError('reading', this.dir, error);
    }
  }
}

/** Tries it: one device number does not mean one mount. The root's times stay as they were. */
async function canRename(from: string, root: string, name: string): Promise<boolean> {
  const probe = join(from, name);
  const target = join(root, name);
  const before = await stat(root);
  await writeFile(probe, '');
  try {
    await rename(probe, target);
    await rm(target, { force: true });
    await utimes(root, before.atime, before.mtimeMs / 1000);
    return true;
  } catch (error) {
    await rm(probe, { force: true });
    if (isErrno(error, 'EXDEV')) return false;
    throw storageError('moving a file into', root, error);
  }
}

export async function syncFile(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
