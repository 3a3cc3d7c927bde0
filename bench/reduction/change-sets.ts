import { randomFillSync } from 'node:crypto';
import { cp, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { changeSource, makeSource } from '../demo/source.js';
import { releaseOf } from './packages.js';

/** What happens to a directory, step by step. */
export interface ChangeSet {
  name: string;
  steps: { name: string; make(dir: string): Promise<void> }[];
}

const MIB = 1024 * 1024;
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

/** Sets that cannot be made here are left out, with a word. */
export function changeSets(tiny: boolean, say: (line: string) => void): ChangeSet[] {
  const noise = random(tiny ? MIB : 64 * MIB);
  const own: ChangeSet = {
    name: 'edited package',
    steps: [
      { name: 'first copy', make: makeSource },
      { name: 'edits, renames, another package on top', make: changeSource },
    ],
  };
  if (tiny) return [own, noise];
  const fetched = [typescript(), upgrade()].filter((set) => set !== undefined);
  if (fetched.length === 0) say('releases of packages cannot be fetched, so they are left out');
  return [...fetched, own, noise];
}

/** A directory of packages, all of which are upgraded at once. */
function upgrade(): ChangeSet | undefined {
  const steps = [1, 2].map((column) => {
    const packages = UPGRADES.map((row) => ({ name: row[0], dir: releaseOf(`${row[0]}@${row[column]}`) }));
    return {
      name: column === 1 ? 'first copy' : 'all upgraded',
      fetched: packages.every(({ dir }) => dir !== undefined),
      async make(into: string) {
        await empty(into);
        for (const { name, dir = '' } of packages) {
          await cp(dir, join(into, name), { recursive: true, preserveTimestamps: true });
        }
      },
    };
  });
  return steps.every(({ fetched }) => fetched) ? { name: `${UPGRADES.length} packages`, steps } : undefined;
}

/** One release in the place of the one before, as an upgrade does it. */
function typescript(): ChangeSet | undefined {
  const dirs = RELEASES.map((release) => releaseOf(`typescript@${release}`));
  if (dirs.includes(undefined)) return undefined;
  return {
    name: 'typescript',
    steps: RELEASES.map((release, index) => ({
      name: index === 0 ? `${release}, first copy` : `${RELEASES[index - 1]} → ${release}`,
      async make(dir) {
        await empty(dir);
        await cp(dirs[index] as string, dir, { recursive: true, preserveTimestamps: true });
      },
    })),
  };
}

/** Content of which nothing can be saved. */
function random(bytes: number): ChangeSet {
  return {
    name: 'random data',
    steps: [
      {
        name: `${bytes / MIB} MiB`,
        async make(dir) {
          await mkdir(dir, { recursive: true });
          await writeFile(join(dir, 'noise'), randomFillSync(Buffer.alloc(bytes)));
        },
      },
    ],
  };
}

/** The directory itself stays what it is: a source that has become another one is refused. */
async function empty(dir: string): Promise<void> {
  await mkdir(dir, { recursive: true });
  for (const name of await readdir(dir)) await rm(join(dir, name), { recursive: true });
}
