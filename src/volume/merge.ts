import type { CatalogItem } from './entry-codec.js';
import { comparePaths, type VolumePath } from './path.js';

/** Walking several sequences that are in path order side by side. */

export interface WithPath {
  path: VolumePath;
}

/** An async sequence with its next item in view. */
export class Peekable<T> {
  readonly #iterator: AsyncIterator<T>;
  head: T | undefined;

  private constructor(iterator: AsyncIterator<T>) {
    this.#iterator = iterator;
  }

  static async of<T>(items: AsyncIterable<T>): Promise<Peekable<T>> {
    const peekable = new Peekable(items[Symbol.asyncIterator]());
    await peekable.advance();
    return peekable;
  }

  async advance(): Promise<void> {
    const next = await this.#iterator.next();
    this.head = next.done ? undefined : next.value;
  }

  async close(): Promise<void> {
    await this.#iterator.return?.();
  }
}

/** Newest run first: of items with the same path the first run's counts, removals included. */
export async function* newestOf(runs: AsyncIterable<CatalogItem>[]): AsyncGenerator<CatalogItem> {
  const heads = await Promise.all(runs.map((run) => Peekable.of(run)));
  try {
    for (;;) {
      const item = lowest(heads.map((run) => run.head));
      if (item === undefined) return;
      for (const run of heads) if (run.head?.path === item.path) await run.advance();
      yield item;
    }
  } finally {
    await Promise.all(heads.map((run) => run.close()));
  }
}

function lowest<T extends WithPath>(items: (T | undefined)[]): T | undefined {
  let least: T | undefined;
  for (const item of items) {
    if (item !== undefined && (least === undefined || comparePaths(item.path, least.path) < 0)) least = item;
  }
  return least;
}

/** Pairs what two ordered sequences have at each path. */
export async function* join<A extends WithPath, B extends WithPath>(
  left: AsyncIterable<A>,
  right: AsyncIterable<B>,
): AsyncGenerator<{ path: VolumePath; left?: A; right?: B }> {
  const a = await Peekable.of(left);
  const b = await Peekable.of(right);
  try {
    while (a.head !== undefined || b.head !== undefined) {
      const order = a.head === undefined ? 1 : b.head === undefined ? -1 : comparePaths(a.head.path, b.head.path);
      const pair: { path: VolumePath; left?: A; right?: B } = { path: '' };
      if (order <= 0 && a.head !== undefined) Object.assign(pair, { path: a.head.path, left: a.head });
      if (order >= 0 && b.head !== undefined) Object.assign(pair, { path: b.head.path, right: b.head });
      if (order <= 0) await a.advance();
      if (order >= 0) await b.advance();
      yield pair;
    }
  } finally {
    await a.close();
    await b.close();
  }
}
