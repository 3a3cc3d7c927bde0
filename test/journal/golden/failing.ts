import * as promises from 'node:fs/promises';
import { basename } from 'node:path';
import type { JournalFileSystem } from '../../../src/journal/journal.js';

/**
 * The files of a journal, without preallocation: they are no longer than what is in them then, and the same on every
 * system. Once a file of a given name has it, nothing is renamed or removed any more.
 */
export class FailingFileSystem {
  private name: string | undefined;
  private failing = false;

  readonly fs: JournalFileSystem = {
    ...promises,
    rename: async (from, to) => {
      this.refuse();
      await promises.rename(from, to);
      this.failing = basename(String(to)) === this.name;
    },
    unlink: async (path) => {
      this.refuse();
      await promises.unlink(path);
    },
  };

  /** Does something that must fail behind the moment when a file gets that name. */
  async failBehind(name: string, work: () => Promise<unknown>): Promise<void> {
    this.name = name;
    const failed = await work().then(
      () => false,
      () => true,
    );
    if (!failed || !this.failing) throw new Error(`nothing was called ${name}`);
    this.name = undefined;
    this.failing = false;
  }

  private refuse(): void {
    if (this.failing) throw Object.assign(new Error('EIO: no more changes'), { code: 'EIO', errno: -5 });
  }
}
