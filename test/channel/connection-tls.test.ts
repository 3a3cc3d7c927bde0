import { afterEach, expect, test } from 'vitest';
import { FRAME_HEADER_BYTES } from '../../src/channel/frame.js';
import { openSecurity } from '../../src/channel/open-security.js';
import { ConnectionLostError } from '../../src/errors.js';
import { newIdentity } from '../support/identities.js';
import { closeAll, collect, type End, socketPair, until } from './sockets.js';

/** What connections promise holds over TLS too. */

afterEach(closeAll);

const MIB = 1024 * 1024;
const DATA = 8;
const us = newIdentity();
const them = newIdentity();

async function securedPair(): Promise<[End, End]> {
  const [left, right] = await socketPair();
  const [client, server] = await Promise.all([
    openSecurity({ identity: us, allow: [them.id] }),
    openSecurity({ identity: them, allow: [us.id] }),
  ]);
  const [a, b] = await Promise.all([
    client.client(left, { peer: 'the server', host: '127.0.0.1' }),
    server.server(right, { peer: 'the client' }),
  ]);
  return [collect(a.socket, a), collect(b.socket, b)];
}

test('frames cross both ways, and every byte of the wire is counted', async () => {
  const [left, right] = await securedPair();
  const sizes = [0, 1, 4000, 70_000, 3 * MIB];
  await Promise.all(sizes.map((size, index) => left.connection.send(DATA, Buffer.alloc(size, index))));
  right.connection.sendControl(DATA + 1, Buffer.from('back'));
  await until(() => right.frames.length === sizes.length && left.frames.length === 1);
  expect(right.frames.map(({ body }) => body.byteLength)).toEqual(sizes);
  await Promise.all([left.connection.end(), right.connection.end()]);
  for (const [one, other] of [
    [left.connection, right.connection],
    [right.connection, left.connection],
  ] as const) {
    const { data, control } = one.framesBytes;
    expect(one.wire.bytesSent).toBe(other.wire.bytesReceived);
    expect(data.sent + control.sent + one.securityBytesSent).toBe(one.wire.bytesSent);
    expect(one.securityBytesSent).toBeGreaterThan(500);
  }
  const payload = sizes.reduce((sum, size) => sum + size + FRAME_HEADER_BYTES, 0);
  expect(left.connection.wire.bytesSent).toBeGreaterThan(payload);
  // Handshake, and 22 bytes for each record of 16 KiB or less.
  expect(left.connection.securityBytesSent).toBeLessThan(2000 + payload / 400);
});

test('an end waits for what is queued, and for the other side', async () => {
  const [left, right] = await securedPair();
  void left.connection.send(DATA, Buffer.alloc(8 * MIB));
  void right.connection.send(DATA, Buffer.alloc(5 * MIB));
  const ended = await Promise.all([left.connection.end(), left.connection.closed, right.connection.closed]);
  expect(ended).toEqual([undefined, undefined, undefined]);
  expect(right.frames.map(({ bodyLength }) => bodyLength)).toEqual([8 * MIB]);
  expect(left.frames.map(({ bodyLength }) => bodyLength)).toEqual([5 * MIB]);
});

test('a side that has ended still hears what the other has to say', async () => {
  const [left, right] = await securedPair();
  const ending = left.connection.end();
  for (let i = 0; i < 5; i++) void right.connection.send(DATA, Buffer.alloc(MIB, i));
  await ending;
  expect(await right.connection.closed).toBeUndefined();
  expect(left.frames.length).toBe(right.connection.framesBytes.data.sent / (MIB + FRAME_HEADER_BYTES));
});

test('destroy ends both sides at once, with the reason on this one', async () => {
  const [left, right] = await securedPair();
  const reason = new ConnectionLostError('x', 'enough');
  void left.connection.send(DATA, Buffer.alloc(16 * MIB));
  left.connection.destroy(reason);
  expect(await left.connection.closed).toBe(reason);
  expect(await right.connection.closed).toBeInstanceOf(ConnectionLostError);
  const { bytesSent, bytesReceived } = left.connection.wire;
  expect([bytesSent, bytesReceived]).toEqual([left.connection.wire.bytesSent, left.connection.wire.bytesReceived]);
});

test('a receiver that is busy holds the sender back', async () => {
  const [left, right] = await socketPair();
  const [client, server] = await Promise.all([
    openSecurity({ identity: us, allow: [them.id] }),
    openSecurity({ identity: them, allow: [us.id] }),
  ]);
  const [a, b] = await Promise.all([
    client.client(left, { peer: 'the server', host: '127.0.0.1' }),
    server.server(right, { peer: 'the client' }),
  ]);
  let release = (): void => {};
  const busy = new Promise<void>((resolve) => {
    release = resolve;
  });
  let handled = 0;
  const sender = collect(a.socket, a);
  collect(b.socket, { ...b, onFrame: () => (handled++ === 0 ? busy : undefined) });
  let sent = 0;
  for (let i = 0; i < 64; i++) void sender.connection.send(DATA, Buffer.alloc(MIB)).then(() => sent++);
  await until(() => handled === 1 && sent > 0);
  const held = sent;
  expect(held).toBeLessThan(40);
  release();
  await until(() => handled === 64);
  expect(sent).toBe(64);
});

test('a line that is cut is lost, whatever TLS was about to say', async () => {
  const [left, right] = await securedPair();
  const closed = Promise.all([left.connection.closed, right.connection.closed]);
  closeAll();
  for (const problem of await closed) expect(problem).toBeInstanceOf(ConnectionLostError);
});
