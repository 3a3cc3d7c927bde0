import { rm } from 'node:fs/promises';
import { ProtocolError } from '../errors.js';
import type { Sender } from '../replication/sender.js';
import { RunWriter, readRun } from './catalog-run.js';
import type { Entry } from './entry.js';
import { EntryReader, EntryWriter } from './entry-codec.js';
import { comparePaths, type VolumePath } from './path.js';
import { LISTING_QUESTION } from './questions.js';

/** Everything that a replica holds, as its own catalog says it, kept in a file while a pass compares it. */

const CHUNK_BYTES = 128 * 1024;

/** The answer to LISTING_QUESTION: entries in chunks of whole items. */
export async function* listingChunks(entries: AsyncIterable<Entry>): AsyncGenerator<Buffer> {
  const writer = new EntryWriter();
  for await (const { signature: _signature, ...entry } of entries) {
    writer.add(entry.path, entry);
    if (writer.length >= CHUNK_BYTES) yield writer.take();
  }
  if (writer.length > 0) yield writer.take();
}

export class Listing {
  readonly #path: string;

  private constructor(path: string) {
    this.#path = path;
  }

  /** Fetches a peer's listing into a file; what a peer sends is checked before it is believed. */
  static async fetch(sender: Sender, peer: string, path: string): Promise<Listing> {
    const run = await RunWriter.create(path);
    try {
      const reader = new EntryReader();
      let previous: VolumePath | undefined;
      for await (const chunk of sender.query(peer, LISTING_QUESTION)) {
        for (const item of reader.read(chunk)) {
          if (previous !== undefined && comparePaths(item.path, previous) <= 0)
            throw new ProtocolError('a listing out of order', 'path order');
          previous = item.path;
          await run.add(item.path, item.entry);
        }
      }
    } catch (error) {
      await run.abandon();
      await rm(path, { force: true });
      throw error;
    }
    await run.finish();
    return new Listing(path);
  }

  async *entries(): AsyncGenerator<Entry> {
    for await (const { entry } of readRun(this.#path)) if (entry !== undefined) yield entry;
  }

  async remove(): Promise<void> {
    await rm(this.#path, { force: true });
  }
}
