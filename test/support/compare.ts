import { readFileSync, readlinkSync } from 'node:fs';
import { at, type Item, listTree, show, type TreePath } from './files.js';

/** Compares two trees the slow, plain way, with no code of the library. */

export interface CompareOptions {
  /** Owners are compared too (only meaningful where this process may set them). */
  owners?: boolean;
  /** Blocks of 512 bytes that a copy may take more than its original. */
  blocksSlack?: number;
}

/** A file of the copy may be cut up where the original lies in one piece: a few blocks for that. */
const BLOCKS_SLACK = 64;
const LINES_MAX = 40;

/** Readable differences, none when `copy` is what `original` is; pipes, sockets and devices do not count. */
export function compareTrees(original: string, copy: string, options: CompareOptions = {}): string[] {
  const { owners = process.geteuid?.() === 0, blocksSlack = BLOCKS_SLACK } = options;
  const there = new Map(listTree(copy).map((item) => [item.path, item]));
  const differences: string[] = [];
  for (const item of listTree(original)) {
    if (item.kind === 'special') continue;
    const other = there.get(item.path);
    there.delete(item.path);
    const found = other === undefined ? ['missing'] : compareItems(original, copy, item, other, owners, blocksSlack);
    for (const difference of found) differences.push(`${show(item.path)}: ${difference}`);
  }
  for (const { path, kind } of there.values()) differences.push(`${show(path)}: ${kind} that the original lacks`);
  if (differences.length <= LINES_MAX) return differences;
  return [...differences.slice(0, LINES_MAX), `and ${differences.length - LINES_MAX} more`];
}

function compareItems(
  original: string,
  copy: string,
  a: Item,
  b: Item,
  owners: boolean,
  blocksSlack: number,
): string[] {
  if (a.kind !== b.kind) return [`${b.kind} instead of ${a.kind}`];
  const found: string[] = [];
  const differs = (what: string, one: unknown, other: unknown): void => {
    if (one !== other) found.push(`${what} ${other} instead of ${one}`);
  };
  differs('time', microseconds(a), microseconds(b));
  if (a.kind !== 'symlink') differs('mode', modeOf(a, owners).toString(8), modeOf(b, owners).toString(8));
  if (owners) differs('owner', `${a.stats.uid}:${a.stats.gid}`, `${b.stats.uid}:${b.stats.gid}`);
  if (a.kind === 'symlink') differs('target', targetOf(original, a.path), targetOf(copy, b.path));
  if (a.kind !== 'file') return found;
  differs('size', a.stats.size, b.stats.size);
  if (a.stats.size === b.stats.size) found.push(...compareContents(original, copy, a.path));
  const blocksMax = a.stats.blocks + BigInt(blocksSlack);
  if (b.stats.blocks > blocksMax) found.push(`takes ${b.stats.blocks} blocks instead of ${a.stats.blocks}`);
  return found;
}

function compareContents(original: string, copy: string, path: TreePath): string[] {
  const a = readFileSync(at(original, path));
  const b = readFileSync(at(copy, path));
  if (a.equals(b)) return [];
  const first = a.findIndex((byte, i) => byte !== b[i]);
  return [`content differs from byte ${first} of ${a.byteLength} on`];
}

function targetOf(root: string, path: TreePath): string {
  return readlinkSync(at(root, path), { encoding: 'buffer' }).toString('latin1');
}

/** Without the owner, the bits that lend an owner's rights are not carried over. */
function modeOf({ stats }: Item, owners: boolean): number {
  return Number(stats.mode) & (owners ? 0o7777 : 0o1777);
}

/** Whole microseconds, rounded down, as text with the fraction: easier to read in a message. */
function microseconds({ stats }: Item): string {
  const ns = stats.mtimeNs;
  const us = ns >= 0n || ns % 1000n === 0n ? ns / 1000n : ns / 1000n - 1n;
  return `${us} µs`;
}
