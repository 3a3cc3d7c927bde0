import { accessSync, constants } from 'node:fs';
import { tmpdir } from 'node:os';

const TMPFS = '/dev/shm';

/** A directory in memory, so that no disk is measured; where there is none, the usual temporary one, and a word. */
export function memoryDisk(say: (line: string) => void): string {
  try {
    accessSync(TMPFS, constants.W_OK);
    return TMPFS;
  } catch {
    say(`${TMPFS} is not there to write to: the figures include the disk of ${tmpdir()}`);
    return tmpdir();
  }
}
