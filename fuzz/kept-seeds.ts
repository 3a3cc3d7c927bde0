import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './native-units.js';
import { Random } from './random.js';
import type { FuzzTarget } from './target.js';

/** Seeds of targets in TypeScript that every run begins with: each reached something that those before it did not. */

const PATH = join(root, 'fuzz', 'corpus', 'seeds.json');
/** Of each target. */
export const KEPT_SEEDS_MAX = 16;

type Kept = Record<string, number[]>;

export function keptSeeds({ name }: FuzzTarget): readonly number[] {
  return (JSON.parse(readFileSync(PATH, 'utf8')) as Kept)[name] ?? [];
}

/** Looks for seeds anew until the time is over. Says what came of it. */
export async function keepSeeds(target: FuzzTarget, isOver: () => boolean): Promise<string> {
  const all = JSON.parse(readFileSync(PATH, 'utf8')) as Kept;
  const reached = new Set<string>();
  const kept: number[] = [];
  const candidates = [...keptSeeds(target)];
  while (kept.length < KEPT_SEEDS_MAX && (candidates.length > 0 || !isOver())) {
    const seed = candidates.shift() ?? Random.freshSeed();
    const before = reached.size;
    for (const word of await wordsOf(target, seed)) reached.add(String(word));
    if (reached.size > before) kept.push(seed);
  }
  if (kept.length > 0) writeFileSync(PATH, `${JSON.stringify({ ...all, [target.name]: kept }, null, 2)}\n`);
  return `${target.name}: ${kept.length} seeds that reach ${[...reached].sort().join(', ') || 'nothing that is counted'}`;
}

async function wordsOf(target: FuzzTarget, seed: number): Promise<Iterable<unknown>> {
  try {
    const words = await target.run(new Random(seed));
    return words instanceof Set ? words : [];
  } catch (cause) {
    throw new Error(`seed ${seed} fails; replay with: npm run fuzz ${target.name} -- --seed ${seed}`, { cause });
  }
}
