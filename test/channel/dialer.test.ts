import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import type { Path } from '../../src/channel/bundle.js';
import { Dialer } from '../../src/channel/dialer.js';
import { plainSecurity } from '../../src/channel/security.js';
import { Shaper } from '../../src/channel/shaper.js';
import { AbortedError, ClosedError, PeerUnreachableError } from '../../src/errors.js';
import { closeAll } from './sockets.js';

const servers = new Map<Server, Socket[]>();

afterEach(async () => {
  closeAll();
  for (const [server, sockets] of servers) {
    for (const socket of sockets) socket.destroy();
    await new Promise((closed) => server.close(closed));
  }
  servers.clear();
});

/** Somebody who listens, and those who came. */
async function listening(): Promise<{ port: number; sockets: Socket[] }> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => void sockets.push(socket)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  servers.set(server, sockets);
  return { port: (server.address() as AddressInfo).port, sockets };
}

function dialer(paths: readonly Path[]): Dialer {
  return new Dialer({
    peer: 'the peer',
    paths,
    security: plainSecurity,
    allow: undefined,
    shaper: new Shaper(),
    congestionControl: 'system',
    heartbeatMs: 2000,
    peerTimeoutMs: 15_000,
  });
}

const host = '127.0.0.1';
const NOBODY: Path = { host, port: 9 };
const never = new AbortController().signal;
const done = new ClosedError('the test');

test('the first path that can be had leads to the peer', async () => {
  const { port } = await listening();
  const { connection, role } = await dialer([NOBODY, { host, port }]).openAny(200, never);
  expect([role, connection.peer]).toEqual([{ path: 1, spare: false }, 'the peer']);
  connection.destroy(done);
});

test('a spare path comes after all others, and says that it is spare', async () => {
  const [main, spare] = [await listening(), await listening()];
  const paths = [
    { host, port: spare.port, spare: true },
    { host, port: main.port },
  ];
  const first = await dialer(paths).openAny(1000, never);
  expect(first.role).toEqual({ path: 1, spare: false });
  const second = await dialer([paths[0] as Path, NOBODY]).openAny(200, never);
  expect(second.role).toEqual({ path: 0, spare: true });
  first.connection.destroy(done);
  second.connection.destroy(done);
});

test('a path goes out from its own address', async () => {
  const { port, sockets } = await listening();
  const connection = await dialer([]).open({ host, port, localAddress: '127.0.0.3' }, 1000, never);
  while (sockets.length === 0) await new Promise((turn) => setImmediate(turn));
  expect(sockets[0]?.remoteAddress).toBe('127.0.0.3');
  connection.destroy(done);
});

test('when no path can be had, the last problem says so', async () => {
  const dialling = dialer([NOBODY, { host, port: 10 }]).openAny(100, never);
  await expect(dialling).rejects.toThrow(PeerUnreachableError);
  await expect(dialling).rejects.toMatchObject({ host, port: 10 });
});

test('a caller that gives up hears at once, and no further path is tried', async () => {
  const { port, sockets } = await listening();
  const abort = new AbortController();
  const dialling = dialer([NOBODY, { host, port }]).openAny(10_000, abort.signal);
  abort.abort();
  await expect(dialling).rejects.toThrow(AbortedError);
  expect(sockets).toEqual([]);
});
