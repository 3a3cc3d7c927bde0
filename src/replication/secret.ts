import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { KEY_BYTES } from '../engine/content-layout.js';
import { readJson, replaceFile } from '../engine/files.js';

/**
 * What cuts and digests of chunks depend on: 32 random bytes, made once and kept in the state directory. Whoever writes the
 * data but does not know them cannot make two contents look alike. A new secret costs the indexes that were made with the
 * old one, nothing else.
 */
export async function chunkSecret(dir: string): Promise<Buffer> {
  const path = join(dir, 'secret.json');
  const kept = (await readJson(path).catch(() => undefined))?.secret;
  if (typeof kept === 'string' && /^[0-9a-f]{64}$/.test(kept)) return Buffer.from(kept, 'hex');
  const secret = randomBytes(KEY_BYTES);
  await replaceFile(path, `${JSON.stringify({ version: 1, secret: secret.toString('hex') })}\n`, { mode: 0o600 });
  return secret;
}
