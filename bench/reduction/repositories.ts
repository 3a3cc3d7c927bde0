import { spawnSync } from 'node:child_process';
import { mkdir, rm } from 'node:fs/promises';
import { type Copier, timed } from '../kit/copiers.js';
import type { Program } from '../kit/program.js';
import { readTree, sizeOf } from '../kit/tree.js';
import type { Workspace } from '../kit/workspace.js';

/** Backup programs that keep what they are given in a repository: the bytes it grows by are what they would send. */

export interface Repository {
  name: string;
  /** What it says of its version; undefined where it is not installed. */
  version(): string | undefined;
  /** Makes an empty repository. */
  init?(o: Call): Program;
  /** Stores the directory; `count` tells how often that has been done before. */
  store(o: Call & { source: string; count: number }): Program;
}

interface Call {
  work: Workspace;
  /** The directory that holds all that counts. */
  repository: string;
}

export const REPOSITORIES: readonly Repository[] = [
  {
    name: 'borg, zstd,3',
    // Borg 2 has other commands.
    version: () => versionOf('borg', ['--version'], /^borg (1\.\S+)/),
    init: ({ work, repository }) => borg(work, ['init', '--encryption', 'none', repository]),
    store: ({ work, repository, source, count }) =>
      borg(work, ['create', '--compression', 'zstd,3', `${repository}::${count}`, '.'], source),
  },
  {
    name: 'restic',
    version: () => versionOf('restic', ['version'], /^restic (\S+)/),
    init: ({ work, repository }) => restic(work, repository, ['init']),
    store: ({ work, repository, source }) => restic(work, repository, ['backup', '.'], source),
  },
  {
    name: 'casync',
    version: () => versionOf('casync', ['--version'], /casync (\S+)/),
    store: ({ work, repository, source, count }) =>
      work.run('casync', 'casync', [
        'make',
        `--store=${repository}/store.castr`,
        `${repository}/${count}.caidx`,
        source,
      ]),
  },
];

/** A repository of its own in the workspace. */
export async function repositoryCopier(work: Workspace, source: string, kind: Repository): Promise<Copier> {
  const repository = work.at(`repository-${REPOSITORIES.indexOf(kind)}`);
  const call = { work, repository };
  let count = 0;
  let bytes = 0;
  return {
    async reset() {
      await rm(repository, { recursive: true, force: true });
      await mkdir(repository);
      await kind.init?.(call).succeeded();
      [count, bytes] = [0, await bytesIn(repository)];
    },
    async run() {
      const seconds = await timed(kind.store({ ...call, source, count: count++ }));
      const before = bytes;
      bytes = await bytesIn(repository);
      return { seconds, wireBytes: bytes - before };
    },
  };
}

function borg(work: Workspace, args: readonly string[], cwd = work.dir): Program {
  const env = {
    BORG_BASE_DIR: work.at('borg'),
    BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK: 'yes',
    BORG_RELOCATED_REPO_ACCESS_IS_OK: 'yes',
  };
  return work.run('borg', 'borg', args, { env, cwd });
}

/** It always encrypts; a few bytes per block. */
function restic(work: Workspace, repository: string, args: readonly string[], cwd = work.dir): Program {
  const env = { RESTIC_REPOSITORY: repository, RESTIC_PASSWORD: 'bench', RESTIC_CACHE_DIR: work.at('restic-cache') };
  return work.run('restic', 'restic', ['--quiet', ...args], { env, cwd });
}

function versionOf(command: string, args: readonly string[], pattern: RegExp): string | undefined {
  return pattern.exec(spawnSync(command, args, { encoding: 'utf8' }).stdout ?? '')?.[1];
}

async function bytesIn(dir: string): Promise<number> {
  return sizeOf(await readTree(dir)).bytes;
}
