import { constants } from 'node:fs';
import { copyFile, mkdir, readdir, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** A tree of many small files: real packages, over and over until there are enough. */

/** Larger files would make it a measurement of bytes, not of files. */
const FILE_BYTES_MAX = 128 * 1024;
const COPIES_AT_ONCE = 32;

const modules = dirname(dirname(createRequire(import.meta.url).resolve('typescript/package.json')));

export async function makeManyFiles(into: string, files: number): Promise<void> {
  const paths = await smallFiles();
  const made = new Set<string>();
  for (let done = 0; done < files; ) {
    const batch = Array.from({ length: Math.min(COPIES_AT_ONCE, files - done) }, () => {
      const path = paths[done % paths.length] ?? '';
      const copy = String(Math.floor(done++ / paths.length));
      return { from: join(modules, path), to: join(into, copy, path) };
    });
    for (const { to } of batch) {
      if (made.has(dirname(to))) continue;
      await mkdir(dirname(to), { recursive: true });
      made.add(dirname(to));
    }
    await Promise.all(batch.map(({ from, to }) => copyFile(from, to, constants.COPYFILE_FICLONE)));
  }
}

/** Files of the installed packages, by path; what a tool keeps there for itself begins with a dot. */
async function smallFiles(): Promise<string[]> {
  const all = await readdir(modules, { recursive: true, withFileTypes: true });
  const paths = all
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(modules.length + 1))
    .filter((path) => !path.startsWith('.'))
    .sort();
  const sizes = await Promise.all(paths.map(async (path) => (await stat(join(modules, path))).size));
  return paths.filter((_, i) => (sizes[i] ?? 0) <= FILE_BYTES_MAX);
}
