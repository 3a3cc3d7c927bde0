import type { Journal } from '../../src/journal/journal.js';

/** Side files whose content says of which segment they were made. */

function contentOf(first: number, last: number, chain: bigint): Buffer {
  const text = `records ${first} to ${last}, chain ${chain} `;
  return Buffer.alloc(text.length + (Number(chain % 9n) + 1) * 700, text);
}

/** Writes one for each full segment; returns how many were kept. */
export async function writeSides(journal: Journal): Promise<number> {
  let kept = 0;
  for (const { first, last } of journal.sealedSegments()) {
    const chain = await journal.chainAt(last);
    if (chain !== undefined && (await journal.writeSide(first, contentOf(first, last, chain)))) kept++;
  }
  return kept;
}

/** By the first record of its segment, whether there is a side file; throws for one of anything else. */
export async function readSides(journal: Journal): Promise<Map<number, boolean>> {
  const found = new Map<number, boolean>();
  for (const { first, last } of journal.sealedSegments()) {
    const content = await journal.readSide(first);
    const chain = content && (await journal.chainAt(last));
    // Freed meanwhile.
    if (content !== undefined && chain === undefined) continue;
    found.set(first, content !== undefined);
    if (chain !== undefined && content?.equals(contentOf(first, last, chain)) === false) {
      throw new Error(`the side file of record ${first} says ${content.subarray(0, 100)}`);
    }
  }
  return found;
}

/** The names of side files, finished or not, among those of a directory that no full segment has. */
export function straySides(journal: Journal, names: Iterable<string>): string[] {
  const full = journal.sealedSegments().map(({ first }) => `${first.toString(16).padStart(16, '0')}.log.idx`);
  return [...names].filter((name) => name.includes('.idx') && !full.includes(name));
}
