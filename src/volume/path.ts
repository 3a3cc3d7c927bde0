import { UnsafePathError } from '../errors.js';

/**
 * Paths inside a volume. File names are bytes, not text, so a path is kept as a string with one character a byte
 * (latin1): nothing is lost, and plain string operations work. The root is the empty path; names are joined by `/`.
 */
export type VolumePath = string;

const NAME_BYTES_MAX = 255;
const PATH_BYTES_MAX = 4095;

export function pathBytes(path: VolumePath): Buffer {
  return Buffer.from(path, 'latin1');
}

export function pathFromBytes(bytes: Uint8Array): VolumePath {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}

/** For people: UTF-8 where the bytes are that, control characters escaped. */
export function displayPath(path: VolumePath): string {
  const text = pathBytes(path).toString('utf8');
  return JSON.stringify(text === '' ? '.' : text).slice(1, -1);
}

export function joinPath(parent: VolumePath, name: string): VolumePath {
  return parent === '' ? name : `${parent}/${name}`;
}

/** The directory that holds a path; the root holds itself. */
export function parentOf(path: VolumePath): VolumePath {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

export function isInside(path: VolumePath, directory: VolumePath): boolean {
  return directory === '' ? path !== '' : path.startsWith(`${directory}/`);
}

/**
 * The order of a walk: a directory, then everything in it, then its next sibling, names by their bytes. It is the order
 * of the bytes with the separator below every other one.
 */
export function comparePaths(a: VolumePath, b: VolumePath): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return (x === SEPARATOR ? -1 : x) - (y === SEPARATOR ? -1 : y);
  }
  return a.length - b.length;
}

const SEPARATOR = 0x2f;

/** Accepts only what names an entry inside the root: no empty, `.` or `..` names, no NUL, nothing too long. */
export function checkPath(path: VolumePath): VolumePath {
  if (path === '') return path;
  if (path.length > PATH_BYTES_MAX)
    throw new UnsafePathError(displayPath(path.slice(0, 64)), `longer than ${PATH_BYTES_MAX} bytes`);
  if (path.includes('\0')) throw new UnsafePathError(displayPath(path), 'a NUL byte in it');
  for (const name of path.split('/')) {
    if (name === '' || name === '.' || name === '..')
      throw new UnsafePathError(displayPath(path), 'empty, `.` or `..` in it');
    if (name.length > NAME_BYTES_MAX)
      throw new UnsafePathError(displayPath(path), `a name over ${NAME_BYTES_MAX} bytes`);
  }
  return path;
}

/** Directories that a walk in path order is inside of; `leave` is called for each one as soon as the walk is out of it. */
export class OpenDirectories<T extends { path: VolumePath }> {
  readonly #open: T[] = [];
  readonly #leave: (directory: T) => Promise<void>;

  constructor(leave: (directory: T) => Promise<void>) {
    this.#leave = leave;
  }

  /** The walk is at `path` now, or at its end. */
  async moveTo(path: VolumePath | undefined): Promise<void> {
    for (
      let top = this.#open.at(-1);
      top !== undefined && !(path !== undefined && isInside(path, top.path));
      top = this.#open.at(-1)
    ) {
      this.#open.pop();
      await this.#leave(top);
    }
  }

  enter(directory: T): void {
    this.#open.push(directory);
  }
}
