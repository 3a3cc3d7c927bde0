import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, X509Certificate } from 'node:crypto';
import { mkdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { createFile, isErrno, replaceFile, storageError } from '../engine/files.js';
import { IdentityExistsError, IdentityExpiredError, IdentityInvalidError } from '../errors.js';
import { directoryOption, integerOption } from '../options.js';
import { fingerprint, makeCertificate } from './certificate.js';

/**
 * Who a node is: a key, whose fingerprint is the node's id, and a certificate that shows it in TLS. Both lie in one
 * directory as PEM. The key is made once; a certificate may be made anew for it at any time, and the id stays.
 */

export const KEY_FILE = 'key.pem';
export const CERTIFICATE_FILE = 'certificate.pem';
export const CERTIFICATE_DAYS = { min: 1, max: 36_500, default: 3650 };

const DAY_MS = 86_400_000;
/** A certificate is valid from this much before it is made, for peers whose clocks are behind. */
const BACKDATED_MS = DAY_MS;
const DIRECTORY_MODE = 0o700;
const KEY_MODE = 0o600;
const CERTIFICATE_MODE = 0o644;
const OTHERS_MASK = 0o077;
const CURVE = 'prime256v1';

export interface CreateIdentityOptions {
  /** Where key and certificate go; made when missing, for its owner alone. */
  dir: string;
  /** How long the certificate is valid, in days, 1 to 36,500 (default 3,650). */
  days?: number;
  /** Makes a new certificate for the key that is there; the id stays (default false). */
  renew?: boolean;
}

/** What anybody may know of an identity. */
export interface IdentityInfo {
  /** The node's id: SHA-256 of its public key, 64 hexadecimal digits. */
  id: string;
  /** The certificate's time. */
  validFrom: Date;
  validTo: Date;
}

/** What TLS takes, as PEM. */
export interface IdentityPair {
  key: string | Buffer;
  cert: string | Buffer;
}

/** An identity that was read and checked. */
export interface Identity extends IdentityInfo {
  key: string;
  cert: string;
}

/**
 * Makes a key and a certificate for it, or with `renew` a certificate for the key that is there.
 *
 * Errors: INVALID_ARGUMENT, IDENTITY_EXISTS (a key is there), IDENTITY_INVALID (`renew` without a usable key),
 * STORAGE_FAILED, DISK_FULL.
 */
export async function createIdentity(options: CreateIdentityOptions): Promise<IdentityInfo> {
  const dir = directoryOption('dir', options.dir);
  const days = integerOption('days', options.days, CERTIFICATE_DAYS);
  const privateKey = options.renew === true ? await readKey(dir) : await makeKey(dir);
  const now = Date.now();
  const validTo = new Date(now + days * DAY_MS);
  const cert = makeCertificate({ privateKey, validFrom: new Date(now - BACKDATED_MS), validTo });
  await replaceFile(join(dir, CERTIFICATE_FILE), cert, { mode: CERTIFICATE_MODE });
  return publicPart(described(dir, privateKey, new X509Certificate(cert)));
}

/**
 * The id of the identity in a directory, and its certificate's time, expired or not.
 *
 * Errors: INVALID_ARGUMENT, IDENTITY_INVALID, STORAGE_FAILED.
 */
export async function identityOf(dir: string): Promise<IdentityInfo> {
  return publicPart(await readIdentity(dir));
}

function publicPart({ id, validFrom, validTo }: Identity): IdentityInfo {
  return { id, validFrom, validTo };
}

/** Reads an identity to use it: one whose own certificate is not valid at `now` would be refused by every peer. */
export async function openIdentity(from: string | IdentityPair, now: number = Date.now()): Promise<Identity> {
  const identity = typeof from === 'string' ? await readIdentity(from) : givenIdentity(from);
  requireValid(identity, now, true);
  return identity;
}

/** Throws IDENTITY_EXPIRED unless the certificate is valid at `now`; a time that cannot be read is not valid. */
export function requireValid({ id, validFrom, validTo }: IdentityInfo, now: number, own: boolean): void {
  if (validFrom.getTime() <= now && now <= validTo.getTime()) return;
  throw new IdentityExpiredError(id, said(validFrom), said(validTo), own);
}

const said = (date: Date): string => (Number.isNaN(date.getTime()) ? 'an unreadable time' : date.toISOString());

/** The time of a certificate; Node 20 tells it as text alone. */
export function validity(certificate: X509Certificate): { validFrom: Date; validTo: Date } {
  return { validFrom: new Date(certificate.validFrom), validTo: new Date(certificate.validTo) };
}

async function makeKey(dir: string): Promise<KeyObject> {
  await mkdir(dir, { recursive: true, mode: DIRECTORY_MODE }).catch((error: unknown) => {
    throw storageError('creating', dir, error);
  });
  const path = join(dir, KEY_FILE);
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: CURVE });
  const made = await createFile(path, privateKey.export({ type: 'pkcs8', format: 'pem' }), KEY_MODE);
  if (!made) throw new IdentityExistsError(path);
  return privateKey;
}

async function readIdentity(dir: string): Promise<Identity> {
  directoryOption('identity', dir);
  const privateKey = await readKey(dir);
  const path = join(dir, CERTIFICATE_FILE);
  const cert = await read(path, 'make it with `longhaul keygen --out DIR --renew`');
  return described(dir, privateKey, parseCertificate(path, cert));
}

function givenIdentity({ key, cert }: IdentityPair): Identity {
  const privateKey = parseKey('identity.key', key);
  return described('identity', privateKey, parseCertificate('identity.cert', cert));
}

/** Checks that the two belong together. */
function described(where: string, privateKey: KeyObject, certificate: X509Certificate): Identity {
  const remedy = 'make a certificate for the key with `longhaul keygen --out DIR --renew`';
  if (!certificate.checkPrivateKey(privateKey)) {
    throw new IdentityInvalidError(where, 'key and certificate do not belong together', remedy);
  }
  if (!certificate.verify(certificate.publicKey)) {
    throw new IdentityInvalidError(where, 'the certificate is not signed by its own key', remedy);
  }
  return {
    id: fingerprint(createPublicKey(privateKey)),
    ...validity(certificate),
    key: String(privateKey.export({ type: 'pkcs8', format: 'pem' })),
    cert: certificate.toString(),
  };
}

/** As ssh does: a key that others can read is no secret any more, and is not used as one. */
async function readKey(dir: string): Promise<KeyObject> {
  const path = join(dir, KEY_FILE);
  const text = await read(path, 'make one with `longhaul keygen --out DIR`');
  const { mode } = await stat(path).catch((error: unknown) => {
    throw storageError('reading', path, error);
  });
  if (process.platform !== 'win32' && (mode & OTHERS_MASK) !== 0) {
    const found = `others may use this key (mode ${(mode & 0o777).toString(8)})`;
    throw new IdentityInvalidError(path, found, 'chmod 600 it, or make a new one if somebody may have read it');
  }
  return parseKey(path, text);
}

async function read(path: string, remedy: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) throw new IdentityInvalidError(path, 'no such file', remedy, error);
    throw storageError('reading', path, error);
  }
}

function parseKey(path: string, text: string | Buffer): KeyObject {
  const remedy = 'give a key made by `longhaul keygen`, or a PEM of the same kind without a passphrase';
  let key: KeyObject;
  try {
    key = createPrivateKey(text);
  } catch (error) {
    throw new IdentityInvalidError(path, 'not a private key in PEM', remedy, error);
  }
  if (key.asymmetricKeyType !== 'ec' || key.asymmetricKeyDetails?.namedCurve !== CURVE) {
    const curve = key.asymmetricKeyDetails?.namedCurve;
    const found = `a key of type ${key.asymmetricKeyType}${curve === undefined ? '' : ` on ${curve}`}`;
    throw new IdentityInvalidError(path, `${found}, not ECDSA on P-256`, remedy);
  }
  return key;
}

function parseCertificate(path: string, text: string | Buffer): X509Certificate {
  try {
    return new X509Certificate(text);
  } catch (error) {
    const remedy = 'make a new one with `longhaul keygen --out DIR --renew`';
    throw new IdentityInvalidError(path, 'not a certificate in PEM', remedy, error);
  }
}
