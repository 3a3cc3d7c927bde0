import { mkdir, readdir, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isErrno, storageError } from '../engine/files.js';
import { keepingTime } from './attributes.js';

/**
 * Where content is written before it gets its name in the replica. Putting it in place must be a rename, so it lies in
 * the state directory when that shares the replica's file system, and else in a directory of its own inside the root,
 * which goes when the replica is closed.
 *
 * Names: `file-<sequence>` a whole file, `transfer` the large one on its way, `stash-<id>` a file between two places.
 */

const TRANSFER = 'transfer';
const STASH = 'stash-';

export class Aside {
  readonly dir: string;
  /** The name that a walk of the root must overlook, when the directory is in it. */
  readonly ignored: ReadonlySet<string>;
  readonly #root: string;

  private constructor(dir: string, root: string, ignored: string | undefined) {
    this.dir = dir;
    this.#root = root;
    this.ignored = new Set(ignored === undefined ? [] : [ignored]);
  }

  static async open(stateDir: string, root: string, mark: string): Promise<Aside> {
    const name = `.longhaul-aside-${mark}`;
    const outside = join(stateDir, 'aside');
    await mkdir(outside, { recursive: true }).catch((error: unknown) => {
      throw storageError('creating', outside, error);
    });
    if (await canRename(outside, root, `.longhaul-probe-${mark}`)) {
      return new Aside(outside, root, undefined);
    }
    return new Aside(join(root, name), root, name);
  }

  async prepare(): Promise<void> {
    await this.#quietly(() => mkdir(this.dir, { recursive: true, mode: 0o700 }));
  }

  fileAt(sequence: number): string {
    return join(this.dir, `file-${sequence}`);
  }

  get transfer(): string {
    return join(this.dir, TRANSFER);
  }

  stashName(id: number): string {
    return `${STASH}${id}`;
  }

  stashAt(id: number): string {
    return join(this.dir, this.stashName(id));
  }

  /** Removes what nobody needs: everything, or all but the unfinished transfer and the stashes. */
  async clear(keepUnfinished: boolean): Promise<void> {
    for (const name of await this.#names()) {
      if (keepUnfinished && (name === TRANSFER || name.startsWith(STASH))) continue;
      await rm(join(this.dir, name), { recursive: true, force: true });
    }
  }

  /** What lies here of work that goes on after a restart. */
  async unfinished(): Promise<{ transfer: boolean; stashes: number }> {
    const names = await this.#names();
    return { transfer: names.includes(TRANSFER), stashes: names.filter((name) => name.startsWith(STASH)).length };
  }

  /** Leaves nothing in the replica's root; an unfinished transfer is given up with it. */
  async close(): Promise<void> {
    if (this.ignored.size > 0) await this.#quietly(() => rm(this.dir, { recursive: true, force: true }));
    else await rmdir(this.dir).catch(() => {});
  }

  /** Inside the root the directory comes and goes without a trace in the root's time. */
  async #quietly(work: () => Promise<unknown>): Promise<void> {
    if (this.ignored.size === 0) await work();
    else await keepingTime(this.#root, async () => void (await work()));
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

/** Tries it: one device number does not mean one mount. */
async function canRename(from: string, root: string, name: string): Promise<boolean> {
  const probe = join(from, name);
  const target = join(root, name);
  await writeFile(probe, '');
  try {
    await keepingTime(root, async () => {
      await rename(probe, target);
      await rm(target, { force: true });
    });
    return true;
  } catch (error) {
    await rm(probe, { force: true });
    if (isErrno(error, 'EXDEV')) return false;
    throw storageError('moving a file into', root, error);
  }
}
