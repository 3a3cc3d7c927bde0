import { createHash, createPublicKey, type KeyObject, randomBytes, sign } from 'node:crypto';
import {
  bitString,
  boolean,
  explicit,
  objectId,
  octetString,
  sequence,
  set,
  time,
  unsignedInteger,
  utf8String,
} from './der.js';

/**
 * The certificate of a node: X.509 version 3 (RFC 5280), ECDSA on P-256 with SHA-256, signed by its own key. It is there
 * because TLS shows keys in certificates; what counts is the key. Subject and issuer are the node's id, so that a stranger
 * who is shown it learns the key and when it was made, and no name.
 */

const ECDSA_WITH_SHA256 = sequence(objectId('1.2.840.10045.4.3.2'));
const COMMON_NAME = '2.5.4.3';
const BASIC_CONSTRAINTS = '2.5.29.19';
const KEY_USAGE = '2.5.29.15';
const EXTENDED_KEY_USAGE = '2.5.29.37';
const SERVER_AUTHENTICATION = '1.3.6.1.5.5.7.3.1';
const CLIENT_AUTHENTICATION = '1.3.6.1.5.5.7.3.2';

const VERSION_3 = 2;
/** RFC 5280 allows 20; the first bit is cleared to keep it positive. */
const SERIAL_BYTES = 16;
const DIGITAL_SIGNATURE = Buffer.of(0x80);
const DIGITAL_SIGNATURE_UNUSED_BITS = 7;

/** The id of a node: SHA-256 over its public key (the DER of SubjectPublicKeyInfo), as 64 hexadecimal digits. */
export function fingerprint(publicKey: KeyObject): string {
  return createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex');
}

export interface CertificateOptions {
  privateKey: KeyObject;
  validFrom: Date;
  validTo: Date;
  /** 16 bytes, for tests; otherwise random. */
  serial?: Uint8Array;
}

/** Makes the certificate for a key and signs it with the same; PEM. */
export function makeCertificate({ privateKey, validFrom, validTo, serial }: CertificateOptions): string {
  const publicKey = createPublicKey(privateKey);
  const name = sequence(set(sequence(objectId(COMMON_NAME), utf8String(fingerprint(publicKey)))));
  const body = sequence(
    explicit(0, unsignedInteger(Buffer.of(VERSION_3))),
    unsignedInteger(serial ?? randomSerial()),
    ECDSA_WITH_SHA256,
    name,
    sequence(time(validFrom), time(validTo)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    explicit(3, extensions()),
  );
  const signature = sign('sha256', body, { key: privateKey, dsaEncoding: 'der' });
  return pem(sequence(body, ECDSA_WITH_SHA256, bitString(signature)));
}

function extensions(): Buffer {
  const usage = bitString(DIGITAL_SIGNATURE, DIGITAL_SIGNATURE_UNUSED_BITS);
  const purposes = sequence(objectId(SERVER_AUTHENTICATION), objectId(CLIENT_AUTHENTICATION));
  return sequence(
    // No authority: it vouches for nobody else.
    sequence(objectId(BASIC_CONSTRAINTS), boolean(true), octetString(sequence())),
    sequence(objectId(KEY_USAGE), boolean(true), octetString(usage)),
    sequence(objectId(EXTENDED_KEY_USAGE), octetString(purposes)),
  );
}

function randomSerial(): Buffer {
  const serial = randomBytes(SERIAL_BYTES);
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40;
  return serial;
}

function pem(der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n');
}
