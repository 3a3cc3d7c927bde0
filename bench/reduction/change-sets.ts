import type { ChangeSet, Preparation } from './change-set.js';
import { postgres } from './postgres.js';
import { sqlite } from './sqlite.js';
import { edited, growingLog, moved, random, secondPass, typescript, upgrade } from './trees.js';

/** Every set that can be made here; those that cannot are left out, with a word. */
export async function changeSets(o: Preparation): Promise<ChangeSet[]> {
  const directories = [moved(o), await secondPass(o)];
  if (!o.tiny) directories.unshift(typescript(), upgrade(), edited());
  if (directories.includes(undefined)) {
    o.say('releases of packages cannot be fetched, so the changes made of them are left out');
  }
  const sets = [...directories, await sqlite(o)];
  // A tiny run has gone through every kind by now; tests go through the making of the others.
  if (!o.tiny) sets.push(await postgres(o), growingLog(o), random());
  return sets.filter((set) => set !== undefined);
}
