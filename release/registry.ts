import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { basename } from 'node:path';
import { run } from './npm.js';

interface Entry {
  manifest: { name: string; version: string };
  tarball: Buffer;
}

/** A registry on loopback that has the given tarballs and nothing else, as if they had been published. */
export class Registry {
  readonly #server: Server;
  readonly #entries: Map<string, Entry>;

  private constructor(entries: Map<string, Entry>) {
    this.#entries = entries;
    this.#server = createServer((request, response) => {
      const body = this.#answer(decodeURIComponent(request.url ?? ''));
      response.writeHead(body === undefined ? 404 : 200, { 'cache-control': 'no-store' }).end(body);
    });
  }

  static async open(tarballs: readonly string[]): Promise<Registry> {
    const entries = new Map<string, Entry>();
    for (const path of tarballs) {
      const { stdout } = await run('tar', ['-xzOf', path, 'package/package.json'], { cwd: '.' });
      entries.set(basename(path), { manifest: JSON.parse(stdout) as Entry['manifest'], tarball: readFileSync(path) });
    }
    const registry = new Registry(entries);
    await new Promise<void>((resolve) => registry.#server.listen(0, '127.0.0.1', resolve));
    return registry;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** A package by its name, or a tarball by that of its file. */
  #answer(url: string): Buffer | string | undefined {
    const name = url.slice(1);
    const file = this.#entries.get(name);
    if (file !== undefined) return file.tarball;
    const found = [...this.#entries].find(([, { manifest }]) => manifest.name === name);
    return found === undefined ? undefined : JSON.stringify(this.#document(...found));
  }

  /** What a registry says of a package. */
  #document(filename: string, { manifest, tarball }: Entry): object {
    const integrity = `sha512-${createHash('sha512').update(tarball).digest('base64')}`;
    const version = { ...manifest, dist: { tarball: `${this.url}${filename}`, integrity } };
    return {
      name: manifest.name,
      'dist-tags': { latest: manifest.version },
      versions: { [manifest.version]: version },
    };
  }
}
