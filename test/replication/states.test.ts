import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { encodeAck, encodeWelcome, FrameType, type Welcome } from '../../src/channel/messages.js';
import { collector, logged, openReceiver, openSender, peer, text } from '../support/nodes.js';
import { newDirectory } from '../support/temp.js';
import { until } from '../support/until.js';
import { type Wire, WireServer } from '../support/wire.js';

/** State directories that are lost, put back from a copy, or belong to something else. */

const words = async (receiver: Awaited<ReturnType<typeof openReceiver>>): Promise<string[]> =>
  (await logged(receiver, Math.max(1, receiver.status().logged - 9))).map(({ payload }) => payload.toString());

/** A sender and a receiver in step at `first` records, a copy of one of their states, and then in step at `then`. */
async function withOldCopy(which: 'sender' | 'receiver', first: number, then: number, historyBytes = 64 * 1024 * 1024) {
  const states = { sender: newDirectory(), receiver: newDirectory() };
  const copy = join(newDirectory(), 'copy');
  for (const upTo of [first, then]) {
    const receiver = await openReceiver({ dir: states.receiver, apply: () => {} });
    const sender = await openSender({
      dir: states.sender,
      peers: [peer(receiver.port)],
      historyBytes,
      segmentBytes: 64 * 1024,
    });
    while (sender.status().appended < upTo) {
      await sender.append(Buffer.alloc(10_000, `record ${sender.status().appended + 1} `), { ack: 'applied' });
    }
    await sender.close();
    await receiver.close();
    if (upTo === first) cpSync(states[which], copy, { recursive: true });
  }
  return { ...states, copy };
}

describe('a sender whose state was put back from an older copy', () => {
  test('is refused: it must not overwrite what it does not know', async () => {
    const { receiver: dir, copy } = await withOldCopy('sender', 5, 12);
    const receiver = await openReceiver({ dir });
    const sender = await openSender({ dir: copy, peers: [peer(receiver.port)], resync: () => [] });
    await expect(sender.connected()).rejects.toMatchObject({ code: 'PEER_NEWER', peerSequence: 12, ourSequence: 5 });
    await expect(sender.append(text('x'), { ack: 'logged' })).rejects.toMatchObject({ code: 'PEER_NEWER' });
    expect(receiver.status().logged).toBe(12);
  });

  test('is refused even when it has appended beyond the receiver, because the records differ', async () => {
    const { receiver: dir, copy } = await withOldCopy('sender', 5, 8);
    const seen = collector();
    const receiver = await openReceiver({ dir, apply: seen.apply });
    const offline = await openSender({ dir: copy, peers: [peer(9)] });
    for (let i = 0; i < 10; i++) await offline.append(text(`other ${i}`));
    await offline.close();
    const sender = await openSender({ dir: copy, peers: [peer(receiver.port)] });
    await expect(sender.append(text('x'), { ack: 'logged' })).rejects.toMatchObject({ code: 'RESYNC_REQUIRED' });
    expect(seen.texts()).toEqual([]);
    expect(receiver.status().logged).toBe(8);
  });

  test('takes the receiver over when told to adopt', async () => {
    const { receiver: dir, copy } = await withOldCopy('sender', 5, 12);
    const seen = collector();
    const receiver = await openReceiver({ dir, apply: seen.apply });
    const sender = await openSender({
      dir: copy,
      peers: [peer(receiver.port)],
      adopt: true,
      resync: () => [{ payload: text('all') }],
    });
    await sender.drain('applied');
    expect(seen.texts()).toEqual(['all']);
  });
});

describe('a receiver whose state was put back from an older copy', () => {
  test('is sent what it lost when the queue still has it', async () => {
    const { sender: dir, copy } = await withOldCopy('receiver', 5, 12);
    const seen = collector();
    const receiver = await openReceiver({ dir: copy, apply: seen.apply });
    const sender = await openSender({ dir, peers: [peer(receiver.port)] });
    await sender.append(text('next'), { ack: 'applied' });
    expect(seen.records.map(({ sequence }) => sequence)).toEqual([6, 7, 8, 9, 10, 11, 12, 13]);
  });

  test('is given everything anew when the queue has let go of it', async () => {
    const { sender: dir, copy } = await withOldCopy('receiver', 5, 40, 0);
    const seen = collector();
    const receiver = await openReceiver({ dir: copy, apply: seen.apply });
    const options = { dir, historyBytes: 0, segmentBytes: 64 * 1024 };
    const without = await openSender({ ...options, peers: [peer(receiver.port)] });
    await expect(without.connected()).rejects.toMatchObject({ code: 'RESYNC_REQUIRED' });
    await without.close();
    const sender = await openSender({
      ...options,
      peers: [peer(receiver.port)],
      resync: () => [{ payload: text('all of it') }],
    });
    await sender.drain('applied');
    expect(seen.texts()).toEqual(['all of it']);
  });
});

describe('a receiver that serves another volume', () => {
  test('refuses with VOLUME_MISMATCH and keeps its records', async () => {
    const { receiver: dir } = await withOldCopy('receiver', 2, 3);
    const receiver = await openReceiver({ dir });
    const sender = await openSender({ peers: [peer(receiver.port)], resync: () => [] });
    await expect(sender.connected()).rejects.toMatchObject({
      code: 'VOLUME_MISMATCH',
      theirs: receiver.status().volume,
    });
    expect(sender.status().peers[0]).toMatchObject({ state: 'refused', problem: { code: 'VOLUME_MISMATCH' } });
    expect(receiver.status().logged).toBe(3);
  });

  test.each(['sender', 'receiver'] as const)('is taken over when the %s is told to adopt', async (who) => {
    const { receiver: dir } = await withOldCopy('receiver', 2, 3);
    const seen = collector();
    const receiver = await openReceiver({ dir, apply: seen.apply, adopt: who === 'receiver' });
    const sender = await openSender({
      peers: [peer(receiver.port)],
      adopt: who === 'sender',
      resync: () => [{ payload: text('all') }],
    });
    await until('the supply', () => seen.texts().includes('all'));
    await sender.append(text('next'), { ack: 'applied' });
    expect(seen.texts()).toEqual(['all', 'next']);
    await receiver.close();
    const again = await openReceiver({ dir, listen: { host: '127.0.0.1', port: receiver.port }, apply: seen.apply });
    await sender.append(text('after'), { ack: 'applied' });
    expect(again.status().problem).toBeUndefined();
    expect(seen.texts()).toEqual(['all', 'next', 'after']);
  });
});

describe('a state that was lost in part', () => {
  test('a receiver without its log, but with its identity, is not taken for one in step', async () => {
    const { sender: dir, receiver: state } = await withOldCopy('receiver', 2, 6);
    rmSync(join(state, 'log'), { recursive: true });
    const seen = collector();
    const receiver = await openReceiver({ dir: state, apply: seen.apply });
    const sender = await openSender({ dir, peers: [peer(receiver.port)], resync: () => [{ payload: text('all') }] });
    await sender.append(text('next'));
    await sender.drain('applied');
    const all = seen.texts();
    // Either everything is sent again from the queue, or supplied anew; nothing may be missing.
    expect(all.includes('all') || all.length === 7, all.join(', ')).toBe(true);
    expect(await words(receiver)).toContain('next');
  });

  test('a sender without its queue, but with the rest of its state, does not go on as if nothing had happened', async () => {
    const { sender: dir, receiver: state } = await withOldCopy('receiver', 2, 6);
    rmSync(join(dir, 'queue'), { recursive: true });
    const receiver = await openReceiver({ dir: state });
    const sender = await openSender({ dir, peers: [peer(receiver.port)], resync: () => [] });
    await expect(sender.append(text('x'), { ack: 'logged' })).rejects.toMatchObject({ code: 'VOLUME_MISMATCH' });
    expect(receiver.status().logged).toBe(6);
  });
});

describe('a receiver that lies', () => {
  const welcome: Welcome = {
    version: 1,
    node: 'e'.repeat(32),
    epoch: 1,
    first: 1,
    historyBytes: 1024 ** 3,
    last: 0,
    chain: 0n,
    applied: 0,
    adopt: false,
    holdsContent: false,
    restores: { lz4: true, zstd: false, windowLogMax: 0 },
    session: 7n,
    token: Buffer.alloc(16),
    windowBytes: 4 * 1024 * 1024,
  };

  async function streaming(server: WireServer): Promise<Wire> {
    const wire = await server.accept();
    await wire.expect(FrameType.hello);
    wire.send(FrameType.welcome, encodeWelcome(welcome));
    await wire.expect(FrameType.start);
    wire.send(FrameType.ready, Buffer.alloc(0));
    return wire;
  }

  test.each([
    ['that was never sent', { logged: 9, applied: 0 }],
    ['as applied before it is logged', { logged: 0, applied: 1 }],
  ])('by acknowledging a record %s is not believed', async (_, ack) => {
    const server = await WireServer.open();
    const sender = await openSender({ peers: [peer(server.port)] });
    const wire = await streaming(server);
    const waiting = sender.append(text('x'), { ack: 'applied' });
    await wire.expect(FrameType.batch);
    wire.send(FrameType.ack, encodeAck(ack));
    await expect(waiting).rejects.toMatchObject({ code: 'PROTOCOL_VIOLATION' });
    expect(sender.status()).toMatchObject({ logged: 0, applied: 0 });
  });

  test('about its version is told so', async () => {
    const server = await WireServer.open();
    const sender = await openSender({ peers: [peer(server.port)] });
    const connected = sender.connected();
    const wire = await server.accept();
    await wire.expect(FrameType.hello);
    wire.send(FrameType.welcome, encodeWelcome({ ...welcome, version: 9 }));
    await expect(connected).rejects.toMatchObject({ code: 'PROTOCOL_VERSION' });
  });

  test.each<[string, number, Buffer]>([
    ['a WELCOME cut short', FrameType.welcome, encodeWelcome(welcome).subarray(0, 9)],
    ['a READY at once', FrameType.ready, Buffer.alloc(0)],
    ['noise', 200, Buffer.from('noise')],
  ])('%s ends the session, and nothing else', async (_, type, body) => {
    const server = await WireServer.open();
    const sender = await openSender({ peers: [peer(server.port)] });
    const wire = await server.accept();
    await wire.expect(FrameType.hello);
    wire.send(type, body);
    await until('the refusal', () => sender.status().peers[0]?.problem?.code === 'PROTOCOL_VIOLATION');
    expect(await sender.append(text('still taken'))).toBe(1);
  });
});
