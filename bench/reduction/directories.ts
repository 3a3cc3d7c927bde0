import { cp, mkdir, readdir, rm, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { readTree } from '../kit/tree.js';

/** What is done to directories between two steps. */

/** The directory itself stays what it is: a source that has become another one is refused. */
export async function emptyDirectory(dir: string): Promise<void> {
  await mkdir(dir, { recursive: true });
  for (const name of await readdir(dir)) await rm(join(dir, name), { recursive: true });
}

/** `into` holds copies of the directories and nothing else, each under its name. */
export async function fillWith(into: string, directories: readonly { name: string; dir: string }[]): Promise<void> {
  await emptyDirectory(into);
  for (const { name, dir } of directories) {
    await cp(dir, join(into, name), { recursive: true, preserveTimestamps: true });
  }
}

/** Paths of the regular files below `dir`, in order. */
export async function filesIn(dir: string): Promise<string[]> {
  return [...(await readTree(dir))].filter(([, { kind }]) => kind === 'file').map(([path]) => path);
}

/** Every file looks changed and holds what it held. */
export async function touchFiles(dir: string, seconds: number): Promise<void> {
  for (const path of await filesIn(dir)) await utimes(join(dir, path), seconds, seconds);
}
