import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { link, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DiskFullError, StateDamagedError, StorageError } from '../errors.js';

/** Small files of the state directory: replaced whole and durably, or not at all. */

export function isErrno(error: unknown, ...codes: string[]): boolean {
  return codes.includes((error as NodeJS.ErrnoException | undefined)?.code ?? '');
}

/** The error for a failed file operation: a full disk has a class of its own. */
export function storageError(operation: string, path: string, cause: unknown): DiskFullError | StorageError {
  return isErrno(cause, 'ENOSPC', 'EDQUOT')
    ? new DiskFullError(operation, path, cause)
    : new StorageError(operation, path, cause);
}

export async function syncDirectory(path: string | Buffer): Promise<void> {
  // Opening a pipe or a device that someone has put there instead could wait for ever, or do worse.
  const handle = await open(path, constants.O_RDONLY | (constants.O_DIRECTORY ?? 0));
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Writes a file beside its place, syncs it, renames it over the old one and syncs the directory. */
export async function replaceFile(
  path: string,
  content: string | Uint8Array,
  { mode }: { mode?: number } = {},
): Promise<void> {
  const aside = `${path}.new`;
  try {
    const handle = await open(aside, 'w', mode);
    try {
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(aside, path);
    await syncDirectory(dirname(path));
  } catch (error) {
    throw storageError('replacing', path, error);
  }
}

/** As `replaceFile`, for a file that must not be there yet: false, and nothing changed, when it is. */
export async function createFile(path: string, content: string | Uint8Array, mode: number): Promise<boolean> {
  // A name of its own, or two that make the file at the same time could each take the other's content for theirs.
  const aside = `${path}.${randomBytes(8).toString('hex')}.new`;
  try {
    const handle = await open(aside, 'wx', mode);
    try {
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    // Unlike a rename, a link never takes the place of a file that someone made meanwhile.
    await link(aside, path);
    return true;
  } catch (error) {
    if (isErrno(error, 'EEXIST')) return false;
    throw storageError('creating', path, error);
  } finally {
    await rm(aside, { force: true }).catch(() => {});
    await syncDirectory(dirname(path)).catch(() => {});
  }
}

/** The object in a JSON file of ours; undefined when there is no file. */
export async function readJson(path: string): Promise<Record<string, unknown> | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw storageError('reading', path, error);
  }
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // Falls through: no JSON at all and JSON of another shape are the same damage.
  }
  throw new StateDamagedError(
    path,
    'not a JSON object',
    'restore it from a copy, or start with a new state directory and --adopt',
  );
}
