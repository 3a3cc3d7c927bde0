import { join } from 'node:path';
import { FormatVersionError, InvalidArgumentError, StateDamagedError } from '../../errors.js';
import type { Disk } from '../disk/disk.js';
import {
  CURSOR_FILE_BYTES,
  CURSOR_VERSION,
  type CursorSlot,
  cursorFileName,
  cursorNameOf,
  decodeCursor,
  encodeSlot,
  slotOffset,
} from '../format/cursor-format.js';
import { type CursorHome, type OnFull, OpenCursor } from './cursor.js';

export const CURSOR_DIRECTORY = 'cursors';
export const CURSOR_NAME_BYTES_MAX = 128;

export interface StoredCursor {
  name: string;
  path: string;
  slot: CursorSlot;
}

/** Reads the cursors of a journal that is about to open, and clears away files that were never finished. */
export async function loadCursors(disk: Disk, dir: string): Promise<StoredCursor[]> {
  const directory = join(dir, CURSOR_DIRECTORY);
  for (const file of await disk.list(directory)) {
    if (file.endsWith('.tmp')) await disk.remove(join(directory, file));
  }
  return readCursors(disk, dir);
}

/** Reads the cursors of a journal, and changes nothing. */
export async function readCursors(disk: Disk, dir: string): Promise<StoredCursor[]> {
  const directory = join(dir, CURSOR_DIRECTORY);
  const cursors: StoredCursor[] = [];
  for (const file of (await disk.list(directory)).sort()) {
    const path = join(directory, file);
    const name = cursorNameOf(file);
    if (name !== undefined) cursors.push({ name, path, slot: await loadSlot(disk, path) });
  }
  return cursors;
}

async function loadSlot(disk: Disk, path: string): Promise<CursorSlot> {
  const file = await disk.open(path, 'r');
  try {
    const bytes = new Uint8Array(CURSOR_FILE_BYTES);
    const filled = await file.read(bytes, 0);
    const slot = decodeCursor(bytes.subarray(0, filled));
    if (typeof slot === 'number') throw new FormatVersionError(path, slot, CURSOR_VERSION);
    if (slot !== undefined) return slot;
  } finally {
    await file.close();
  }
  throw new StateDamagedError(
    path,
    'neither slot of the cursor is sound',
    'remove the file: its owner starts at record 1 again',
  );
}

/** Makes sure that what was read is on the disk, which the page cache is not: records are freed because of it. */
export async function settleStored(disk: Disk, dir: string, cursors: readonly StoredCursor[]): Promise<void> {
  for (const cursor of cursors) await writeStored(disk, cursor);
  await disk.syncDirectory(join(dir, CURSOR_DIRECTORY));
}

/** Moves a cursor that is not open: part of a reset or a cut that a crash interrupted. */
export async function moveStored(
  disk: Disk,
  cursor: StoredCursor,
  to: Pick<CursorSlot, 'sequence' | 'chain' | 'detached'>,
): Promise<void> {
  const { sequence, chain, detached } = to;
  cursor.slot = { counter: cursor.slot.counter + 1, sequence, chain, detached };
  await writeStored(disk, cursor);
}

/**
 * Moves back what lies beyond the last record, after a power cut with durability 'none'. Before the numbers behind it are
 * given again: the cursor would seem to have passed these records too.
 */
export async function clampStored(disk: Disk, cursors: readonly StoredCursor[], last: number): Promise<void> {
  for (const cursor of cursors) {
    const { slot } = cursor;
    if (slot.sequence > last) await moveStored(disk, cursor, { ...slot, sequence: last, chain: undefined });
  }
}

async function writeStored(disk: Disk, cursor: StoredCursor): Promise<void> {
  const file = await disk.open(cursor.path, 'r+');
  try {
    await file.write([encodeSlot(cursor.slot)], slotOffset(cursor.slot.counter));
    await file.datasync();
  } finally {
    await file.close();
  }
}

/** The cursors of an open journal. */
export class CursorSet {
  private readonly cursors = new Map<string, OpenCursor>();

  constructor(
    private readonly dir: string,
    private readonly home: CursorHome,
    stored: readonly StoredCursor[],
  ) {
    for (const { name, path, slot } of stored) {
      this.cursors.set(name, new OpenCursor(name, path, home, { loaded: slot, onFull: home.onFull }));
    }
  }

  /** The cursor of that name, made at `at` if there is none yet. */
  get(name: string, at: number, onFull: OnFull | undefined): OpenCursor {
    const existing = this.cursors.get(name);
    if (existing !== undefined) {
      if (onFull !== undefined && onFull !== existing.onFull) {
        existing.onFull = onFull;
        this.home.moved();
      }
      return existing;
    }
    if (!isCursorName(name)) {
      throw new InvalidArgumentError('name', name, `well-formed text of 1 to ${CURSOR_NAME_BYTES_MAX} bytes in UTF-8`);
    }
    if (!Number.isSafeInteger(at) || at < 0 || at > this.home.last) {
      throw new InvalidArgumentError('at', at, `an integer from 0 to ${this.home.last}, the newest record`);
    }
    const path = join(this.dir, CURSOR_DIRECTORY, cursorFileName(name));
    const cursor = new OpenCursor(name, path, this.home, { at, onFull: onFull ?? this.home.onFull });
    this.cursors.set(name, cursor);
    this.home.moved();
    return cursor;
  }

  list(): OpenCursor[] {
    return [...this.cursors.values()];
  }

  /** The position that every cursor has reached that holds anything back; undefined without cursors. */
  get lowest(): number | undefined {
    let lowest: number | undefined;
    for (const { position, detached } of this.cursors.values()) {
      lowest = Math.min(lowest ?? Number.POSITIVE_INFINITY, detached ? this.home.last : position);
    }
    return lowest;
  }

  async drop(name: string): Promise<void> {
    const cursor = this.cursors.get(name);
    if (cursor === undefined) return;
    try {
      await cursor.drop();
    } catch (error) {
      this.home.fail(error);
      throw this.home.refusal ?? error;
    }
    // Calls that share the drop come here one by one, and there may be a new one of that name by then.
    if (this.cursors.get(name) === cursor) this.cursors.delete(name);
    this.home.moved();
  }

  async moveAll(sequence: number, chain: bigint): Promise<void> {
    for (const cursor of this.cursors.values()) await cursor.moveTo(sequence, chain);
  }

  async moveBack(sequence: number, chain: bigint): Promise<void> {
    for (const cursor of this.cursors.values()) await cursor.moveBack(sequence, chain);
  }

  async close(): Promise<void> {
    await Promise.all(this.list().map((cursor) => cursor.close()));
  }
}

function isCursorName(name: unknown): boolean {
  if (typeof name !== 'string' || name.length === 0) return false;
  const bytes = Buffer.from(name, 'utf8');
  // A lone surrogate does not survive UTF-8, and the name is kept as a file name.
  return bytes.byteLength <= CURSOR_NAME_BYTES_MAX && bytes.toString('utf8') === name;
}
