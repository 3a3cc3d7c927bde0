import { join } from 'node:path';
import { readJson, replaceFile } from '../engine/files.js';

/**
 * Which node answers for which configured peer name. A peer is its node id, so a receiver that moves to another address
 * goes on where it was, and another node at the old address starts as a new peer. And which nodes are owed everything
 * anew: from before they are told to start over until all of it is in the queue.
 */
export class PeerBook {
  readonly #path: string;
  readonly #ids: Map<string, string>;
  readonly #owed: Set<string>;
  #saving: Promise<void> = Promise.resolve();

  private constructor(path: string, ids: Map<string, string>, owed: Set<string>) {
    this.#path = path;
    this.#ids = ids;
    this.#owed = owed;
  }

  static async open(dir: string): Promise<PeerBook> {
    const path = join(dir, 'peers.json');
    const { peers, owed } = (await readJson(path)) ?? {};
    const entries = typeof peers === 'object' && peers !== null ? Object.entries(peers) : [];
    const ids = new Map(entries.map(([name, id]) => [name, String(id)]));
    return new PeerBook(path, ids, new Set(Array.isArray(owed) ? owed.map(String) : []));
  }

  idOf(name: string): string | undefined {
    return this.#ids.get(name);
  }

  async bind(name: string, id: string): Promise<void> {
    if (this.#ids.get(name) === id) return;
    this.#ids.set(name, id);
    await this.#save();
  }

  owes(id: string): boolean {
    return this.#owed.has(id);
  }

  async owe(id: string): Promise<void> {
    if (this.#owed.has(id)) return;
    this.#owed.add(id);
    await this.#save();
  }

  async settle(id: string): Promise<void> {
    if (this.#owed.delete(id)) await this.#save();
  }

  /** One at a time: each writes the same file. */
  #save(): Promise<void> {
    this.#saving = this.#saving
      .catch(() => {})
      .then(() => {
        const book = { version: 1, peers: Object.fromEntries(this.#ids), owed: [...this.#owed] };
        return replaceFile(this.#path, `${JSON.stringify(book, null, 2)}\n`);
      });
    return this.#saving;
  }
}
