import { setTimeout } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { Sender } from '../../src/index.js';
import { EmulatedLink } from '../sim/link.js';
import { collector, logged, openReceiver, openSender, peer, text } from '../support/nodes.js';
import { randomFor, rounds, SEED } from '../support/seed.js';
import { atEnd, newDirectory } from '../support/temp.js';
import { until } from '../support/until.js';

async function linkTo(port: number, rateBytesPerSecond = 30e6): Promise<EmulatedLink> {
  const link = await EmulatedLink.open({ target: { port }, rateBytesPerSecond, delayMs: 1 });
  atEnd(() => link.close());
  return link;
}

const payloadOf = (i: number): Buffer => Buffer.alloc((i * 7919) % 30_000, `record ${i} `);

async function appendAll(sender: Sender, count: number): Promise<void> {
  await Promise.all(Array.from({ length: count }, (_, i) => sender.append(payloadOf(i), { offset: i })));
}

describe('a link that breaks', () => {
  test('many times leaves every record applied once and in order', async () => {
    const random = randomFor(40);
    const seen = collector();
    const receiver = await openReceiver({ apply: seen.apply });
    const link = await linkTo(receiver.port);
    const sender = await openSender({ peers: [peer(link.port)] });
    const context = `LONGHAUL_SEED=${SEED}`;
    const count = 1500;
    const appended = appendAll(sender, count);
    let drained = false;
    const drain = appended
      .then(() => sender.drain('applied'))
      .then(() => {
        drained = true;
      });
    for (let cuts = 0; cuts < rounds(25) && !drained; cuts++) {
      await Promise.race([drain, setTimeout(random.between(1, 80))]);
      link.cut();
    }
    await drain;
    expect(
      seen.records.map(({ offset }) => offset),
      context,
    ).toEqual(Array.from({ length: count }, (_, i) => i));
    expect(
      seen.records.every(({ payload, offset }) => payload.equals(payloadOf(offset ?? -1))),
      context,
    ).toBe(true);
    expect((await logged(receiver)).map(({ sequence }) => sequence)).toEqual(
      seen.records.map(({ sequence }) => sequence),
    );
  });

  test('into a black hole is noticed by the silence, and the session moves on', async () => {
    const receiver = await openReceiver({ apply: () => {}, heartbeatMs: 50, peerTimeoutMs: 500 });
    const link = await linkTo(receiver.port);
    const sender = await openSender({ peers: [peer(link.port)], heartbeatMs: 50, peerTimeoutMs: 500 });
    await sender.append(text('one'), { ack: 'applied' });
    link.pause();
    const waiting = sender.append(text('two'), { ack: 'applied' });
    await until('the sender to notice', () => sender.status().peers[0]?.problem?.code === 'CONNECTION_LOST');
    link.resume();
    link.cut();
    expect(await waiting).toBe(2);
  });
});

describe('a receiver that moves', () => {
  test('to another port with its state goes on where it was', async () => {
    const dir = newDirectory();
    const state = newDirectory();
    const seen = collector();
    const first = await openReceiver({ dir: state, apply: seen.apply });
    const before = await openSender({ dir, peers: [peer(first.port)] });
    await before.append(text('one'), { ack: 'applied' });
    await before.close();
    await first.close();
    const moved = await openReceiver({ dir: state, apply: seen.apply });
    const after = await openSender({ dir, peers: [peer(moved.port)] });
    expect(await after.append(text('two'), { ack: 'applied' })).toBe(2);
    expect(seen.texts()).toEqual(['one', 'two']);
    expect(after.status().records).toBe(1);
  });

  test('and is renamed by the sender goes on where it was', async () => {
    const dir = newDirectory();
    const seen = collector();
    const receiver = await openReceiver({ apply: seen.apply });
    const before = await openSender({ dir, peers: [peer(receiver.port, 'old name')] });
    await before.append(text('one'), { ack: 'applied' });
    await before.close();
    const after = await openSender({ dir, peers: [peer(receiver.port, 'new name')] });
    await after.append(text('two'), { ack: 'applied' });
    expect(seen.texts()).toEqual(['one', 'two']);
  });
});

test('a sender that was closed with records undelivered delivers them when it is opened again', async () => {
  const dir = newDirectory();
  const receiver = await openReceiver({ dir: newDirectory(), apply: () => {} });
  const offline = await openSender({ dir, peers: [peer(9)] });
  await appendAll(offline, 200);
  await offline.close();
  const online = await openSender({ dir, peers: [peer(receiver.port)] });
  await online.drain('applied');
  expect(receiver.status()).toMatchObject({ logged: 200, applied: 200 });
  expect(online.status()).toMatchObject({ appended: 200, applied: 200, oldestUnacknowledgedMs: 0 });
});
