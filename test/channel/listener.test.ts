import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { Listener } from '../../src/channel/listener.js';
import { AddressInUseError, InvalidArgumentError } from '../../src/errors.js';
import { closeAll, until } from './sockets.js';

const listeners: Listener[] = [];

async function listen(onSocket: (socket: Socket) => void, options: { port?: number; connectionsMax?: number } = {}) {
  const listener = await Listener.open({ host: '127.0.0.1', port: 0, ...options }, ({ socket }) => onSocket(socket));
  listeners.push(listener);
  return listener;
}

function connectTo({ port }: Listener): Socket {
  return connect({ host: '127.0.0.1', port }).on('error', () => {});
}

afterEach(async () => {
  for (const listener of listeners.splice(0)) await listener.close();
  closeAll();
});

test('hands each socket to its owner', async () => {
  const accepted: Socket[] = [];
  const listener = await listen((socket) => accepted.push(socket));
  expect(listener.port).toBeGreaterThan(0);
  connectTo(listener).write('hello');
  await until(() => accepted.length === 1);
  expect(String((await once(accepted[0] as Socket, 'data'))[0])).toBe('hello');
});

test('an address that is taken is an error of its own', async () => {
  const { port } = await listen(() => {});
  await expect(listen(() => {}, { port })).rejects.toBeInstanceOf(AddressInUseError);
});

test('an address of another machine is refused', async () => {
  const open = Listener.open({ host: '192.0.2.1', port: 0 }, () => {});
  await expect(open).rejects.toBeInstanceOf(InvalidArgumentError);
});

test('sockets over the limit are closed, and a place that becomes free is given again', async () => {
  const accepted: Socket[] = [];
  const listener = await listen((socket) => accepted.push(socket), { connectionsMax: 2 });
  connectTo(listener);
  connectTo(listener);
  await until(() => accepted.length === 2);
  await once(connectTo(listener).resume(), 'close');
  expect(accepted).toHaveLength(2);
  accepted[0]?.destroy();
  await until(() => listener.connections === 1);
  connectTo(listener);
  await until(() => accepted.length === 3);
});

test('a socket that fails before its owner listens does no harm', async () => {
  const accepted: Socket[] = [];
  const listener = await listen((socket) => accepted.push(socket));
  const client = connectTo(listener);
  await until(() => accepted.length === 1);
  client.resetAndDestroy();
  accepted[0]?.resume();
  await until(() => listener.connections === 0);
});

test('close ends what is left and frees the port', async () => {
  const accepted: Socket[] = [];
  const listener = await listen((socket) => accepted.push(socket));
  const client = connectTo(listener).resume();
  await until(() => accepted.length === 1);
  await Promise.all([listener.close(), once(client, 'close')]);
  await listener.close();
  expect(accepted[0]?.destroyed).toBe(true);
  await listen(() => {}, { port: listener.port });
});
