import { join } from 'node:path';
import { readJson, replaceFile } from '../engine/files.js';

/**
 * Which node answers for which configured peer name. A peer is its node id, so a receiver that moves to another address
 * goes on where it was, and another node at the old address starts as a new peer.
 */
export class PeerBook {
  readonly #path: string;
  readonly #ids: Map<string, string>;

  private constructor(path: string, ids: Map<string, string>) {
    this.#path = path;
    this.#ids = ids;
  }

  static async open(dir: string): Promise<PeerBook> {
    const path = join(dir, 'peers.json');
    const kept = (await readJson(path))?.peers;
    const entries = typeof kept === 'object' && kept !== null ? Object.entries(kept) : [];
    return new PeerBook(path, new Map(entries.map(([name, id]) => [name, String(id)])));
  }

  idOf(name: string): string | undefined {
    return this.#ids.get(name);
  }

  async bind(name: string, id: string): Promise<void> {
    if (this.#ids.get(name) === id) return;
    this.#ids.set(name, id);
    await replaceFile(this.#path, `${JSON.stringify({ version: 1, peers: Object.fromEntries(this.#ids) }, null, 2)}\n`);
  }
}
