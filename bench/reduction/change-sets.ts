import { randomFillSync } from 'node:crypto';
import { cp, mkdir, rm, writeFile } from 'node:fs/promises';
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
  const releases = tiny ? undefined : typescript();
  if (releases === undefined && !tiny) say('releases of typescript cannot be fetched, so they are left out');
  return [...(releases === undefined ? [] : [releases]), own, noise];
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
        await rm(dir, { recursive: true, force: true });
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
