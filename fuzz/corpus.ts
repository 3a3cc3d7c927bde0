import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { corpusOf, foundIn, mergeNative } from './native-run.js';
import type { NativeTarget } from './native-target.js';

/** What the repository holds for one target at most. */
export const CORPUS_BYTES_MAX = 12 * 1024;
export const CORPUS_FILES_MAX = 40;

/**
 * Adds to the target's corpus what runs in `workDir` found: few inputs that reach what it does not, the smallest first, up
 * to the bounds. Says how many those are.
 */
export async function addToCorpus(program: string, target: NativeTarget, workDir: string): Promise<string> {
  const corpus = corpusOf(target);
  mkdirSync(corpus, { recursive: true });
  if (!existsSync(foundIn(workDir))) return 'nothing was found yet';
  const merged = mkdtempSync(join(tmpdir(), 'longhaul-'));
  try {
    cpSync(corpus, merged, { recursive: true });
    const { ok, said } = await mergeNative(program, target, workDir, [merged, foundIn(workDir)]);
    if (!ok) throw new Error(said);
    const known = new Set(readdirSync(corpus));
    const found = readdirSync(merged).filter((name) => !known.has(name));
    const room = { files: CORPUS_FILES_MAX - known.size, bytes: CORPUS_BYTES_MAX - bytesIn(corpus) };
    const taken = smallest(merged, found, room);
    for (const name of taken) cpSync(join(merged, name), join(corpus, name));
    return `${taken.length} of ${found.length} inputs added, ${bytesIn(corpus)} bytes in all`;
  } finally {
    rmSync(merged, { recursive: true });
  }
}

function smallest(dir: string, names: readonly string[], room: { files: number; bytes: number }): string[] {
  const sized = names.map((name) => ({ name, bytes: statSync(join(dir, name)).size }));
  sized.sort((a, b) => a.bytes - b.bytes || (a.name < b.name ? -1 : 1));
  let left = room.bytes;
  const taken = sized.slice(0, Math.max(room.files, 0)).filter(({ bytes }) => {
    left -= bytes;
    return left >= 0;
  });
  return taken.map(({ name }) => name);
}

export function bytesIn(dir: string): number {
  return readdirSync(dir).reduce((sum, name) => sum + statSync(join(dir, name)).size, 0);
}
