import { Digest } from '../engine/digest.js';
import type { Entry } from './entry.js';
import { EntryWriter } from './entry-codec.js';

/** One digest over everything that a catalog says, signatures aside: equal digests, equal trees. */
export interface RootDigest {
  digest: Buffer;
  entries: number;
  /** Files and links. */
  files: number;
  bytes: number;
}

const FEED_BYTES = 64 * 1024;

export async function rootDigest(entries: AsyncIterable<Entry>): Promise<RootDigest> {
  const digest = new Digest();
  const writer = new EntryWriter();
  const result = { entries: 0, files: 0, bytes: 0 };
  for await (const entry of entries) {
    const { signature: _signature, ...said } = entry;
    writer.add(entry.path, said);
    result.entries++;
    if (entry.kind !== 'directory') result.files++;
    result.bytes += entry.size;
    if (writer.length >= FEED_BYTES) digest.update(writer.take());
  }
  return { digest: digest.update(writer.take()).finish(), ...result };
}
