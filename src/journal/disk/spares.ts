import { join } from 'node:path';
import type { Disk } from './disk.js';

/**
 * Segment files that nobody needs any more, kept for the next segment: writing over blocks that a file already has
 * spares the sync the file system's own bookkeeping.
 */

/** A queue that drains frees many segments at once; more than these give their space back. */
const SPARES_MAX = 2;
const SUFFIX = '.spare';

interface Spare {
  path: string;
  bytes: number;
}

export class Spares {
  private readonly spares: Spare[] = [];
  private counter = 0;

  constructor(
    private readonly disk: Disk,
    private readonly dir: string,
    /** Larger files are not kept: they held one large record. */
    private readonly fileBytesMax: number,
  ) {}

  get bytes(): number {
    return this.spares.reduce((sum, spare) => sum + spare.bytes, 0);
  }

  /** Finds what an earlier run left. */
  async load(): Promise<void> {
    for (const name of (await this.disk.list(this.dir)).sort()) {
      if (!name.endsWith(SUFFIX)) continue;
      const path = join(this.dir, name);
      const file = await this.disk.open(path, 'r');
      try {
        this.spares.push({ path, bytes: await file.size() });
      } finally {
        await file.close();
      }
      this.counter = Math.max(this.counter, Number.parseInt(name, 10) || 0);
    }
    for (const spare of this.spares.splice(SPARES_MAX)) await this.disk.remove(spare.path);
  }

  take(): Spare | undefined {
    return this.spares.pop();
  }

  /**
   * Takes a segment file out of the journal, durably, to be used again or to be removed. It is used only once the
   * directory is synced: a power cut could otherwise bring its old name back with the header of another segment in it.
   */
  async give(path: string, bytes: number): Promise<void> {
    const spare = { path: join(this.dir, `${++this.counter}${SUFFIX}`), bytes };
    const keep = this.spares.length < SPARES_MAX && bytes <= this.fileBytesMax;
    if (keep) await this.disk.rename(path, spare.path);
    else await this.disk.remove(path);
    await this.disk.syncDirectory(this.dir);
    if (keep) this.spares.push(spare);
  }
}
