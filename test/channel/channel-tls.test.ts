import { afterEach, expect, test } from 'vitest';
import { FRAME_HEADER_BYTES } from '../../src/channel/frame.js';
import { FrameType } from '../../src/channel/messages.js';
import { openSecurity } from '../../src/channel/open-security.js';
import { ConnectionLostError } from '../../src/errors.js';
import { newIdentity } from '../support/identities.js';
import { type Side, type SideOptions, sideOf } from './channels.js';
import { closeAll, collect, socketPair, until } from './sockets.js';

/** What connections, and channels over them, promise holds over TLS too. */

afterEach(closeAll);

const MIB = 1024 * 1024;
const { batch, ack } = FrameType;
const us = newIdentity();
const them = newIdentity();

async function securedPair(ofRight: SideOptions = {}): Promise<[Side, Side]> {
  const [left, right] = await socketPair();
  const [client, server] = await Promise.all([
    openSecurity({ identity: us, allow: [them.id] }),
    openSecurity({ identity: them, allow: [us.id] }),
  ]);
  const [a, b] = await Promise.all([
    client.client(left, { peer: 'the server', host: '127.0.0.1' }),
    server.server(right, { peer: 'the client' }),
  ]);
  return [sideOf(collect(a.socket, a).connection), sideOf(collect(b.socket, b).connection, ofRight)];
}

test('messages cross both ways, and every byte of the wire is counted', async () => {
  const [left, right] = await securedPair();
  const sizes = [0, 1, 4000, 70_000, 3 * MIB];
  await Promise.all(sizes.map((size, index) => left.channel.send(batch, Buffer.alloc(size, index))));
  right.channel.sendControl(ack, Buffer.from('back'));
  await until(() => right.messages.length === sizes.length && left.messages.length === 1);
  expect(right.messages.map(({ body }) => body.byteLength)).toEqual(sizes);
  await Promise.all([left.channel.end(), right.channel.end()]);
  for (const [one, other] of [
    [left.channel, right.channel],
    [right.channel, left.channel],
  ] as const) {
    const { data, control } = one.framesBytes;
    expect(one.wire.bytesSent).toBe(other.wire.bytesReceived);
    expect(data.sent + control.sent + one.securityBytesSent).toBe(one.wire.bytesSent);
    expect(one.securityBytesSent).toBeGreaterThan(500);
  }
  const payload = sizes.reduce((sum, size) => sum + size + FRAME_HEADER_BYTES, 0);
  expect(left.channel.wire.bytesSent).toBeGreaterThan(payload);
  // Handshake, and 22 bytes for each record of 16 KiB or less.
  expect(left.channel.securityBytesSent).toBeLessThan(2000 + payload / 400);
});

test('an end waits for what is queued, and for the other side', async () => {
  const [left, right] = await securedPair();
  void left.channel.send(batch, Buffer.alloc(8 * MIB));
  void right.channel.send(batch, Buffer.alloc(5 * MIB));
  const ended = await Promise.all([left.channel.end(), left.channel.closed, right.channel.closed]);
  expect(ended).toEqual([undefined, undefined, undefined]);
  expect(right.messages.map(({ body }) => body.byteLength)).toEqual([8 * MIB]);
  expect(left.messages.map(({ body }) => body.byteLength)).toEqual([5 * MIB]);
});

test('a side that has ended still hears what the other has to say', async () => {
  const [left, right] = await securedPair();
  const ending = left.channel.end();
  for (let i = 0; i < 5; i++) void right.channel.send(batch, Buffer.alloc(MIB, i));
  await ending;
  expect(await right.channel.closed).toBeUndefined();
  expect(left.messages).toHaveLength(5);
});

test('destroy ends both sides at once, with the reason on this one', async () => {
  const [left, right] = await securedPair();
  const reason = new ConnectionLostError('x', 'enough');
  void left.channel.send(batch, Buffer.alloc(16 * MIB));
  left.channel.destroy(reason);
  expect(await left.channel.closed).toBe(reason);
  expect(await right.channel.closed).toBeInstanceOf(ConnectionLostError);
  const { bytesSent, bytesReceived } = left.channel.wire;
  expect([bytesSent, bytesReceived]).toEqual([left.channel.wire.bytesSent, left.channel.wire.bytesReceived]);
});

test('a receiver that is busy holds the sender back', async () => {
  let release = (): void => {};
  const busy = new Promise<void>((resolve) => {
    release = resolve;
  });
  let handled = 0;
  const [left] = await securedPair({ onMessage: () => (handled++ === 0 ? busy : undefined) });
  let sent = 0;
  for (let i = 0; i < 64; i++) void left.channel.send(batch, Buffer.alloc(MIB)).then(() => sent++);
  await until(() => left.channel.backlog.isHeldBack);
  expect(handled).toBe(1);
  expect(sent).toBeLessThan(40);
  release();
  await until(() => handled === 64);
  expect(sent).toBe(64);
});

test('a line that is cut is lost, whatever TLS was about to say', async () => {
  const [left, right] = await securedPair();
  const closed = Promise.all([left.channel.closed, right.channel.closed]);
  closeAll();
  for (const problem of await closed) expect(problem).toBeInstanceOf(ConnectionLostError);
});
