import { type CatalogItem, EntryReader } from './entry-codec.js';
import { comparePaths, type VolumePath } from './path.js';
import { RunReader } from './run-reader.js';

/**
 * Finds single entries in a run. The first question reads the run from front to back to learn where its blocks lie;
 * memory takes one path for each block and the few blocks that were looked at last: questions come mostly in path order.
 */

const BLOCKS_KEPT = 4;

interface Block {
  position: number;
  /** The last path of the block before, from which the block's first path is told. */
  after: VolumePath;
  last: VolumePath;
}

export class RunIndex {
  readonly #path: string;
  #blocks: Block[] | undefined;
  readonly #kept = new Map<Block, Map<VolumePath, CatalogItem>>();

  constructor(path: string) {
    this.#path = path;
  }

  /** What the run says of a path, which may be that it was removed; undefined when it says nothing. */
  async find(path: VolumePath): Promise<CatalogItem | undefined> {
    this.#blocks ??= await readBlocks(this.#path);
    const block = firstReaching(this.#blocks, path);
    return block === undefined ? undefined : (await this.#items(block)).get(path);
  }

  async #items(block: Block): Promise<Map<VolumePath, CatalogItem>> {
    const items = this.#kept.get(block) ?? (await this.#read(block));
    this.#kept.delete(block);
    this.#kept.set(block, items);
    const [oldest] = this.#kept.keys();
    if (oldest !== undefined && this.#kept.size > BLOCKS_KEPT) this.#kept.delete(oldest);
    return items;
  }

  async #read({ position, after }: Block): Promise<Map<VolumePath, CatalogItem>> {
    const run = await RunReader.open(this.#path, position);
    try {
      const items = new EntryReader(after).read(await run.readBlock());
      return new Map(items.map((item) => [item.path, item]));
    } finally {
      await run.close();
    }
  }
}

async function readBlocks(path: string): Promise<Block[]> {
  const run = await RunReader.open(path);
  try {
    const blocks: Block[] = [];
    const entries = new EntryReader();
    for (let after: VolumePath = ''; ; ) {
      const { position } = run;
      const last = entries.read(await run.readBlock()).at(-1)?.path;
      if (last === undefined) return blocks;
      blocks.push({ position, after, last });
      after = last;
    }
  } finally {
    await run.close();
  }
}

/** The one block that can hold a path. */
function firstReaching(blocks: readonly Block[], path: VolumePath): Block | undefined {
  let [low, high] = [0, blocks.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const last = blocks[middle]?.last ?? '';
    if (comparePaths(last, path) < 0) low = middle + 1;
    else high = middle;
  }
  return blocks[low];
}
