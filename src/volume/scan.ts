import { asSet } from './attributes.js';
import type { Catalog } from './catalog.js';
import { digestFile } from './content.js';
import { type Entry, sameSignature } from './entry.js';
import { join } from './merge.js';
import type { VolumePath } from './path.js';
import { EXAMPLES_MAX } from './questions.js';
import { type Root, walk } from './walk.js';

/**
 * Compares the replica's files with its catalog and corrects the catalog where something else has been at work. Content
 * is reread where the file is not the one whose signature was recorded, or everywhere when asked to be thorough.
 */
export interface Drift {
  drifted: number;
  examples: VolumePath[];
}

export async function scan(root: Root, ignored: ReadonlySet<string>, catalog: Catalog, deep: boolean): Promise<Drift> {
  const drift: Drift = { drifted: 0, examples: [] };
  for await (const { path, left: found, right: known } of join(walk(root, ignored), catalog.entries())) {
    const there = found?.entry;
    if (known === undefined && there === undefined) continue;
    const corrected = there === undefined ? undefined : await examine(root, there, known, deep);
    if (corrected !== 'as it should be') {
      if (catalog.wantsFlush) await catalog.flush(catalog.through);
      if (corrected === undefined) catalog.remove(path);
      else catalog.put(corrected);
      drift.drifted++;
      if (drift.examples.length < EXAMPLES_MAX) drift.examples.push(path);
    } else if (known?.kind === 'file' && there !== undefined && !sameSignature(there.signature, known.signature)) {
      catalog.put({ ...known, ...(there.signature === undefined ? {} : { signature: there.signature }) });
    }
  }
  return drift;
}

/** What the catalog has to say about a path instead, if anything. */
async function examine(
  root: Root,
  there: Entry,
  known: Entry | undefined,
  deep: boolean,
): Promise<Entry | 'as it should be'> {
  if (known === undefined || known.kind !== there.kind || known.size !== there.size) return there;
  if (!asSet(there.attributes, known.attributes, there.kind)) return there;
  if (there.kind === 'directory') return 'as it should be';
  if (there.kind === 'symlink')
    return known.target?.equals(there.target ?? Buffer.alloc(0)) ? 'as it should be' : there;
  const proved = known.digest !== undefined && sameSignature(known.signature, there.signature);
  if (proved && !deep) return 'as it should be';
  const now = await digestFile(root, there.path).catch(() => undefined);
  const same = now?.digest !== undefined && known.digest?.equals(now.digest) === true;
  return same ? 'as it should be' : (now ?? there);
}

/** Takes the digests that a catalog lacks, for whoever wants to compare contents. */
export async function fillDigests(root: Root, catalog: Catalog): Promise<void> {
  for await (const entry of catalog.entries()) {
    if (catalog.wantsFlush) await catalog.flush(catalog.through);
    if (entry.kind !== 'file' || entry.digest !== undefined) continue;
    const now = await digestFile(root, entry.path).catch(() => undefined);
    if (now?.digest === undefined) continue;
    catalog.put({
      ...entry,
      size: now.size,
      digest: now.digest,
      ...(now.signature === undefined ? {} : { signature: now.signature }),
    });
  }
}
