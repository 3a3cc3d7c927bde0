import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ConnectionOptions, TlsOptions } from 'node:tls';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { openSecurity } from '../../src/channel/open-security.js';
import { hasOpenssl, newIdentity, openssl } from '../support/identities.js';
import { newDirectory } from '../support/temp.js';
import { closeAll, socketPair } from './sockets.js';

/** TLS with options of the embedder's own. */

afterEach(closeAll);

const us = newIdentity();
const them = newIdentity();
const anyName = { checkServerIdentity: () => undefined };

async function outcome(client: ConnectionOptions, server: TlsOptions, host = '127.0.0.1'): Promise<string[]> {
  const [left, right] = await socketPair();
  const [dialling, accepting] = await Promise.all([openSecurity({ tls: client }), openSecurity({ tls: server })]);
  const results = await Promise.allSettled([
    dialling.client(left, { peer: 'the server', host }),
    accepting.server(right, { peer: 'the client' }),
  ]);
  return results.map((result) => (result.status === 'fulfilled' ? 'joined' : (result.reason as { code: string }).code));
}

const pair = ({ key, cert }: { key: string; cert: string }): { key: string; cert: string } => ({ key, cert });

describe('each end trusts the certificate of the other', () => {
  const client = { ...pair(us), ca: them.cert, ...anyName };
  const server = { ...pair(them), ca: us.cert };

  test('and they are joined', async () => {
    expect(await outcome(client, server)).toEqual(['joined', 'joined']);
  });

  test('and options that would let anybody in do not count', async () => {
    const lax = { rejectUnauthorized: false, requestCert: false, minVersion: 'TLSv1.2' } as const;
    const nobody = newIdentity();
    expect(await outcome({ ...client, ...lax }, { ...server, ...lax })).toEqual(['joined', 'joined']);
    expect(await outcome({ ...client, ...pair(nobody) }, { ...server, ...lax })).toEqual([
      'IDENTITY_NOT_ALLOWED',
      'IDENTITY_REFUSED',
    ]);
    const { key: _key, cert: _cert, ...bare } = client;
    expect(await outcome(bare, { ...server, ...lax })).toEqual(['IDENTITY_NOT_ALLOWED', 'TLS_FAILED']);
  });

  test('but a dialling end that does not trust the server refuses it, whatever it was told', async () => {
    const lax = { ...client, ca: us.cert, rejectUnauthorized: false };
    expect((await outcome(lax, server))[0]).toBe('IDENTITY_REFUSED');
  });

  test('but the name is not that of the host', async () => {
    const { checkServerIdentity: _check, ...strict } = client;
    expect((await outcome(strict, server, 'replica.example'))[0]).toBe('IDENTITY_REFUSED');
    expect((await outcome(strict, server, '127.0.0.1'))[0]).toBe('IDENTITY_REFUSED');
  });

  test('and a check of the embedder has the last word', async () => {
    const refusing = { ...client, checkServerIdentity: () => new Error('not that one') };
    expect((await outcome(refusing, server))[0]).toBe('IDENTITY_REFUSED');
  });
});

describe.skipIf(!hasOpenssl)('with an authority', () => {
  let authority: string;
  let issued: (name: string, san: string) => { key: string; cert: string };

  beforeAll(() => {
    const dir = mkdtempSync(join(newDirectory(), 'ca-'));
    const [caKey, caCert] = [join(dir, 'ca.key'), join(dir, 'ca.pem')];
    const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
    openssl(['req', '-x509', ...newKey, '-keyout', caKey, '-out', caCert, '-days', '2', '-subj', '/CN=test authority']);
    authority = readFileSync(caCert, 'utf8');
    issued = (name, san) => {
      const [key, request, cert, extensions] = ['key', 'csr', 'pem', 'ext'].map((end) =>
        join(dir, `${name}.${end}`),
      ) as [string, string, string, string];
      writeFileSync(extensions, `subjectAltName=${san}\n`);
      openssl(['req', ...newKey, '-keyout', key, '-out', request, '-subj', `/CN=${name}`]);
      const from = ['-CA', caCert, '-CAkey', caKey, '-CAcreateserial', '-days', '1', '-extfile', extensions];
      openssl(['x509', '-req', '-in', request, ...from, '-out', cert]);
      return { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') };
    };
  });

  test('hosts are known by name or address, and clients by the authority', async () => {
    const client = { ...issued('client', 'DNS:client.example'), ca: authority };
    const server = { ...issued('server', 'DNS:replica.example,IP:127.0.0.1'), ca: authority };
    expect(await outcome(client, server, 'replica.example')).toEqual(['joined', 'joined']);
    expect(await outcome(client, server, '127.0.0.1')).toEqual(['joined', 'joined']);
    expect((await outcome(client, server, 'other.example'))[0]).toBe('IDENTITY_REFUSED');
    expect(await outcome({ ...client, ...pair(us) }, server, 'replica.example')).toEqual([
      'IDENTITY_NOT_ALLOWED',
      'IDENTITY_REFUSED',
    ]);
  });
});
