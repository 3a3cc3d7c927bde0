import { randomFillSync } from 'node:crypto';
import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { type Latencies, latenciesOf } from './latencies.js';

const PIECE_BYTES = 4096;

/** A page at the end of a file and `fdatasync`, one after the other: what the disk of a directory takes when it is idle. */
export function syncTimes(dir: string, count: number): Latencies {
  const path = join(dir, 'sync-times');
  const file = openSync(path, 'w');
  try {
    const piece = randomFillSync(Buffer.alloc(PIECE_BYTES));
    const took: number[] = [];
    for (let i = 0; i < count; i++) {
      const begun = performance.now();
      writeSync(file, piece);
      fdatasyncSync(file);
      took.push(performance.now() - begun);
    }
    return latenciesOf(took);
  } finally {
    closeSync(file);
    rmSync(path);
  }
}
