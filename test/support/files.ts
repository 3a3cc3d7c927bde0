import { spawnSync } from 'node:child_process';
import { createCipheriv, createHash } from 'node:crypto';
import {
  type BigIntStats,
  closeSync,
  ftruncateSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  utimesSync,
  writeSync,
} from 'node:fs';

/**
 * Files of a test tree. A path inside a tree is a string with one character a byte (latin1), because names are bytes:
 * `utf8` makes one of text.
 */
export type TreePath = string;

export const utf8 = (text: string): TreePath => Buffer.from(text).toString('latin1');
export const bytesOf = (path: TreePath): Buffer => Buffer.from(path, 'latin1');

/** Where a path of a tree lies on disk. */
export function at(root: string, path: TreePath): Buffer {
  return path === '' ? Buffer.from(`${root}/`) : Buffer.concat([Buffer.from(`${root}/`), bytesOf(path)]);
}

export type Kind = 'directory' | 'file' | 'symlink' | 'special';

export interface Item {
  path: TreePath;
  kind: Kind;
  stats: BigIntStats;
}

/** Everything below a directory, the directory itself (as the empty path) first. */
export function listTree(root: string): Item[] {
  const items: Item[] = [{ path: '', kind: 'directory', stats: statSync(root, { bigint: true }) }];
  const enter = (path: TreePath): void => {
    for (const name of readdirSync(at(root, path), { encoding: 'buffer' }).sort(Buffer.compare)) {
      const child = (path === '' ? '' : `${path}/`) + name.toString('latin1');
      const stats = lstatSync(at(root, child), { bigint: true });
      items.push({ path: child, kind: kindOf(stats), stats });
      if (stats.isDirectory()) enter(child);
    }
  };
  enter('');
  return items;
}

function kindOf(stats: BigIntStats): Kind {
  if (stats.isDirectory()) return 'directory';
  if (stats.isFile()) return 'file';
  return stats.isSymbolicLink() ? 'symlink' : 'special';
}

/** Content that a seed determines: text that compresses, or noise that does not. */
export function contentOf(seed: number, length: number, compressible = seed % 2 === 0): Buffer {
  const key = createHash('sha256').update(`content ${seed}`).digest().subarray(0, 16);
  const noise = (bytes: number): Buffer =>
    createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(bytes));
  if (!compressible) return noise(length);
  const words = Buffer.from(noise(Math.min(length, 1024)).toString('hex'));
  return Buffer.alloc(length, words.byteLength > 0 ? words : 'x');
}

/** Writes pieces into an otherwise empty file of that length. */
export function writeHoles(path: Buffer, length: number, pieces: [at: number, bytes: Buffer][]): void {
  const file = openSync(path, 'w');
  try {
    ftruncateSync(file, length);
    for (const [position, bytes] of pieces) writeSync(file, bytes, 0, bytes.byteLength, position);
  } finally {
    closeSync(file);
  }
}

/** Sets modification times exactly, which Node's own doubles cannot everywhere: seconds are decimal numbers. */
export function touchAll(root: string, times: readonly [path: TreePath, seconds: string][]): void {
  // A command line carries UTF-8 only, so names go in through standard input.
  const script =
    'while IFS= read -r -d "" time && IFS= read -r -d "" name; do touch -h -c -d "@$time" -- "$name" || exit 1; done';
  const end = Buffer.alloc(1);
  const input = Buffer.concat(times.flatMap(([path, seconds]) => [Buffer.from(seconds), end, at(root, path), end]));
  const env = { ...process.env, LC_ALL: 'C' };
  const { status, stderr } = spawnSync('bash', ['-c', script], { input, encoding: 'utf8', env });
  if (status !== 0) throw new Error(`touch in ${root}: ${stderr}`);
}

export function touch(root: string, path: TreePath, seconds: string): void {
  touchAll(root, [[path, seconds]]);
}

/** Gives a file the access and modification time that it had before, which leaves only the inode's own time changed. */
export function keepTime(path: Buffer, change: () => void): void {
  const before = statSync(path);
  change();
  utimesSync(path, before.atime, before.mtime);
}

export function sha256(path: Buffer | string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

/** For people: the path as text where it is that, control characters escaped. */
export function show(path: TreePath): string {
  return path === '' ? '(root)' : JSON.stringify(bytesOf(path).toString());
}
