import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { readJson, replaceFile } from '../engine/files.js';
import { StateDamagedError } from '../errors.js';

/** The id of a node without an identity: 16 random bytes in hex, made once and kept in its state directory. */
export async function nodeId(dir: string): Promise<string> {
  const path = join(dir, 'node.json');
  const kept = await readJson(path);
  if (kept === undefined) {
    const id = randomBytes(16).toString('hex');
    await replaceFile(path, `${JSON.stringify({ version: 1, id })}\n`);
    return id;
  }
  if (typeof kept.id !== 'string' || !/^[0-9a-f]{32}$/.test(kept.id)) {
    throw new StateDamagedError(path, 'no node id in it', 'restore it from a copy, or remove it to get a new id');
  }
  return kept.id;
}
