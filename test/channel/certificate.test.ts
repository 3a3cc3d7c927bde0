import { createHash, createPublicKey, generateKeyPairSync, type KeyObject, X509Certificate } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { fingerprint, makeCertificate } from '../../src/channel/certificate.js';
import { bitString, boolean, objectId, octetString, sequence, time, unsignedInteger } from '../../src/channel/der.js';
import { hasOpenssl, openssl } from '../support/identities.js';
import { newDirectory } from '../support/temp.js';

const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
const FROM = new Date('2026-01-02T03:04:05Z');
const TO = new Date('2036-01-02T03:04:05Z');

function made(key: KeyObject = privateKey, validFrom = FROM, validTo = TO, serial?: Uint8Array): X509Certificate {
  return new X509Certificate(
    makeCertificate({ privateKey: key, validFrom, validTo, ...(serial === undefined ? {} : { serial }) }),
  );
}

describe('DER', () => {
  test.each<[string, Buffer, string]>([
    ['zero', unsignedInteger(Buffer.of(0)), '020100'],
    ['no bytes at all', unsignedInteger(Buffer.of()), '020100'],
    ['a number', unsignedInteger(Buffer.of(0x7f)), '02017f'],
    ['one whose top bit is set', unsignedInteger(Buffer.of(0x80)), '02020080'],
    ['one with zeros in front', unsignedInteger(Buffer.of(0, 0, 1, 0)), '02020100'],
    ['an object id with large parts', objectId('1.2.840.10045.4.3.2'), '06082a8648ce3d040302'],
    ['a boolean', boolean(true), '0101ff'],
    ['a string of bits', bitString(Buffer.of(0x80), 7), '03020780'],
    ['an empty sequence', sequence(), '3000'],
    ['what takes 127 bytes', octetString(Buffer.alloc(127)).subarray(0, 3), '047f00'],
    ['what takes 128 bytes', octetString(Buffer.alloc(128)).subarray(0, 4), '04818000'],
    ['what takes 256 bytes', octetString(Buffer.alloc(256)).subarray(0, 5), '0482010000'],
  ])('%s', (_, bytes, hex) => {
    expect(bytes.toString('hex')).toBe(hex);
  });

  test.each([
    ['1950-01-01T00:00:00Z', 0x17, '500101000000Z'],
    ['1999-12-31T23:59:59.999Z', 0x17, '991231235959Z'],
    ['2049-12-31T23:59:59Z', 0x17, '491231235959Z'],
    ['2050-01-01T00:00:00Z', 0x18, '20500101000000Z'],
    ['9999-12-31T23:59:59Z', 0x18, '99991231235959Z'],
  ])('the time %s', (date, tag, text) => {
    expect(time(new Date(date))).toEqual(Buffer.from([tag, text.length, ...Buffer.from(text)]));
  });
});

describe('a certificate', () => {
  test('is signed by its own key, for that key, and says nothing but the id', () => {
    const certificate = made();
    const id = fingerprint(createPublicKey(privateKey));
    expect(certificate.verify(certificate.publicKey)).toBe(true);
    expect(certificate.checkPrivateKey(privateKey)).toBe(true);
    expect([certificate.subject, certificate.issuer]).toEqual([`CN=${id}`, `CN=${id}`]);
    expect(certificate.subjectAltName).toBeUndefined();
    expect(certificate.ca).toBe(false);
    expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2']);
  });

  test('has the id that SHA-256 over the key in DER gives', () => {
    const der = made().publicKey.export({ type: 'spki', format: 'der' });
    expect(fingerprint(made().publicKey)).toBe(createHash('sha256').update(der).digest('hex'));
    expect(fingerprint(made().publicKey)).toMatch(/^[0-9a-f]{64}$/);
  });

  test.each([
    ['both in this form', '2026-01-02T03:04:05Z', '2049-12-31T23:59:59Z'],
    ['one of each', '2049-12-31T23:59:59Z', '2050-01-01T00:00:00Z'],
    ['both in the other', '2050-01-01T00:00:00Z', '9999-12-31T23:59:59Z'],
  ])('keeps its times, %s', (_, from, to) => {
    const { validFrom, validTo } = made(privateKey, new Date(from), new Date(to));
    expect([new Date(validFrom), new Date(validTo)]).toEqual([new Date(from), new Date(to)]);
  });

  test.each([
    ['the smallest', '00000000000000000000000000000001', '01'],
    ['one with the top bit', 'ff000000000000000000000000000001', 'FF000000000000000000000000000001'],
  ])('keeps its serial number: %s', (_, hex, serial) => {
    expect(made(privateKey, FROM, TO, Buffer.from(hex, 'hex')).serialNumber).toBe(serial);
  });

  test('has another serial number each time', () => {
    const serials = new Set(Array.from({ length: 20 }, () => made().serialNumber));
    expect(serials.size).toBe(20);
    for (const serial of serials) expect(serial).toMatch(/^[4-7][0-9A-F]{31}$/);
  });

  test('can be read with any key, whatever the lengths of its numbers', () => {
    for (let round = 0; round < 50; round++) {
      const { privateKey: key } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
      expect(made(key).verify(createPublicKey(key))).toBe(true);
    }
  });

  test.skipIf(!hasOpenssl)('is what the openssl command takes for one', () => {
    const path = join(newDirectory(), 'certificate.pem');
    writeFileSync(path, makeCertificate({ privateKey, validFrom: FROM, validTo: new Date('2060-01-02T03:04:05Z') }));
    const text = openssl(['x509', '-in', path, '-noout', '-text']);
    expect(text).toMatch(/Version: 3 \(0x2\)/);
    expect(text).toMatch(/Signature Algorithm: ecdsa-with-SHA256/);
    expect(text).toMatch(/Not Before: Jan {2}2 03:04:05 2026 GMT/);
    expect(text).toMatch(/Not After : Jan {2}2 03:04:05 2060 GMT/);
    expect(text).toMatch(/Basic Constraints: critical\s+CA:FALSE/);
    expect(text).toMatch(/Key Usage: critical\s+Digital Signature\n/);
    const at = String(FROM.getTime() / 1000 + 1);
    const verified = openssl(['verify', '-x509_strict', '-attime', at, '-CAfile', path, path]);
    expect(verified).toContain('OK');
  });
});
