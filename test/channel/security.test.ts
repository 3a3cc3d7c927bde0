import { once } from 'node:events';
import { connect as connectPlain, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { afterEach, describe, expect, test } from 'vitest';
import { IdentitySecurity } from '../../src/channel/identity-security.js';
import { openSecurity } from '../../src/channel/open-security.js';
import type { ClientTerms, SecuredSocket, Security, ServerTerms } from '../../src/channel/security.js';
import { newIdentity } from '../support/identities.js';
import { FakeClock } from './fake-clock.js';
import { closeAll, socketPair } from './sockets.js';

afterEach(closeAll);

const us = newIdentity();
const them = newIdentity();
const stranger = newIdentity();

interface Met {
  client: PromiseSettledResult<SecuredSocket>;
  server: PromiseSettledResult<SecuredSocket>;
  raw: [Socket, Socket];
}

async function meet(
  client: Security,
  server: Security,
  clientTerms: Partial<ClientTerms> = {},
  serverTerms: Partial<ServerTerms> = {},
): Promise<Met> {
  const raw = await socketPair();
  const [left, right] = await Promise.allSettled([
    client.client(raw[0], { peer: 'the server', host: '127.0.0.1', ...clientTerms }),
    server.server(raw[1], { peer: 'the client', ...serverTerms }),
  ]);
  return { client: left, server: right, raw };
}

function fulfilled<T>(result: PromiseSettledResult<T>): T {
  if (result.status === 'rejected') throw result.reason;
  return result.value;
}

const failed = (code: string, more: object = {}): object => ({
  status: 'rejected',
  reason: expect.objectContaining({ code, ...more }),
});

describe('two nodes that allow each other', () => {
  test('are joined by TLS 1.3 and know who the other is', async () => {
    const met = await meet(
      await openSecurity({ identity: us, allow: [them.id] }),
      await openSecurity({ identity: them, allow: [us.id] }),
    );
    const [client, server] = [fulfilled(met.client), fulfilled(met.server)];
    expect([client.peerId, server.peerId]).toEqual([them.id, us.id]);
    client.socket.write('there');
    expect(String((await once(server.socket, 'data'))[0])).toBe('there');
    server.socket.write('back');
    expect(String((await once(client.socket, 'data'))[0])).toBe('back');
  });

  test('find each byte of the wire in the counters of the sockets beneath', async () => {
    const met = await meet(
      await openSecurity({ identity: us, allow: [them.id] }),
      await openSecurity({ identity: them, allow: [us.id] }),
    );
    const [client, server] = [fulfilled(met.client), fulfilled(met.server)];
    const plain = 1_000_000;
    server.socket.resume();
    client.socket.end(Buffer.alloc(plain));
    await once(server.socket, 'end');
    server.socket.end();
    await Promise.all([once(client.socket.resume(), 'close'), once(server.socket, 'close')]);
    expect(client.wire.bytesWritten).toBeGreaterThan(plain + 1000);
    expect(client.wire.bytesWritten).toBe(server.wire.bytesRead);
    expect(server.wire.bytesWritten).toBe(client.wire.bytesRead);
  });

  test('may be named one by one, in capitals too', async () => {
    const client = await openSecurity({ identity: us, allow: [stranger.id] });
    const server = await openSecurity({ identity: them, allow: [stranger.id, us.id.toUpperCase()] });
    fulfilled((await meet(client, server, { allow: [them.id] })).client);
  });
});

describe('a dialling end', () => {
  test('refuses whoever proves another id, and names it', async () => {
    const met = await meet(
      await openSecurity({ identity: us, allow: [them.id] }),
      await openSecurity({ identity: stranger, allow: [us.id] }),
    );
    expect(met.client).toMatchObject(
      failed('IDENTITY_REFUSED', { presented: stranger.id, own: us.id, recoverable: false }),
    );
    expect(met.raw[0].destroyed).toBe(true);
  });

  test('hears that it is not allowed, and who would have to be', async () => {
    const met = await meet(
      await openSecurity({ identity: stranger, allow: [them.id] }),
      await openSecurity({ identity: them, allow: [us.id] }),
    );
    expect(met.client).toMatchObject(failed('IDENTITY_NOT_ALLOWED', { own: stranger.id, recoverable: false }));
    expect(met.server).toMatchObject(failed('IDENTITY_REFUSED', { presented: stranger.id, own: them.id }));
  });

  test('refuses an expired certificate of the right node', async () => {
    const old = newIdentity({ days: -1 });
    const server = await IdentitySecurity.open(old, [us.id], () => Date.now() - 1.5 * 86_400_000);
    const met = await meet(await openSecurity({ identity: us, allow: [old.id] }), server);
    expect(met.client).toMatchObject(failed('IDENTITY_EXPIRED', { id: old.id, own: false }));
  });

  test('whose own certificate has expired meanwhile says so and sends nothing', async () => {
    const now = { ms: Date.now() };
    const client = await IdentitySecurity.open(newIdentity({ days: 1 }), [them.id], () => now.ms);
    now.ms += 2 * 86_400_000;
    const [left, right] = await socketPair();
    await expect(client.client(left, { peer: 'them', host: '127.0.0.1' })).rejects.toMatchObject({
      code: 'IDENTITY_EXPIRED',
      own: true,
    });
    await once(right.resume(), 'end');
    expect(right.bytesRead).toBe(0);
  });

  test.each<[string, string, string]>([
    ['plain frames', 'LHF1 and what follows in plain text', 'TLS_FAILED'],
    ['nothing, and hangs up', '', 'CONNECTION_LOST'],
  ])('fails clearly at a server that answers with %s', async (_, answer, code) => {
    const [left, right] = await socketPair();
    right.resume().end(answer);
    const client = await openSecurity({ identity: us, allow: [them.id] });
    await expect(client.client(left, { peer: 'them', host: '127.0.0.1' })).rejects.toMatchObject({ code });
  });

  test('says nothing in the clear: neither who it is, nor whom it looks for', async () => {
    const [left, right] = await socketPair();
    const client = await openSecurity({ identity: us, allow: [them.id] });
    const dialled = client.client(left, { peer: 'replica', host: 'replica.example' }).catch((error: unknown) => error);
    const [greeting] = (await once(right, 'data')) as [Buffer];
    right.destroy();
    expect(greeting[0]).toBe(22);
    expect(greeting.toString('latin1')).not.toMatch(new RegExp(`replica|longhaul|localhost|${us.id}|${them.id}`, 'i'));
    expect(await dialled).toMatchObject({ code: 'CONNECTION_LOST', recoverable: true });
  });

  test('waits no longer than it may, and not at all once it is called off', async () => {
    const client = await openSecurity({ identity: us, allow: [them.id] });
    const clock = new FakeClock();
    const [left] = await socketPair();
    const waiting = client
      .client(left, { peer: 'them', host: '127.0.0.1', clock, timeoutMs: 500 })
      .catch((e: unknown) => e);
    await clock.advance(500);
    expect(await waiting).toMatchObject({ code: 'CONNECTION_LOST', recoverable: true });
    expect(clock.pendingTimers).toBe(0);
    const [again] = await socketPair();
    const stop = new AbortController();
    const aborted = client
      .client(again, { peer: 'them', host: '127.0.0.1', signal: stop.signal })
      .catch((e: unknown) => e);
    stop.abort();
    expect(await aborted).toMatchObject({ code: 'ABORTED' });
    expect(again.destroyed).toBe(true);
  });
});

/**
 * What a server of ours makes of a client that is not, and every byte that this gets: of the wire, or above the TLS that
 * it speaks.
 */
async function faced(
  behave: (socket: Socket) => Socket,
  { security, clock }: { security?: Security; clock?: FakeClock } = {},
): Promise<{ problem: unknown; got: Buffer }> {
  const [left, right] = await socketPair();
  const server = security ?? (await openSecurity({ identity: them, allow: [us.id] }));
  const verdict = server.server(right, { peer: 'a stranger', timeoutMs: 1000, ...(clock && { clock }) }).then(
    () => 'admitted',
    (error: unknown) => error,
  );
  const chunks: Buffer[] = [];
  const reading = behave(left).on('data', (chunk: Buffer) => chunks.push(chunk));
  const over = new Promise((resolve) => reading.on('error', resolve).once('end', resolve).once('close', resolve));
  await clock?.advance(1000);
  const problem = await verdict;
  await over;
  expect(right.destroyed).toBe(true);
  return { problem, got: Buffer.concat(chunks) };
}

function saying(words: string): (socket: Socket) => Socket {
  return (socket) => {
    socket.write(Buffer.from(words, 'latin1'));
    return socket;
  };
}

const speakingTls =
  (options: ConnectionOptions): ((socket: Socket) => Socket) =>
  (socket) =>
    connectTls({ socket, rejectUnauthorized: false, ...options });

describe('a stranger gets nothing but TLS', () => {
  const plain: [string, string, string][] = [
    ['frames in plain text', 'LHF1 and what follows in plain text', 'TLS_REQUIRED'],
    ['HTTP', 'GET / HTTP/1.1\r\nHost: x\r\n\r\n', 'TLS_REQUIRED'],
    ['a question to a proxy', 'CONNECT x:443 HTTP/1.1\r\n\r\n', 'TLS_REQUIRED'],
    ['what looks like TLS for five bytes', `\x16\x03\x01\x02\x00${'\x00'.repeat(512)}`, 'TLS_FAILED'],
  ];
  test.each(plain)('who speaks %s', async (_, words, code) => {
    const { problem, got } = await faced(saying(words));
    expect(problem).toMatchObject({ code });
    expectAlertsAlone(got);
  });

  test('who is silent', async () => {
    const { problem, got } = await faced((socket) => socket, { clock: new FakeClock() });
    expect(problem).toMatchObject({ code: 'TLS_FAILED', found: 'no TLS handshake within 1000 ms' });
    expect(got.byteLength).toBe(0);
  });

  test('who says a little and then waits', async () => {
    const { problem, got } = await faced(saying('LHF'), { clock: new FakeClock() });
    expect(problem).toMatchObject({ code: 'TLS_FAILED' });
    expect(got.byteLength).toBe(0);
  });

  test('who goes away at once', async () => {
    const { problem } = await faced((socket) => socket.end());
    expect(problem).toMatchObject({ code: 'CONNECTION_LOST' });
  });

  const guests: [string, ConnectionOptions, string][] = [
    ['without a certificate', {}, 'IDENTITY_REFUSED'],
    ['with one of its own', { key: stranger.key, cert: stranger.cert }, 'IDENTITY_REFUSED'],
    ['with an expired one of its own', newIdentity({ days: -1 }), 'IDENTITY_REFUSED'],
    ['with TLS 1.2', { key: us.key, cert: us.cert, maxVersion: 'TLSv1.2' }, 'TLS_FAILED'],
  ];
  test.each(guests)('who comes %s', async (_, options, code) => {
    const { problem, got } = await faced(speakingTls(options));
    expect(problem).toMatchObject({ code });
    expect(got.byteLength).toBe(0);
  });

  test('who has an allowed key in an expired certificate, and it is told why', async () => {
    const old = newIdentity({ days: -1 });
    const server = await openSecurity({ identity: them, allow: [old.id] });
    const { problem } = await faced(speakingTls(old), { security: server });
    expect(problem).toMatchObject({ code: 'IDENTITY_EXPIRED', id: old.id, own: false });
  });

  test('and an earlier session does not bring back the certificate that it began with', async () => {
    const server = await openSecurity({ identity: them, allow: [us.id] });
    const attempt = async (session?: Buffer): Promise<{ session: Buffer | undefined; reused: boolean }> => {
      const [left, right] = await socketPair();
      const taken = server.server(right, { peer: 'a client' });
      const tls = connectTls({
        socket: left,
        rejectUnauthorized: false,
        key: us.key,
        cert: us.cert,
        ...(session && { session }),
      });
      let kept: Buffer | undefined;
      tls.on('session', (ticket: Buffer) => {
        kept = ticket;
      });
      await once(tls, 'data');
      await taken;
      return { session: kept, reused: tls.isSessionReused() };
    };
    const { session } = await attempt();
    expect((await attempt(session)).reused).toBe(false);
  });
});

/** An alert is a record of type 21 with two bytes. */
function expectAlertsAlone(bytes: Buffer): void {
  expect(bytes.byteLength % 7).toBe(0);
  for (let at = 0; at < bytes.byteLength; at += 7) expect([bytes[at], bytes.readUInt16BE(at + 3)]).toEqual([21, 2]);
}

describe('options', () => {
  const id = us.id;
  test.each<[string, object]>([
    ['allow without an identity', { allow: [id] }],
    ['an empty allow', { identity: us, allow: [] }],
    ['an id that is too short', { identity: us, allow: [id.slice(1)] }],
    ['an id that is none', { identity: us, allow: ['g'.repeat(64)] }],
    ['allow as a single id', { identity: us, allow: id }],
    ['identity and tls', { identity: us, allow: [id], tls: {} }],
    ['an identity without a certificate', { identity: { key: us.key }, allow: [id] }],
    ['an empty path', { identity: '', allow: [id] }],
    ['tls that is none', { tls: true }],
    ['tls that ends before 1.3 begins', { tls: { secureProtocol: 'TLSv1_2_method' } }],
    ['tls by a shared secret', { tls: { pskCallback: () => null } }],
    ['tls with a key that is none', { tls: { key: 'x' } }],
  ])('refused: %s', async (_, options) => {
    await expect(openSecurity(options as never)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  test('nothing at all is plain', async () => {
    const security = await openSecurity({});
    expect(security).toMatchObject({ proves: false, nodeId: undefined });
    const socket = connectPlain(9, '127.0.0.1').on('error', () => {});
    expect(await security.client(socket, { peer: 'x', host: 'x' })).toEqual({
      socket,
      wire: socket,
      peerId: undefined,
    });
  });
});
