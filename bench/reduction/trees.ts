import { randomFillSync } from 'node:crypto';
import { appendFile, cp, mkdir, rename, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { changeSource, makeSource } from '../demo/source.js';
import type { ChangeSet, Preparation } from './change-set.js';
import { emptyDirectory, filesIn, fillWith, touchFiles } from './directories.js';
import { LogLines } from './log-lines.js';
import { releaseOf } from './packages.js';
import { addContent } from './pages.js';
import { RecordWriter } from './record-file.js';

/** Changes of directories. */

const MIB = 1024 * 1024;
const RANDOM_BYTES = 64 * MIB;
const LOG_SEED = 20260105;
const RELEASES = ['5.4.5', '5.5.4', '5.6.3'];
/** Packages of a project, each before and after an upgrade. */
const UPGRADES: readonly (readonly [name: string, before: string, after: string])[] = [
  ['next', '14.1.0', '14.2.5'],
  ['typescript', '5.4.5', '5.6.3'],
  ['core-js', '3.35.0', '3.38.1'],
  ['date-fns', '3.3.0', '3.6.0'],
  ['rxjs', '7.8.0', '7.8.1'],
  ['webpack', '5.90.0', '5.94.0'],
];
/** Any time after that of the packages' files. */
const TOUCHED_SECONDS = 1_700_000_000;

type Directories = { name: string; dir: string }[];

/** One release in the place of the one before, as an upgrade does it. */
export function typescript(): ChangeSet | undefined {
  const dirs = RELEASES.map((release) => releaseOf(`typescript@${release}`));
  if (dirs.includes(undefined)) return undefined;
  return {
    name: 'typescript',
    steps: RELEASES.map((release, index) => ({
      name: index === 0 ? `${release}, first copy` : `${RELEASES[index - 1]} → ${release}`,
      async make(dir) {
        await emptyDirectory(dir);
        await cp(dirs[index] as string, dir, { recursive: true, preserveTimestamps: true });
      },
    })),
  };
}

/** A directory of packages, all of which are upgraded at once. */
export function upgrade(): ChangeSet | undefined {
  const [before, after] = [packages(1), packages(2)];
  if (before === undefined || after === undefined) return undefined;
  return {
    name: `${UPGRADES.length} packages`,
    steps: [
      { name: 'first copy', make: (dir) => fillWith(dir, before) },
      { name: 'all upgraded', make: (dir) => fillWith(dir, after) },
    ],
  };
}

export function edited(): ChangeSet {
  return {
    name: 'edited package',
    steps: [
      { name: 'first copy', make: makeSource },
      { name: 'edits, renames, another package on top', make: changeSource },
    ],
  };
}

/** Content of which nothing can be saved. */
export function random(): ChangeSet {
  return {
    name: 'random data',
    steps: [
      {
        name: `${RANDOM_BYTES / MIB} MiB`,
        async make(dir) {
          await mkdir(dir, { recursive: true });
          await writeFile(join(dir, 'noise'), randomFillSync(Buffer.alloc(RANDOM_BYTES)));
        },
      },
    ],
  };
}

/** A log that gets a tenth longer, ten times. */
export function growingLog({ tiny }: Preparation): ChangeSet {
  const bytes = tiny ? MIB : 64 * MIB;
  const lines = new LogLines(LOG_SEED);
  const grow = async (dir: string, by: number): Promise<void> => {
    await mkdir(dir, { recursive: true });
    for (let left = by; left > 0; left -= MIB)
      await appendFile(join(dir, 'service.log'), lines.next(Math.min(left, MIB)));
  };
  return {
    name: 'application log',
    steps: [
      { name: 'first copy', make: (dir) => grow(dir, bytes) },
      { name: '10 % more, 10 times', times: 10, make: (dir) => grow(dir, bytes / 10) },
    ],
  };
}

/** The same files under other names, and copies of some of them. */
export function moved({ tiny }: Preparation): ChangeSet | undefined {
  const directories = tiny ? installed() : packages(1);
  if (directories === undefined) return undefined;
  return {
    name: 'moved files',
    steps: [
      { name: 'first copy', make: (dir) => fillWith(dir, directories) },
      {
        name: 'every directory renamed',
        async make(dir) {
          await mkdir(join(dir, 'vendor'));
          for (const { name } of directories) await rename(join(dir, name), join(dir, 'vendor', `${name}-1`));
        },
      },
      {
        name: 'a third of the files copied',
        async make(dir) {
          const files = (await filesIn(dir)).filter((_, i) => i % 3 === 0);
          for (const path of files) await cp(join(dir, path), join(dir, 'copies', path));
        },
      },
    ],
  };
}

/**
 * An upgrade in which no file has a name that it had before, as builds with a hash in every name make it, and more beside it
 * than a window of zstd reaches over.
 */
export function renamed(): ChangeSet | undefined {
  const [before, after] = [packages(1), packages(2)];
  if (before === undefined || after === undefined) return undefined;
  return {
    name: 'new names',
    steps: [
      {
        name: 'first copy, random data beside it',
        async make(dir) {
          await fillWith(dir, before);
          await writeFile(join(dir, 'random'), randomFillSync(Buffer.alloc(RANDOM_BYTES)));
        },
      },
      {
        name: 'the upgrade beside it, under new names',
        async make(dir) {
          for (const { name, dir: release } of after) {
            const into = join(dir, `${name}-next`);
            await cp(release, into, { recursive: true, preserveTimestamps: true });
            for (const path of await filesIn(into)) await rename(join(into, path), join(into, `${path}.next`));
          }
        },
      },
    ],
  };
}

/** A tree that is sent as records a second time, all of it, after both ends were started anew. */
export async function secondPass(o: Preparation): Promise<ChangeSet | undefined> {
  const directories = o.tiny ? installed() : everyRelease();
  if (directories === undefined) return undefined;
  const file = join(await o.scratch('second-pass'), 'tree.records');
  return {
    name: 'full pass',
    restarts: true,
    steps: [
      {
        name: 'first copy',
        make: (dir) => fillWith(dir, directories),
        async records(dir) {
          await fileRecords(file, dir);
          return file;
        },
      },
      {
        name: 'the same again after a restart',
        make: (dir) => touchFiles(dir, TOUCHED_SECONDS),
        records: async () => file,
      },
    ],
  };
}

async function fileRecords(file: string, dir: string): Promise<void> {
  const writer = new RecordWriter(file);
  try {
    for (const path of await filesIn(dir)) addContent(writer, path, join(dir, path));
  } finally {
    writer.close();
  }
}

/** The packages of one side of the upgrade; undefined where one cannot be fetched. */
export function packages(side: 1 | 2): Directories | undefined {
  return fetched(UPGRADES.map((row) => ({ name: row[0], release: `${row[0]}@${row[side]}` })));
}

function everyRelease(): Directories | undefined {
  const all = [1, 2].flatMap((side) => UPGRADES.map((row) => `${row[0]}@${row[side]}`));
  return fetched([...new Set([...all, 'typescript@5.5.4'])].map((release) => ({ name: release, release })));
}

function fetched(wanted: readonly { name: string; release: string }[]): Directories | undefined {
  const found = wanted.map(({ name, release }) => ({ name, dir: releaseOf(release) }));
  return found.every((one): one is Directories[number] => one.dir !== undefined) ? found : undefined;
}

/** A small one that every checkout has. */
function installed(): Directories {
  const dir = dirname(createRequire(import.meta.url).resolve('@types/node/package.json'));
  return [{ name: 'node', dir }];
}
