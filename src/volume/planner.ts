import { publish } from '../engine/events.js';
import { RootEmptyError } from '../errors.js';
import type { Catalog } from './catalog.js';
import { type Entry, sameAttributes, sameContent, sameSignature } from './entry.js';
import { join } from './merge.js';
import { displayPath, isInside, type VolumePath } from './path.js';
import { type Plan, type PlanItem, PlanWriter } from './plan.js';
import type { Found } from './walk.js';

/**
 * Compares the source with what the replica holds and plans what has to cross. What the replica holds is our catalog,
 * or, for a peer that does not follow it, that peer's own listing.
 */

/** Files that lost their place are remembered up to this number, to find them again under another name. */
const DISPLACED_MAX = 250_000;

export interface Comparison {
  plan: Plan;
  /** Files of the replica whose source has left their path, by inode. */
  displaced: Map<number, Entry>;
  unreadable: VolumePath[];
  filesInSource: number;
  /** Files and links that the replica holds. */
  knownFiles: number;
}

export interface PlannerOptions {
  planPath: string;
  rootPath: string;
  catalog: Catalog;
  found: AsyncIterable<Found>;
  listing: AsyncIterable<Entry> | undefined;
  /** Other peers follow our catalog: it may only change through records. */
  hasOthers: boolean;
  allowMassDelete: boolean;
}

interface Sighting {
  path: VolumePath;
  found: Found | undefined;
  /** Our catalog's entry: knows the digest of a file that was not touched since. */
  catalogued: Entry | undefined;
  /** What the replica holds. */
  known: Entry | undefined;
}

export async function compare(options: PlannerOptions): Promise<Comparison> {
  const writer = await PlanWriter.create(options.planPath);
  try {
    const planner = new Planner(options, writer);
    for await (const sighting of sightings(options)) await planner.take(sighting);
    planner.checkNotEmpty();
    return { plan: await writer.finish(), ...planner.result };
  } catch (error) {
    await writer.abandon();
    throw error;
  }
}

async function* sightings({ found, catalog, listing }: PlannerOptions): AsyncGenerator<Sighting> {
  const ours = join(found, catalog.entries());
  if (listing === undefined) {
    for await (const { path, left, right } of ours) yield { path, found: left, catalogued: right, known: right };
    return;
  }
  for await (const { path, left, right } of join(ours, listing)) {
    yield { path, found: left?.left, catalogued: left?.right, known: right };
  }
}

class Planner {
  readonly result = {
    displaced: new Map<number, Entry>(),
    unreadable: [] as VolumePath[],
    filesInSource: 0,
    knownFiles: 0,
  };
  readonly #options: PlannerOptions;
  readonly #writer: PlanWriter;
  #entriesInSource = 0;

  constructor(options: PlannerOptions, writer: PlanWriter) {
    this.#options = options;
    this.#writer = writer;
  }

  async take(sighting: Sighting): Promise<void> {
    const { path, found, catalogued, known } = sighting;
    if (known !== undefined && known.kind !== 'directory') this.result.knownFiles++;
    if (found?.problem !== undefined) this.#report(found);
    const entry = found?.entry;
    if (entry !== undefined) await this.#present(entry, catalogued, known);
    else if (!this.#isUnreadable(path)) await this.#absent(path, catalogued, known);
  }

  /** A source without anything in it is taken for one that is not there. */
  checkNotEmpty(): void {
    const { allowMassDelete, rootPath } = this.#options;
    if (!allowMassDelete && this.#entriesInSource <= 1 && this.result.knownFiles > 0) {
      throw new RootEmptyError(rootPath, this.result.knownFiles);
    }
  }

  async #present(entry: Entry, catalogued: Entry | undefined, known: Entry | undefined): Promise<void> {
    this.#entriesInSource++;
    if (entry.kind !== 'directory') this.result.filesInSource++;
    const untouched = catalogued?.kind === entry.kind && sameSignature(entry.signature, catalogued.signature);
    if (untouched && catalogued.digest !== undefined && catalogued.size === entry.size)
      entry.digest = catalogued.digest;
    if (!untouched && catalogued !== undefined) this.#displace(catalogued, entry);
    const settled = entry.kind !== 'directory' || !this.#options.catalog.unsettled.has(entry.path);
    const same =
      settled && known !== undefined && sameContent(entry, known) && sameAttributes(entry.attributes, known.attributes);
    // Others learn only from records, so what is new to the catalog is sent although this peer may have it.
    const isNew = catalogued === undefined || (entry.kind === 'file' ? !untouched : !sameContent(entry, catalogued));
    const mustTell = isNew && this.#options.hasOthers && this.#options.listing !== undefined;
    if (mustTell) {
      const inTheWay = known?.kind === entry.kind ? undefined : known;
      return this.#writer.add({ path: entry.path, found: entry, known: inTheWay });
    }
    if (!same) return this.#writer.add({ path: entry.path, found: entry, known });
    if (entry.kind === 'directory') this.#writer.enter(entry, known);
    if (entry.kind === 'directory' ? catalogued === undefined : !untouched) await this.#put(entry);
  }

  async #absent(path: VolumePath, catalogued: Entry | undefined, known: Entry | undefined): Promise<void> {
    if (catalogued !== undefined) this.#displace(catalogued, undefined);
    const there = known ?? (this.#options.hasOthers ? catalogued : undefined);
    if (there !== undefined) await this.#writer.add({ path, found: undefined, known: there } satisfies PlanItem);
    else if (catalogued !== undefined) this.#options.catalog.remove(path);
  }

  /** Nothing is under way in the queue before the plan is carried out, so the catalog can be flushed as it is. */
  async #put(entry: Entry): Promise<void> {
    const { catalog } = this.#options;
    catalog.put(entry);
    if (catalog.wantsFlush) await catalog.flush(catalog.through);
  }

  /** A peer that does not follow our catalog may lack the file, so its content is sent again instead of moved. */
  #displace(catalogued: Entry, entry: Entry | undefined): void {
    const { kind, size, digest, signature } = catalogued;
    if (this.#options.listing !== undefined || kind !== 'file' || size === 0) return;
    if (digest === undefined || signature === undefined || signature.inode === entry?.signature?.inode) return;
    if (this.result.displaced.size < DISPLACED_MAX) this.result.displaced.set(signature.inode, catalogued);
  }

  #report({ path, problem }: Found): void {
    if (problem === undefined) return;
    if (problem.reason === 'unreadable') this.result.unreadable.push(path);
    publish('skipped', { path: displayPath(path), reason: problem.detail });
  }

  #isUnreadable(path: VolumePath): boolean {
    // What is inside an unreadable directory follows it at once.
    const last = this.result.unreadable.at(-1);
    return last !== undefined && (last === path || isInside(path, last));
  }
}
