import { spawnSync } from 'node:child_process';
import { rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Copier, timed } from '../kit/copiers.js';
import { readTree } from '../kit/tree.js';
import type { Workspace } from '../kit/workspace.js';

/** What zstd makes of a change when it has all of the old content at hand: the limit that the others are held against. */

const WINDOW_LOG = { min: 27, max: 31 };

export function zstdVersion(): string | undefined {
  return /v?(\d+\.\d+\.\d+)/.exec(spawnSync('zstd', ['--version'], { encoding: 'utf8' }).stdout ?? '')?.[1];
}

/** Bytes of `file` at level 3, in a window of 128 MiB. */
export async function zstdBytes(file: string): Promise<number> {
  const to = `${file}.zst`;
  const { status, stderr } = spawnSync('zstd', ['-q', '-f', '-3', '--long=27', '-o', to, file], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`zstd failed: ${stderr}`);
  return (await stat(to)).size;
}

/** The directory as one archive, compressed against the archive of the time before. */
export async function patchCopier(work: Workspace, source: string): Promise<Copier> {
  let archives = 0;
  return {
    async reset() {
      archives = 0;
    },
    async run() {
      const [old, now, patch] = [work.at(`${archives - 1}.tar`), work.at(`${archives}.tar`), work.at('patch.zst')];
      await archive(work, source, now);
      const windowLog = windowFor((await stat(now)).size + (archives > 0 ? (await stat(old)).size : 0));
      const from = archives > 0 ? [`--patch-from=${old}`] : [];
      const args = ['-q', '-f', '-3', `--long=${windowLog}`, ...from, '-o', patch, now];
      const seconds = await timed(work.run('zstd', 'zstd', args));
      if (archives > 0) await rm(old);
      archives++;
      return { seconds, wireBytes: (await stat(patch)).size };
    },
  };
}

/** In the order of the paths, which is the same every time. */
async function archive(work: Workspace, source: string, into: string): Promise<void> {
  const list = work.at('paths');
  const paths = [...(await readTree(source)).keys()].filter((path) => path !== '.');
  await writeFile(list, paths.map((path) => `${path}\n`).join(''));
  await work.run('tar', 'tar', ['-cf', into, '-C', source, '--no-recursion', '-T', list]).succeeded();
}

/** The old content and the new one lie in the window together. */
function windowFor(bytes: number): number {
  return Math.min(WINDOW_LOG.max, Math.max(WINDOW_LOG.min, Math.ceil(Math.log2(bytes))));
}

/** The path of a file in `scratch` that holds what zstd is to compress. */
export function rawIn(scratch: string): string {
  return join(scratch, 'raw');
}
