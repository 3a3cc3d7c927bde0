import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { readJson, replaceFile, storageError, syncDirectory } from '../engine/files.js';
import { FormatVersionError, StateDamagedError } from '../errors.js';
import { RunIndex } from './catalog-index.js';
import { RunWriter, readRun } from './catalog-run.js';
import type { Entry } from './entry.js';
import type { CatalogItem } from './entry-codec.js';
import { newestOf } from './merge.js';
import { comparePaths, type VolumePath } from './path.js';
import { Unsettled } from './unsettled.js';

/**
 * What a replica holds, entry by entry, on disk and in bounded memory: changes gather in memory and are flushed as
 * ordered runs, which are merged when there are too many (a log-structured merge tree, O'Neil et al. 1996). A flush
 * names the sequence number through which the catalog is complete, so the journal that its changes came from is its
 * write-ahead log. Both ends keep one; the sender's says what the replica will hold once the queue is applied.
 */

const VERSION = 1;
const RUNS_MAX = 6;
/** Changes in memory after which the owner should flush. */
const CHANGES_MAX = 32_768;

/** Bytes of a journal after which the catalog is checkpointed: its cursor must never be what fills the journal. */
export function checkpointBytes(queueBytesMax: number): number {
  return Math.min(256 * 1024 * 1024, queueBytesMax / 4);
}

/** A large file on its way: parts sent or received, not yet put in place. */
export interface Transfer {
  path: VolumePath;
  size: number;
  /** The source has holes: zeros become holes. */
  sparse: boolean;
  /** Bytes from the beginning that are covered. */
  offset: number;
  /** The source's signature and time, in which the sender recognises the file again. */
  inode: number;
  changed: number;
  mtime: number;
}

export class Catalog {
  through: number;
  transfer: Transfer | undefined;
  /** Files moved aside by the stream and not yet put in place. */
  stashed: number;
  unsettled: Unsettled;

  readonly #dir: string;
  #runs: string[];
  #counter: number;
  #changes = new Map<VolumePath, Entry | undefined>();
  readonly #indexes = new Map<string, RunIndex>();

  private constructor(dir: string, manifest: Manifest) {
    this.#dir = dir;
    this.through = manifest.through;
    this.transfer = manifest.transfer;
    this.stashed = manifest.stashed;
    this.unsettled = manifest.unsettled;
    this.#runs = manifest.runs;
    this.#counter = manifest.counter;
  }

  static async open(dir: string): Promise<Catalog> {
    await mkdir(dir, { recursive: true }).catch((error: unknown) => {
      throw storageError('creating', dir, error);
    });
    const catalog = new Catalog(dir, await readManifest(dir));
    await catalog.#removeStrays();
    return catalog;
  }

  put(entry: Entry): void {
    this.#changes.set(entry.path, entry);
  }

  remove(path: VolumePath): void {
    this.#changes.set(path, undefined);
  }

  get wantsFlush(): boolean {
    return this.#changes.size >= CHANGES_MAX;
  }

  get isEmpty(): boolean {
    return this.#runs.length === 0 && this.#changes.size === 0;
  }

  get isChanged(): boolean {
    return this.#changes.size > 0;
  }

  /** The entry at one path. */
  async get(path: VolumePath): Promise<Entry | undefined> {
    if (this.#changes.has(path)) return this.#changes.get(path);
    for (const name of this.#runs) {
      const item = await this.#index(name).find(path);
      if (item !== undefined) return item.entry;
    }
    return undefined;
  }

  /** All entries in path order, as of this moment: later changes do not show. */
  async *entries(): AsyncGenerator<Entry> {
    for await (const { entry } of this.#items()) if (entry !== undefined) yield entry;
  }

  /** Makes every change so far durable, complete through `through`. */
  async flush(through: number): Promise<void> {
    if (this.#changes.size > 0) {
      const name = await this.#writeRun(inOrder(this.#changes), true);
      this.#runs = [name, ...this.#runs];
      this.#changes = new Map();
    }
    if (this.#runs.length > RUNS_MAX) this.#runs = [await this.#writeRun(this.#items(), false)];
    this.through = through;
    await this.#save();
  }

  /** Forgets every entry. */
  async clear(through: number): Promise<void> {
    this.#runs = [];
    this.#changes = new Map();
    this.transfer = undefined;
    this.stashed = 0;
    this.unsettled = new Unsettled();
    this.through = through;
    await this.#save();
  }

  #index(name: string): RunIndex {
    const index = this.#indexes.get(name) ?? new RunIndex(join(this.#dir, name));
    this.#indexes.set(name, index);
    return index;
  }

  #items(): AsyncGenerator<CatalogItem> {
    const runs = this.#runs.map((name) => readRun(join(this.#dir, name)));
    return newestOf([inOrder(this.#changes), ...runs]);
  }

  async #writeRun(items: AsyncIterable<CatalogItem>, keepRemovals: boolean): Promise<string> {
    const name = `${String(++this.#counter).padStart(8, '0')}.run`;
    const writer = await RunWriter.create(join(this.#dir, name));
    try {
      for await (const { path, entry } of items) {
        if (entry !== undefined || keepRemovals) await writer.add(path, entry);
      }
    } catch (error) {
      await writer.abandon();
      throw error;
    }
    await writer.finish();
    return name;
  }

  async #save(): Promise<void> {
    await syncDirectory(this.#dir);
    const { through, transfer, stashed, unsettled } = this;
    const manifest = {
      version: VERSION,
      through,
      stashed,
      unsettled,
      counter: this.#counter,
      runs: this.#runs,
      transfer,
    };
    await replaceFile(join(this.#dir, 'manifest.json'), `${JSON.stringify(manifest)}\n`);
    await this.#removeStrays();
  }

  /** Runs that no manifest names: merged away, or cut off in the making. */
  async #removeStrays(): Promise<void> {
    for (const name of this.#indexes.keys()) if (!this.#runs.includes(name)) this.#indexes.delete(name);
    for (const name of await readdir(this.#dir)) {
      if (name.endsWith('.run') && !this.#runs.includes(name)) await rm(join(this.#dir, name), { force: true });
    }
  }
}

interface Manifest {
  through: number;
  stashed: number;
  unsettled: Unsettled;
  counter: number;
  runs: string[];
  transfer: Transfer | undefined;
}

async function readManifest(dir: string): Promise<Manifest> {
  const path = join(dir, 'manifest.json');
  const kept = await readJson(path);
  if (kept === undefined)
    return { through: 0, stashed: 0, unsettled: new Unsettled(), counter: 0, runs: [], transfer: undefined };
  if (kept.version !== VERSION) throw new FormatVersionError(path, Number(kept.version), VERSION);
  const { through, stashed, unsettled, counter, runs, transfer } = kept;
  const sound =
    [through, stashed, counter].every((value) => Number.isSafeInteger(value)) &&
    Array.isArray(runs) &&
    runs.every((name) => /^\d{8,}\.run$/.test(String(name)));
  if (!sound) {
    throw new StateDamagedError(
      path,
      'fields missing',
      'remove the catalog directory and start with --adopt to build it anew',
    );
  }
  return {
    through: through as number,
    stashed: stashed as number,
    unsettled: new Unsettled(unsettled as VolumePath[] | 'all'),
    counter: counter as number,
    runs: runs as string[],
    transfer: transfer as Transfer | undefined,
  };
}

async function* inOrder(changes: Map<VolumePath, Entry | undefined>): AsyncGenerator<CatalogItem> {
  const ordered = [...changes].sort(([a], [b]) => comparePaths(a, b));
  for (const [path, entry] of ordered) yield { path, entry };
}
