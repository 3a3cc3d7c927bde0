import type { ChangeSet, Preparation } from './change-set.js';
import { postgres } from './postgres.js';
import { sqlite } from './sqlite.js';
import { edited, growingLog, moved, random, secondPass, typescript, upgrade } from './trees.js';

/** Every set that can be made here; those that cannot are left out, with a word. */
export async function changeSets(o: Preparation): Promise<ChangeSet[]> {
  const directories = [moved(o), await secondPass(o)];
  // The demo's tests go through its package already, which is a large one.
  if (!o.tiny) directories.unshift(typescript(), upgrade(), edited());
  if (directories.includes(undefined)) {
    o.say('releases of packages cannot be fetched, so the changes made of them are left out');
  }
  // A server of its own takes longer than all the rest of a tiny run; a test goes through its capture.
  const databases = [await sqlite(o), ...(o.tiny ? [] : [await postgres(o)])];
  const sets = [...directories, ...databases, growingLog(o), random(o)];
  return sets.filter((set) => set !== undefined);
}
