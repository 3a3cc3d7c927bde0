import type { ChangeSet, Preparation } from './change-set.js';
import { postgres } from './postgres.js';
import { sqlite } from './sqlite.js';
import { edited, growingLog, moved, random, renamed, secondPass, typescript, upgrade } from './trees.js';

type Made = ChangeSet | undefined | Promise<ChangeSet | undefined>;

/** By a word of their names; a tiny run goes through every kind, and tests go through the making of the others. */
const SETS: readonly { word: string; tiny?: true; packages?: true; make: (o: Preparation) => Made }[] = [
  { word: 'typescript', packages: true, make: typescript },
  { word: 'packages', packages: true, make: upgrade },
  { word: 'edited package', packages: true, make: edited },
  { word: 'moved files', tiny: true, packages: true, make: moved },
  { word: 'new names', packages: true, make: renamed },
  { word: 'full pass', tiny: true, packages: true, make: secondPass },
  { word: 'sqlite', tiny: true, make: sqlite },
  { word: 'postgresql', make: postgres },
  { word: 'application log', make: growingLog },
  { word: 'random data', make: random },
];

/** Every set whose word has `only` in it and that can be made here; those that cannot are left out, with a word. */
export async function changeSets(o: Preparation, only: string): Promise<ChangeSet[]> {
  const sets: ChangeSet[] = [];
  let unfetched = false;
  for (const { word, tiny, packages, make } of SETS) {
    if ((o.tiny && tiny === undefined) || !word.includes(only.toLowerCase())) continue;
    const set = await make(o);
    if (set !== undefined) sets.push(set);
    else unfetched ||= packages === true;
  }
  if (unfetched) o.say('releases of packages cannot be fetched, so the changes made of them are left out');
  return sets;
}
