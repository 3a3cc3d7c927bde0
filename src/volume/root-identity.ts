import { randomBytes } from 'node:crypto';
import { realpath, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { readJson, replaceFile } from '../engine/files.js';
import { NestedDirectoriesError, RootChangedError, RootMissingError } from '../errors.js';

/**
 * Which directory a state belongs to. A mount that is not there, or a path that suddenly means another directory, looks
 * like a tree whose files were all deleted; device and inode, kept in the state directory, tell the difference.
 */
export interface RootIdentity {
  device: string;
  inode: string;
}

export async function identify(path: string): Promise<RootIdentity> {
  let stats: Awaited<ReturnType<typeof stat>> & { dev: bigint; ino: bigint };
  try {
    stats = await stat(path, { bigint: true });
  } catch (error) {
    throw new RootMissingError(path, error);
  }
  if (!stats.isDirectory()) throw new RootMissingError(path);
  return { device: String(stats.dev), inode: String(stats.ino) };
}

export function sameIdentity(a: RootIdentity, b: RootIdentity): boolean {
  return a.device === b.device && a.inode === b.inode;
}

export function describeIdentity({ device, inode }: RootIdentity): string {
  return `device ${device}, inode ${inode}`;
}

/** The identity that a state directory remembers for its root, in a file of its own. */
export class RootMarker {
  readonly #path: string;
  kept: RootIdentity | undefined;
  /** Changes whenever the state is bound to a directory anew. */
  mark: string | undefined;
  /** The directory holds what no record brought, or lacks what one did: whoever sends has to compare before it goes on. */
  holdsContent = false;

  private constructor(path: string) {
    this.#path = path;
  }

  static async open(stateDir: string, name: string): Promise<RootMarker> {
    const marker = new RootMarker(join(stateDir, name));
    const json = await readJson(marker.#path);
    if (typeof json?.device === 'string' && typeof json.inode === 'string') {
      marker.kept = { device: json.device, inode: json.inode };
      marker.mark = String(json.mark);
      marker.holdsContent = json.holdsContent === true;
    }
    return marker;
  }

  async bind(identity: RootIdentity, holdsContent = false): Promise<void> {
    if (this.kept !== undefined && sameIdentity(this.kept, identity)) return;
    this.mark = randomBytes(8).toString('hex');
    this.kept = identity;
    this.holdsContent = holdsContent;
    await this.#save();
  }

  async setHoldsContent(holdsContent: boolean): Promise<void> {
    if (this.holdsContent === holdsContent) return;
    this.holdsContent = holdsContent;
    await this.#save();
  }

  async #save(): Promise<void> {
    const { kept, mark, holdsContent } = this;
    await replaceFile(this.#path, `${JSON.stringify({ version: 1, ...kept, mark, holdsContent })}\n`);
  }

  /** Throws when `identity` is not the directory that this state belongs to. */
  check(path: string, identity: RootIdentity): void {
    if (this.kept === undefined || sameIdentity(this.kept, identity)) return;
    throw new RootChangedError(path, describeIdentity(identity), describeIdentity(this.kept));
  }
}

/** A state directory inside the tree it describes would replicate, or overwrite, itself. */
export async function refuseNesting(root: string, stateDir: string): Promise<void> {
  const [outer, inner] = [await realpath(root), await realpath(stateDir)];
  if (inner === outer || inner.startsWith(outer.endsWith(sep) ? outer : outer + sep)) {
    throw new NestedDirectoriesError(stateDir, root);
  }
}
