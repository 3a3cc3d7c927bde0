import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { encodeHello, FrameType } from '../../src/channel/messages.js';
import { openSecurity } from '../../src/channel/open-security.js';
import { createIdentity, type Receiver, type ReceiverOptions, type SenderOptions } from '../../src/index.js';
import { newIdentity, type TestIdentity } from '../support/identities.js';
import { collector, logged, openReceiver, openSender, peer, text } from '../support/nodes.js';
import { newDirectory } from '../support/temp.js';
import { eventsOf, nextEvent, until } from '../support/until.js';
import { Wire } from '../support/wire.js';

/** Senders and receivers that know each other by their keys. */

const us = newIdentity();
const them = newIdentity();
const stranger = newIdentity();

/** A receiver on an address of loopback, which is where a test may listen. */
function receiving(more: Partial<ReceiverOptions> = {}): Promise<Receiver> {
  return openReceiver({ identity: them, allow: [us.id], apply: () => {}, ...more });
}

const sending = (port: number, more: Partial<SenderOptions> = {}): ReturnType<typeof openSender> =>
  openSender({ peers: [peer(port)], identity: us, allow: [them.id], ...more });

describe('a sender and a receiver that allow each other', () => {
  test('carry records, and are called by their fingerprints', async () => {
    const { apply, texts } = collector();
    const receiver = await receiving({ apply });
    const opened = nextEvent('session', ({ state }) => state === 'open');
    const sender = await sending(receiver.port);
    await sender.append(text('one'), { ack: 'applied' });
    expect(texts()).toEqual(['one']);
    expect((await opened).peer).toBe(us.id);
    expect(sender.status().peers[0]).toMatchObject({ id: them.id, state: 'streaming' });
  });

  test('find everything on the wire in their stages', async () => {
    const receiver = await receiving();
    const sender = await sending(receiver.port, { compress: 'none' });
    for (let i = 0; i < 20; i++) await sender.append(Buffer.alloc(100_000, i), { ack: 'logged' });
    await sender.close();
    await until('the end', () => !receiver.status().connected);
    const { stages, wireBytesSent, wireBytesReceived } = sender.status();
    const { frame, control, tls } = stages;
    expect(tls?.bytesOut).toBeGreaterThan(500);
    expect((frame?.bytesOut ?? 0) + (control?.bytesOut ?? 0) + (tls?.bytesOut ?? 0)).toBe(wireBytesSent);
    expect(receiver.status()).toMatchObject({ wireBytesReceived: wireBytesSent, wireBytesSent: wireBytesReceived });
  });

  test('go on where they were when they had none before', async () => {
    const [dir, into] = [newDirectory(), newDirectory()];
    const before = await openReceiver({ dir: into, apply: () => {} });
    const plain = await openSender({ dir, peers: [peer(before.port)] });
    await plain.append(text('one'), { ack: 'applied' });
    await Promise.all([plain.close(), before.close()]);
    const { apply, texts } = collector();
    const receiver = await receiving({ dir: into, apply });
    const sender = await sending(receiver.port, { dir });
    await sender.append(text('two'), { ack: 'applied' });
    expect(texts()).toEqual(['two']);
    expect((await logged(receiver)).map(({ payload }) => payload.toString())).toEqual(['one', 'two']);
  });

  test('keep their ids when certificates are made anew', async () => {
    const [state, dir] = [newDirectory(), join(newDirectory(), 'identity')];
    const { id } = await createIdentity({ dir, days: 2 });
    const receiver = await receiving({ allow: [id] });
    const first = await sending(receiver.port, { dir: state, identity: dir });
    await first.append(text('one'), { ack: 'logged' });
    await first.close();
    await createIdentity({ dir, renew: true });
    const second = await sending(receiver.port, { dir: state, identity: dir });
    await second.append(text('two'), { ack: 'logged' });
  });

  test('with options of their own for TLS keep the ids of their state directories', async () => {
    const own = ({ key, cert }: TestIdentity, ca: TestIdentity): object => ({ key, cert, ca: ca.cert });
    const receiver = await openReceiver({ tls: own(them, us), apply: () => {} });
    const tls = { ...own(us, them), checkServerIdentity: () => undefined };
    const sender = await openSender({ peers: [peer(receiver.port)], tls });
    await sender.append(text('one'), { ack: 'applied' });
    expect(sender.status().peers[0]?.id).toMatch(/^[0-9a-f]{32}$/);
  });

  test('do so for each peer of a sender', async () => {
    const third = newIdentity();
    const [one, two] = [await receiving(), await receiving({ identity: third })];
    const peers = [
      { ...peer(one.port, 'one'), allow: [them.id] },
      { ...peer(two.port, 'two'), allow: [third.id] },
    ];
    const sender = await openSender({ peers, identity: us });
    await sender.append(text('both'), { ack: 'applied' });
    expect(sender.status().peers.map(({ id }) => id)).toEqual([them.id, third.id]);
  });
});

describe('whoever is not who it should be', () => {
  test('is refused by a sender, which says so to its callers and looks again', async () => {
    const receiver = await receiving({ identity: stranger });
    const sender = await sending(receiver.port);
    await expect(sender.connected()).rejects.toMatchObject({
      code: 'IDENTITY_REFUSED',
      presented: stranger.id,
      own: us.id,
    });
    expect(sender.status().peers[0]).toMatchObject({ state: 'refused', problem: { code: 'IDENTITY_REFUSED' } });
    await expect(sender.append(text('x'), { ack: 'logged' })).rejects.toMatchObject({ code: 'IDENTITY_REFUSED' });
  });

  test('is refused by a receiver, which tells its own side, and the sender what is likely', async () => {
    const receiver = await receiving();
    const refused = eventsOf('refused');
    const sender = await sending(receiver.port, { identity: stranger });
    await expect(sender.connected()).rejects.toMatchObject({ code: 'IDENTITY_NOT_ALLOWED', own: stranger.id });
    expect(sender.status().peers[0]).toMatchObject({ state: 'refused' });
    await until('the event', () => refused.length > 0);
    expect(refused).toMatchObject([
      { address: '127.0.0.1', problem: { code: 'IDENTITY_REFUSED', presented: stranger.id } },
    ]);
    expect(receiver.status().connected).toBe(false);
  });

  test('and falls silent makes room when there are more of them than `strangersMax`, and so keeps nobody out', async () => {
    const receiver = await receiving({ strangersMax: 2 });
    const silent = [await Wire.dial(receiver.port), await Wire.dial(receiver.port)];
    const one = await Wire.dial(receiver.port);
    await until('the first to be sent away', () => silent[0]?.socket.closed ?? false);
    expect([silent[1]?.socket.closed, one.socket.closed]).toEqual([false, false]);
    const sender = await sending(receiver.port, { connections: 1 });
    await sender.append(text('one'), { ack: 'logged' });
    expect(one.socket.closed).toBe(false);
  });

  test('without TLS gets no word from a receiver with an identity', async () => {
    const receiver = await receiving();
    const refused = eventsOf('refused');
    const wire = await Wire.dial(receiver.port);
    const got: Buffer[] = [];
    wire.socket.removeAllListeners('data').on('data', (chunk: Buffer) => got.push(chunk));
    const hello = { versionMin: 1, versionMax: 1, epoch: 1, last: 0, adopt: false };
    wire.send(FrameType.hello, encodeHello({ ...hello, node: 'a'.repeat(32), volume: 'b'.repeat(32) }));
    expect(await wire.next()).toBeUndefined();
    expect(Buffer.concat(got).toString('latin1')).not.toMatch(/LHF1|longhaul/i);
    expect(refused).toMatchObject([{ problem: { code: 'TLS_REQUIRED' } }]);
  });

  test('claims to be another node in its greeting, and is refused for that', async () => {
    const receiver = await receiving();
    const raw = await Wire.dial(receiver.port);
    raw.socket.removeAllListeners('data');
    const security = await openSecurity({ identity: us, allow: [them.id] });
    const { socket } = await security.client(raw.socket, { peer: 'the receiver', host: '127.0.0.1' });
    const wire = new Wire(socket);
    const hello = { versionMin: 1, versionMax: 1, epoch: 1, last: 0, adopt: false };
    wire.send(FrameType.hello, encodeHello({ ...hello, node: stranger.id, volume: 'b'.repeat(32) }));
    const refusal = await wire.expect(FrameType.refuse);
    expect(refusal.toString()).toContain('IDENTITY_MISMATCH');
    expect(await wire.next()).toBeUndefined();
  });
});

describe('options', () => {
  const far = { name: 'far', host: '192.0.2.1', port: 7 };
  test.each<[string, Partial<SenderOptions>]>([
    ['an identity, and nobody that it allows', { identity: us, peers: [far] }],
    [
      'an identity, and one peer that nobody may be',
      {
        identity: us,
        peers: [
          { ...far, allow: [them.id] },
          { ...far, name: 'b' },
        ],
      },
    ],
    ['a peer with allow, and no identity', { peers: [{ ...peer(1), allow: [them.id] }] }],
    ['an id that is none', { identity: us, peers: [{ ...far, allow: ['x'] }] }],
    ['both identity and tls', { identity: us, allow: [them.id], tls: {}, peers: [far] }],
  ])('of a sender are refused: %s', async (_, options) => {
    await expect(openSender(options as SenderOptions)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  test('of a receiver: an identity needs somebody that it allows, and room for some to prove it', async () => {
    await expect(openReceiver({ identity: them })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    for (const strangersMax of [0, 65_536, 1.5]) {
      await expect(receiving({ strangersMax })).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
        message: expect.stringContaining('strangersMax'),
      });
    }
  });

  test('with an identity any address will do', async () => {
    const receiver = await receiving({ listen: { host: '0.0.0.0', port: 0 } });
    const sender = await sending(receiver.port);
    await sender.append(text('one'), { ack: 'logged' });
    const lonely = await openSender({ identity: us, allow: [them.id], peers: [far] });
    expect(lonely.status().peers[0]?.state).toBe('connecting');
  });

  test('an identity of its own that has expired is refused at once', async () => {
    const old = newIdentity({ days: -1 });
    const expired = { code: 'IDENTITY_EXPIRED', message: expect.stringContaining('--renew') };
    await expect(openSender({ identity: old, allow: [us.id], peers: [far] })).rejects.toMatchObject(expired);
    await expect(openReceiver({ identity: old, allow: [us.id] })).rejects.toMatchObject(expired);
  });
});
