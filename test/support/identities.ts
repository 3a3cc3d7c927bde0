import { spawnSync } from 'node:child_process';
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fingerprint, makeCertificate } from '../../src/channel/certificate.js';
import { CERTIFICATE_FILE, KEY_FILE } from '../../src/channel/identity.js';
import { newDirectory } from './temp.js';

/** Identities for tests, with certificates for any time. */

const DAY_MS = 86_400_000;

export interface TestIdentity {
  id: string;
  key: string;
  cert: string;
}

/** Valid from a day ago for so many days more; with fewer than 0 it has expired. */
export function newIdentity({ days = 10 }: { days?: number } = {}): TestIdentity {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const now = Date.now();
  const validFrom = new Date(Math.min(now, now + days * DAY_MS) - DAY_MS);
  const cert = makeCertificate({ privateKey, validFrom, validTo: new Date(now + days * DAY_MS) });
  const key = String(privateKey.export({ type: 'pkcs8', format: 'pem' }));
  return { id: fingerprint(createPublicKey(privateKey)), key, cert };
}

/** As files, in a directory that goes with the test. */
export function identityFiles({ key, cert }: TestIdentity, dir: string = join(newDirectory(), 'identity')): string {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  writeFileSync(join(dir, KEY_FILE), key, { mode: 0o600 });
  writeFileSync(join(dir, CERTIFICATE_FILE), cert);
  return dir;
}

export const hasOpenssl = spawnSync('openssl', ['version']).status === 0;

/** Runs the `openssl` command; fails with what it said. */
export function openssl(args: string[], input?: string): string {
  const { status, stdout, stderr } = spawnSync('openssl', args, { input, encoding: 'utf8' });
  if (status !== 0) throw new Error(`openssl ${args.join(' ')}: ${stderr}`);
  return stdout;
}
