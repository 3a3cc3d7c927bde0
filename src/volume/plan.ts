import { rm } from 'node:fs/promises';
import { RunWriter, readRun } from './catalog-run.js';
import type { Entry } from './entry.js';
import { isInside, type VolumePath } from './path.js';

/**
 * The differences that one pass has to carry over, in path order, in a file: there may be millions. Each item is two
 * catalog items of the same path, what the source has and what the replica has. A directory is in the plan when it
 * differs itself or when something directly in it does, because that changes its time.
 */

export interface PlanItem {
  path: VolumePath;
  found: Entry | undefined;
  known: Entry | undefined;
}

export interface PlanTotals {
  items: number;
  /** Files and links to bring over, and the bytes of the files. */
  files: number;
  bytes: number;
  /** Files and links that go from the replica. */
  gone: number;
}

export class PlanWriter {
  readonly totals: PlanTotals = { items: 0, files: 0, bytes: 0, gone: 0 };
  readonly #path: string;
  readonly #run: RunWriter;
  /** Directories around the walk's position that are not in the plan yet. */
  #around: PlanItem[] = [];

  private constructor(path: string, run: RunWriter) {
    this.#path = path;
    this.#run = run;
  }

  static async create(path: string): Promise<PlanWriter> {
    return new PlanWriter(path, await RunWriter.create(path));
  }

  /** Notes that the walk has entered a directory which does not differ itself. */
  enter(found: Entry, known: Entry | undefined): void {
    this.#leave(found.path);
    this.#around.push({ path: found.path, found, known });
  }

  async add(item: PlanItem): Promise<void> {
    this.#leave(item.path);
    for (const directory of this.#around.splice(0)) await this.#write(directory);
    await this.#write(item);
    const { found, known } = item;
    if (found === undefined && known?.kind !== 'directory') this.totals.gone++;
    if (found !== undefined && found.kind !== 'directory') {
      this.totals.files++;
      this.totals.bytes += found.size;
    }
  }

  async finish(): Promise<Plan> {
    await this.#run.finish();
    return new Plan(this.#path, this.totals);
  }

  async abandon(): Promise<void> {
    await this.#run.abandon();
    await rm(this.#path, { force: true });
  }

  #leave(path: VolumePath): void {
    while (this.#around.length > 0 && !isInside(path, this.#around[this.#around.length - 1]?.path ?? ''))
      this.#around.pop();
  }

  async #write({ path, found, known }: PlanItem): Promise<void> {
    await this.#run.add(path, found);
    await this.#run.add(path, known);
    this.totals.items++;
  }
}

export class Plan {
  readonly totals: PlanTotals;
  readonly #path: string;

  constructor(path: string, totals: PlanTotals) {
    this.#path = path;
    this.totals = totals;
  }

  async *items(): AsyncGenerator<PlanItem> {
    let first: { path: VolumePath; entry: Entry | undefined } | undefined;
    for await (const item of readRun(this.#path)) {
      if (first === undefined) {
        first = item;
        continue;
      }
      yield { path: item.path, found: first.entry, known: item.entry };
      first = undefined;
    }
  }

  async remove(): Promise<void> {
    await rm(this.#path, { force: true });
  }
}
