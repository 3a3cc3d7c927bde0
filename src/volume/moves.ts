import { digestFile } from './content.js';
import type { Entry } from './entry.js';
import type { VolumePath } from './path.js';
import type { Plan } from './plan.js';
import type { Root } from './walk.js';

/** Files that are at another path than before: found again by inode, size and time, and proved by their content. */

export interface Move {
  from: VolumePath;
  to: VolumePath;
  /** What the file is now; its digest is what the replica has at `from`. */
  entry: Entry;
  /** The replica has a directory at `to`, which must go first. */
  ontoDirectory: boolean;
  state: 'waiting' | 'moving' | 'stashed' | 'done';
  stashId: number;
}

export class Moves {
  readonly #bySource = new Map<VolumePath, Move>();
  readonly #byTarget = new Map<VolumePath, Move>();

  static async find(root: Root, plan: Plan, displaced: Map<number, Entry>): Promise<Moves> {
    const moves = new Moves();
    if (displaced.size === 0) return moves;
    for await (const { path, found, known } of plan.items()) {
      if (found?.kind !== 'file' || found.digest !== undefined || found.signature === undefined) continue;
      const before = displaced.get(found.signature.inode);
      if (before === undefined || before.size !== found.size || before.attributes.mtime !== found.attributes.mtime)
        continue;
      const now = await digestFile(root, path).catch(() => undefined);
      if (now?.digest === undefined || before.digest === undefined || !now.digest.equals(before.digest)) continue;
      displaced.delete(found.signature.inode);
      moves.#add({
        from: before.path,
        to: path,
        entry: now,
        ontoDirectory: known?.kind === 'directory',
        state: 'waiting',
        stashId: 0,
      });
    }
    return moves;
  }

  get all(): Iterable<Move> {
    return this.#byTarget.values();
  }

  get size(): number {
    return this.#byTarget.size;
  }

  /** The move that takes the file at this path away. */
  leaving(path: VolumePath): Move | undefined {
    return this.#bySource.get(path);
  }

  /** The move that brings a file to this path. */
  arriving(path: VolumePath): Move | undefined {
    return this.#byTarget.get(path);
  }

  /**
   * The moves that must be made for this one, in order: a move onto a place that another file still has to leave comes
   * after that file's own move. In a circle one file has to be set aside first; it comes back as `stash`.
   */
  sequenceFor(move: Move): { order: Move[]; stash: Move | undefined } {
    const chain: Move[] = [];
    let next: Move | undefined = move;
    while (next?.state === 'waiting') {
      next.state = 'moving';
      chain.push(next);
      next = this.leaving(next.to);
    }
    for (const link of chain) link.state = 'waiting';
    const circle = next !== undefined && chain.includes(next);
    return { order: chain.reverse(), stash: circle ? next : undefined };
  }

  #add(move: Move): void {
    this.#bySource.set(move.from, move);
    this.#byTarget.set(move.to, move);
  }
}
