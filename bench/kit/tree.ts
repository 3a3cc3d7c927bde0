import { lstat, readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';

/** What a directory tree holds, for comparing two of them without the code under test. */

export interface TreeItem {
  kind: 'directory' | 'file' | 'symlink';
  mode: number;
  /** Whole microseconds: what a replica keeps. */
  mtimeMicroseconds: bigint;
  size: number;
}

export type Tree = Map<string, TreeItem>;

/** Everything below `root`, and the root itself as `.`. */
export async function readTree(root: string): Promise<Tree> {
  const tree: Tree = new Map();
  const visit = async (path: string): Promise<void> => {
    const stats = await lstat(join(root, path), { bigint: true });
    const kind = stats.isDirectory() ? 'directory' : stats.isSymbolicLink() ? 'symlink' : 'file';
    const mode = kind === 'symlink' ? 0 : Number(stats.mode & 0o7777n);
    tree.set(path, {
      kind,
      mode,
      mtimeMicroseconds: stats.mtimeNs / 1000n,
      size: kind === 'file' ? Number(stats.size) : 0,
    });
    if (kind !== 'directory') return;
    for (const name of (await readdir(join(root, path))).sort()) await visit(join(path, name));
  };
  await visit('.');
  return tree;
}

export function sizeOf(tree: Tree): { files: number; bytes: number } {
  const files = [...tree.values()].filter(({ kind }) => kind !== 'directory');
  return { files: files.length, bytes: files.reduce((sum, { size }) => sum + size, 0) };
}

/** What is new or different in `after`. */
export function changesBetween(before: Tree, after: Tree): Tree {
  return new Map([...after].filter(([path, item]) => !sameItem(before.get(path), item)));
}

/** Everything in which two trees on disk differ, as lines for people; none when they are the same. */
export async function differences(left: string, right: string): Promise<string[]> {
  const [ours, theirs] = [await readTree(left), await readTree(right)];
  const lines = [...theirs.keys()].filter((path) => !ours.has(path)).map((path) => `${path}: only in ${right}`);
  for (const [path, item] of ours) {
    const other = theirs.get(path);
    if (other === undefined) lines.push(`${path}: missing in ${right}`);
    else if (!sameItem(item, other)) lines.push(`${path}: ${describe(item)} here, ${describe(other)} there`);
    else if (!(await sameContent(join(left, path), join(right, path), item.kind))) lines.push(`${path}: other content`);
  }
  return lines;
}

function sameItem(a: TreeItem | undefined, b: TreeItem): boolean {
  return a?.kind === b.kind && a.mode === b.mode && a.size === b.size && a.mtimeMicroseconds === b.mtimeMicroseconds;
}

async function sameContent(left: string, right: string, kind: TreeItem['kind']): Promise<boolean> {
  if (kind === 'directory') return true;
  if (kind === 'symlink') return (await readlink(left)) === (await readlink(right));
  return (await readFile(left)).equals(await readFile(right));
}

function describe({ kind, mode, mtimeMicroseconds, size }: TreeItem): string {
  return `${kind} of ${size} bytes, mode ${mode.toString(8)}, time ${mtimeMicroseconds} µs`;
}
