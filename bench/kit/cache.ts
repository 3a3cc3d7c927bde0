import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { PROJECT } from './built.js';

/** What takes long to make or has to be fetched is made once and kept beside what is built. */

export const CACHE = join(PROJECT, 'build', 'bench');

/** The directory `name` of the cache, filled by `make` when it is not there; one that was not finished is never seen. */
export async function cached(name: string, make: (dir: string) => Promise<void>): Promise<string> {
  const dir = join(CACHE, name);
  if (existsSync(dir)) return dir;
  await mkdir(CACHE, { recursive: true });
  const made = await mkdtemp(join(CACHE, 'making-'));
  try {
    await make(made);
    await rename(made, dir);
  } finally {
    await rm(made, { recursive: true, force: true });
  }
  return dir;
}
