import { type Coin, draw, type Inode } from './memory-inode.js';

/** The names in a directory of a disk in memory: as they are now, and as they were when the directory was last synced. */

/** A change of names that happens as a whole or not at all. */
interface Entry {
  remove?: string;
  add?: { name: string; inode: Inode };
}

export class Directory {
  now = new Map<string, Inode>();
  private synced = new Map<string, Inode>();
  private changes: Entry[] = [];

  get unsettled(): boolean {
    return this.changes.length > 0;
  }

  change(entry: Entry): void {
    this.changes.push(entry);
    applyEntry(this.now, entry);
  }

  sync(): void {
    this.synced = new Map(this.now);
    this.changes = [];
  }

  /** A file system with a log keeps what happened up to some moment; others keep any of it. */
  settle(coin: Coin): void {
    const inOrder = coin() || coin();
    const count = draw(coin, this.changes.length + 1);
    const kept = inOrder ? this.changes.slice(0, count) : this.changes.filter(() => coin());
    this.now = new Map(this.synced);
    for (const entry of kept) applyEntry(this.now, entry);
    this.sync();
  }

  /** The same names for the twins of the files. */
  fork(twins: ReadonlyMap<Inode, Inode>): Directory {
    const twinOf = (inode: Inode): Inode => {
      const twin = twins.get(inode);
      if (twin === undefined) throw new Error('every file has a twin');
      return twin;
    };
    const copy = new Directory();
    copy.now = mapped(this.now, twinOf);
    copy.synced = mapped(this.synced, twinOf);
    copy.changes = this.changes.map(({ remove, add }) => ({
      ...(remove === undefined ? {} : { remove }),
      ...(add === undefined ? {} : { add: { name: add.name, inode: twinOf(add.inode) } }),
    }));
    return copy;
  }
}

function mapped(names: ReadonlyMap<string, Inode>, twinOf: (inode: Inode) => Inode): Map<string, Inode> {
  return new Map([...names].map(([name, inode]) => [name, twinOf(inode)]));
}

function applyEntry(names: Map<string, Inode>, { remove, add }: Entry): void {
  if (remove !== undefined) names.delete(remove);
  if (add !== undefined) names.set(add.name, add.inode);
}
