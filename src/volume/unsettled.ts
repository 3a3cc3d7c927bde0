import type { Operation } from './operation.js';
import { parentOf, type VolumePath } from './path.js';

/**
 * Directories whose time over there is not what the catalog says: something happened in them, and their attributes come
 * only at the end of a pass. Kept with the catalog, because a pass may be cut off before its end.
 */

/** Beyond this many every directory counts as unsettled. */
const PATHS_MAX = 100_000;

export class Unsettled {
  #paths: Set<VolumePath>;
  #all: boolean;

  constructor(kept: VolumePath[] | 'all' = []) {
    this.#paths = new Set(kept === 'all' ? [] : kept);
    this.#all = kept === 'all';
  }

  has(path: VolumePath): boolean {
    return this.#all || this.#paths.has(path);
  }

  note(operation: Operation): void {
    if (operation.type === 'attributes' && operation.content === undefined) {
      this.#paths.delete(operation.path);
      return;
    }
    if (
      !('path' in operation) ||
      operation.type === 'attributes' ||
      operation.type === 'part' ||
      operation.type === 'begin'
    )
      return;
    this.#add(parentOf(operation.path));
    if (operation.type === 'rename') this.#add(parentOf(operation.from));
    if (operation.type === 'directory') this.#add(operation.path);
    if (operation.type === 'remove' && operation.kind === 'directory') this.#paths.delete(operation.path);
  }

  /** A pass has set the attributes of every directory it found unsettled. */
  settle(): void {
    this.#paths.clear();
    this.#all = false;
  }

  /** For the catalog's manifest. */
  toJSON(): VolumePath[] | 'all' {
    return this.#all ? 'all' : [...this.#paths];
  }

  #add(path: VolumePath): void {
    if (this.#all) return;
    this.#paths.add(path);
    if (this.#paths.size <= PATHS_MAX) return;
    this.#all = true;
    this.#paths.clear();
  }
}
