import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';

/** The system's memory of files, which makes one measurement depend on those before it. */

/** Writes what is left over from earlier work, so that nobody's syncs have to wait for it. */
export function settleDisk(): void {
  spawnSync('sync');
}

/** Makes the system forget what it keeps of files in memory; false where that is not ours to do. */
export function dropPageCache(): boolean {
  try {
    // Only what is on the disk can be dropped.
    settleDisk();
    writeFileSync('/proc/sys/vm/drop_caches', '3');
    return true;
  } catch {
    return false;
  }
}
