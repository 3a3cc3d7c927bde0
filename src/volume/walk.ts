import { type BigIntStats, type Dirent, lstat as lstatCallback } from 'node:fs';
import { readdir, readlink } from 'node:fs/promises';
import { promisify } from 'node:util';
import { isErrno, storageError } from '../engine/files.js';
import { type Entry, entryFromStats } from './entry.js';
import { joinPath, pathBytes, type VolumePath } from './path.js';

/** Everything below a directory, in path order, a bounded number of entries at a time. */

/** An entry, or why there is none where the file system shows a name. */
export interface Found {
  path: VolumePath;
  entry?: Entry;
  /** `special`: a socket, device or pipe; `unreadable`: no permission, or an I/O error. */
  problem?: { reason: 'special' | 'unreadable'; detail: string };
}

const LSTAT_BATCH = 128;

export const lstatBig = promisify(
  (path: Buffer | string, done: (error: Error | null, stats: BigIntStats) => void): void =>
    lstatCallback(path, { bigint: true }, done),
);

export class Root {
  /** The root's own path on disk, as bytes; the slash at its end looks through a symbolic link. */
  readonly bytes: Buffer;

  constructor(path: string) {
    this.bytes = Buffer.from(`${path}/`);
  }

  /** Where a path of the volume lies on disk. */
  at(path: VolumePath): Buffer {
    return path === '' ? this.bytes : Buffer.concat([this.bytes, pathBytes(path)]);
  }
}

/** Walks from the root down; `ignored` names entries of the root that are not the volume's. */
export async function* walk(root: Root, ignored: ReadonlySet<string> = new Set()): AsyncGenerator<Found> {
  const found = await look(root, '');
  if (found === undefined) return;
  yield found;
  yield* walkDirectory(root, '', ignored);
}

async function* walkDirectory(root: Root, path: VolumePath, ignored: ReadonlySet<string>): AsyncGenerator<Found> {
  let names: string[];
  try {
    names = await readNames(root, path);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return;
    yield { path, problem: { reason: 'unreadable', detail: message(error) } };
    return;
  }
  if (path === '') names = names.filter((name) => !ignored.has(name));
  for (let at = 0; at < names.length; at += LSTAT_BATCH) {
    const batch = names.slice(at, at + LSTAT_BATCH).map((name) => look(root, joinPath(path, name)));
    for (const found of await Promise.all(batch)) {
      if (found === undefined) continue;
      yield found;
      if (found.entry?.kind === 'directory') yield* walkDirectory(root, found.path, ignored);
    }
  }
}

/** Names in byte order. */
async function readNames(root: Root, path: VolumePath): Promise<string[]> {
  const entries: Dirent<Buffer>[] = await readdir(root.at(path), { encoding: 'buffer', withFileTypes: true });
  return entries.map((entry) => entry.name.toString('latin1')).sort();
}

/** What lies at a path; undefined when it has gone in the meantime. */
export async function look(root: Root, path: VolumePath): Promise<Found | undefined> {
  const place = root.at(path);
  try {
    const stats = await lstatBig(place);
    const entry = entryFromStats(path, stats);
    if (entry === undefined) return { path, problem: { reason: 'special', detail: specialKind(stats) } };
    if (entry.kind === 'symlink') entry.target = await readlink(place, { encoding: 'buffer' });
    return { path, entry };
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
    if (isErrno(error, 'EACCES', 'EPERM', 'EIO', 'ENAMETOOLONG', 'ESTALE')) {
      return { path, problem: { reason: 'unreadable', detail: message(error) } };
    }
    throw storageError('reading', place.toString(), error);
  }
}

function specialKind(stats: BigIntStats): string {
  if (stats.isSocket()) return 'a socket';
  if (stats.isFIFO()) return 'a pipe';
  if (stats.isBlockDevice()) return 'a block device';
  return stats.isCharacterDevice() ? 'a character device' : 'of no known kind';
}

function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
