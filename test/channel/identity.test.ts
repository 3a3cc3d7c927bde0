import { generateKeyPairSync } from 'node:crypto';
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openIdentity } from '../../src/channel/identity.js';
import { createIdentity, identityOf } from '../../src/index.js';
import { identityFiles, newIdentity } from '../support/identities.js';
import { newDirectory } from '../support/temp.js';

const DAY_MS = 86_400_000;
const at = (): string => join(newDirectory(), 'deep', 'identity');
const modeOf = (path: string): string => (statSync(path).mode & 0o777).toString(8);

describe('making an identity', () => {
  test('leaves a key for its owner alone, and a certificate', async () => {
    const dir = at();
    const { id, validFrom, validTo } = await createIdentity({ dir });
    expect(id).toMatch(/^[0-9a-f]{64}$/);
    expect(readdirSync(dir).sort()).toEqual(['certificate.pem', 'key.pem']);
    expect([modeOf(dir), modeOf(join(dir, 'key.pem')), modeOf(join(dir, 'certificate.pem'))]).toEqual([
      '700',
      '600',
      '644',
    ]);
    expect(validFrom.getTime()).toBeLessThan(Date.now() - DAY_MS / 2);
    expect(Math.round((validTo.getTime() - Date.now()) / DAY_MS)).toBe(3650);
    expect(await identityOf(dir)).toEqual({ id, validFrom, validTo });
    expect(await openIdentity(dir)).toMatchObject({ id });
  });

  test('leaves one that is there as it is', async () => {
    const dir = at();
    const { id } = await createIdentity({ dir });
    const before = readFileSync(join(dir, 'key.pem'), 'utf8');
    await expect(createIdentity({ dir })).rejects.toMatchObject({ code: 'IDENTITY_EXISTS' });
    expect(readFileSync(join(dir, 'key.pem'), 'utf8')).toBe(before);
    expect(await identityOf(dir)).toMatchObject({ id });
  });

  test('of several at the same time makes one', async () => {
    const dir = at();
    const ends = await Promise.allSettled([1, 2, 3, 4].map(() => createIdentity({ dir })));
    const made = ends.flatMap((end) => (end.status === 'fulfilled' ? [end.value] : []));
    expect(made).toEqual([await identityOf(dir)]);
    expect(readdirSync(dir).sort()).toEqual(['certificate.pem', 'key.pem']);
  });

  test('with renew, makes a new certificate for the same key', async () => {
    const dir = identityFiles(newIdentity({ days: -5 }));
    const before = await identityOf(dir);
    await expect(openIdentity(dir)).rejects.toMatchObject({ code: 'IDENTITY_EXPIRED' });
    const after = await createIdentity({ dir, renew: true, days: 7 });
    expect(after.id).toBe(before.id);
    expect(Math.round((after.validTo.getTime() - Date.now()) / DAY_MS)).toBe(7);
    expect(await openIdentity(dir)).toMatchObject({ id: before.id });
  });

  test('with renew, mends one whose certificate was never made', async () => {
    const dir = identityFiles(newIdentity());
    rmSync(join(dir, 'certificate.pem'));
    await expect(identityOf(dir)).rejects.toMatchObject({
      code: 'IDENTITY_INVALID',
      message: expect.stringContaining('--renew'),
    });
    const { id } = await createIdentity({ dir, renew: true });
    expect(await identityOf(dir)).toMatchObject({ id });
  });

  test('with renew needs a key', async () => {
    await expect(createIdentity({ dir: at(), renew: true })).rejects.toMatchObject({ code: 'IDENTITY_INVALID' });
  });

  test.each([0, -1, 1.5, 36_501])('is not done for %s days', async (days) => {
    const dir = at();
    await expect(createIdentity({ dir, days })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    expect(existsSync(dir)).toBe(false);
  });

  test('for 36,500 days gives a certificate that reaches over 2050', async () => {
    const { validTo } = await createIdentity({ dir: at(), days: 36_500 });
    expect(validTo.getUTCFullYear()).toBeGreaterThan(2100);
  });
});

describe('an identity is refused', () => {
  const invalid = (found: string): object => ({ code: 'IDENTITY_INVALID', found: expect.stringContaining(found) });

  test('when others may use its key', async () => {
    const dir = identityFiles(newIdentity());
    for (const mode of [0o640, 0o604, 0o620]) {
      chmodSync(join(dir, 'key.pem'), mode);
      await expect(openIdentity(dir)).rejects.toMatchObject(invalid('others may use this key'));
    }
    chmodSync(join(dir, 'key.pem'), 0o400);
    await openIdentity(dir);
  });

  test.each<[string, string, string, string]>([
    ['a key that is none', 'key.pem', 'nothing', 'not a private key'],
    ['a certificate that is none', 'certificate.pem', 'nothing', 'not a certificate'],
    ['a certificate of another key', 'certificate.pem', newIdentity().cert, 'do not belong together'],
  ])('with %s', async (_, name, content, found) => {
    const dir = identityFiles(newIdentity());
    writeFileSync(join(dir, name), content);
    await expect(openIdentity(dir)).rejects.toMatchObject(invalid(found));
  });

  test('when it is not there', async () => {
    await expect(openIdentity(at())).rejects.toMatchObject({
      ...invalid('no such file'),
      message: expect.stringContaining('longhaul keygen'),
    });
  });

  test.each([
    ['RSA', () => generateKeyPairSync('rsa', { modulusLength: 2048 }), 'rsa'],
    ['another curve', () => generateKeyPairSync('ec', { namedCurve: 'secp384r1' }), 'secp384r1'],
    ['Ed25519', () => generateKeyPairSync('ed25519'), 'ed25519'],
  ])('with a key of another kind: %s', async (_, make, found) => {
    const { cert } = newIdentity();
    const key = String(make().privateKey.export({ type: 'pkcs8', format: 'pem' }));
    await expect(openIdentity({ key, cert })).rejects.toMatchObject(invalid(found));
  });

  test('with a key under a passphrase', async () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
    const locked = { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' } as const;
    const key = String(privateKey.export(locked));
    await expect(openIdentity({ key, cert: newIdentity().cert })).rejects.toMatchObject(invalid('not a private key'));
  });

  test('before and after its time, and a second around it', async () => {
    const identity = newIdentity({ days: 1 });
    const { validFrom, validTo } = await openIdentity(identity);
    const expired = {
      code: 'IDENTITY_EXPIRED',
      own: true,
      message: expect.stringContaining('keygen --out DIR --renew'),
    };
    await openIdentity(identity, validFrom.getTime());
    await openIdentity(identity, validTo.getTime());
    await expect(openIdentity(identity, validFrom.getTime() - 1)).rejects.toMatchObject(expired);
    await expect(openIdentity(identity, validTo.getTime() + 1)).rejects.toMatchObject(expired);
  });
});
