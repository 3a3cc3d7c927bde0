import { chmodSync, lstatSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from 'vitest';

/** What a test opens and makes goes when the test is over, newest first, whatever its outcome. */

type Cleanup = () => unknown;

const cleanups: Cleanup[] = [];

afterEach(async () => {
  const failures: unknown[] = [];
  for (const cleanup of cleanups.splice(0).reverse()) {
    try {
      await cleanup();
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
});

export function atEnd(cleanup: Cleanup): void {
  cleanups.push(cleanup);
}

/** A directory of the test's own; `parent` puts it on another file system. */
export function newDirectory(parent: string = tmpdir()): string {
  const dir = mkdtempSync(join(parent, 'longhaul-'));
  atEnd(() => removeTree(dir));
  return dir;
}

/** Removes a tree whose directories may keep even their owner out. */
export function removeTree(dir: string): void {
  try {
    rmSync(dir, { recursive: true, force: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EACCES') throw error;
    openUp(Buffer.from(dir));
    rmSync(dir, { recursive: true, force: true });
  }
}

function openUp(dir: Buffer): void {
  chmodSync(dir, 0o700);
  for (const name of readdirSync(dir, { encoding: 'buffer' })) {
    const path = Buffer.concat([dir, Buffer.from('/'), name]);
    if (lstatSync(path).isDirectory()) openUp(path);
  }
}
