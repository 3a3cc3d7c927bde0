import { afterEach, describe, expect, test } from 'vitest';
import type { Member } from '../../src/channel/member.js';
import { FrameType } from '../../src/channel/messages.js';
import { ConnectionLostError } from '../../src/errors.js';
import { channelPair, join, type Side } from './channels.js';
import { FakeClock } from './fake-clock.js';
import { Relay } from './relay.js';
import { closeAll, collect, turns, until } from './sockets.js';

afterEach(closeAll);

const { batch, ack } = FrameType;
const MIB = 1024 * 1024;

async function pairOn(clock: FakeClock): Promise<[Side, Side]> {
  const options = { clock, connection: { clock } };
  return channelPair(options, options);
}

/** A connection through something in the middle. */
async function joinThrough(
  [left, right]: [Side, Side],
  clock: FakeClock,
  role = { path: 1, spare: false },
): Promise<{ relay: Relay; member: Member; other: Member }> {
  const relay = await Relay.open();
  const [a, b] = [relay.left, relay.right].map((socket) => collect(socket, { clock }).connection);
  if (a === undefined || b === undefined) throw new Error('no connection');
  const [member, other] = [left.channel.add(a, role), right.channel.add(b, role)];
  if (member === undefined || other === undefined) throw new Error('the session is over');
  return { relay, member, other };
}

/** Lets the clock run in small steps, so that what goes over sockets keeps up with it. */
async function runFor(clock: FakeClock, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 10) {
    await clock.advance(10);
    await turns(3);
  }
}

/** A connection that is silent for so long is given up, and what it carried goes again whether it was found to stall or not. */
const PEER_TIMEOUT_MS = 15_000;

/** Lets the clock run until it is so: sockets take time of their own, on a busy machine more of it. */
async function runUntil(clock: FakeClock, condition: () => boolean): Promise<void> {
  const begunAtMs = clock.time;
  while (!condition()) {
    await runFor(clock, 10);
    expect(clock.time - begunAtMs).toBeLessThan(PEER_TIMEOUT_MS / 2);
  }
}

/** Sends messages, and lets the clock run for what has arrived to be told. */
async function sendAll(clock: FakeClock, { channel }: Side, count: number, bytes: number): Promise<void> {
  let isSent = false;
  const sends = Array.from({ length: count }, (_, index) => channel.send(batch, Buffer.alloc(bytes, index)));
  const sent = Promise.all(sends).then(() => {
    isSent = true;
  });
  while (!isSent) await runFor(clock, 10);
  await sent;
}

const dataOf = (member: Member): number => member.connection.framesBytes.data.sent;

describe('a load', () => {
  test('goes over all connections, each as much as it takes', async () => {
    const [left, right] = await channelPair();
    for (let count = 1; count < 4; count++) await join(left, right);
    for (let count = 0; count < 60; count++) await left.channel.send(batch, Buffer.alloc(MIB));
    await until(() => right.messages.length === 60);
    for (const member of left.channel.members) expect(dataOf(member)).toBeGreaterThan(MIB);
  });

  test('goes on over the others when a connection is lost, with what that one carried', async () => {
    const [left, right] = await channelPair();
    const lines = [await join(left, right), await join(left, right)];
    const sends = Array.from({ length: 30 }, (_, index) => left.channel.send(batch, Buffer.alloc(MIB, index)));
    await turns(5);
    for (const [member] of lines) member.connection.destroy(new ConnectionLostError('a peer', 'the test says so'));
    await Promise.all(sends);
    await until(() => right.messages.length === 30);
    for (const [index, { body }] of right.messages.entries()) expect(body.equals(Buffer.alloc(MIB, index))).toBe(true);
    await Promise.all([left.channel.end(), right.channel.end()]);
    expect([await left.channel.closed, await right.channel.closed]).toEqual([undefined, undefined]);
  });

  test('moves to the connections that are left when one is retired, and nothing is sent twice', async () => {
    const [left, right] = await channelPair();
    const [member, other] = await join(left, right);
    const sends = Array.from({ length: 20 }, () => left.channel.send(batch, Buffer.alloc(MIB)));
    await turns(2);
    left.channel.retire(member);
    expect(member.isUsable).toBe(false);
    expect(await member.connection.closed).toBeUndefined();
    expect(await other.connection.closed).toBeUndefined();
    await Promise.all(sends);
    await until(() => right.messages.length === 20);
    expect([...left.channel.members].includes(member)).toBe(false);
    const bodies = left.channel.framesBytes.data.sent;
    expect(bodies).toBeLessThan(20 * MIB + 2000 * 48);
  });
});

describe('a connection that stalls', () => {
  test('gives what it carried to the others in the stall time, and carries again when it answers', async () => {
    const clock = new FakeClock();
    const pair = await pairOn(clock);
    const [left, right] = pair;
    const { relay, member, other } = await joinThrough(pair, clock);
    await runFor(clock, 100);
    relay.hold();
    const sends = Array.from({ length: 12 }, (_, index) => left.channel.send(batch, Buffer.alloc(MIB / 2, index)));
    await runFor(clock, 50);
    expect(dataOf(member)).toBeGreaterThan(0);
    expect(right.messages.length).toBeLessThan(12);
    await runFor(clock, 600);
    expect(member.stalled).toBe(true);
    await runUntil(clock, () => right.messages.length >= 12);
    expect(right.messages).toHaveLength(12);
    await Promise.all(sends);
    const before = dataOf(member);
    for (let count = 0; count < 4; count++) void left.channel.send(batch, Buffer.alloc(MIB / 2, count));
    await runUntil(clock, () => right.messages.length >= 16);
    expect(right.messages).toHaveLength(16);
    expect(dataOf(member) - before).toBeLessThan(300_000);

    relay.letGo();
    await until(() => !member.stalled);
    await sendAll(clock, left, 20, MIB / 2);
    await runFor(clock, 100);
    await until(() => right.messages.length === 36);
    expect(dataOf(member)).toBeGreaterThan(before + 100_000);
    expect(other.isUsable).toBe(true);
  });

  test('loses no word of what has arrived, though its own end says it over that connection', async () => {
    const clock = new FakeClock();
    const pair = await pairOn(clock);
    const [left, right] = pair;
    const { relay } = await joinThrough(pair, clock);
    await runFor(clock, 100);
    relay.hold();
    // More than the window: it goes on only if what has arrived is heard of.
    const sends = Array.from({ length: 24 }, (_, index) => left.channel.send(batch, Buffer.alloc(MIB, index)));
    await runUntil(clock, () => right.messages.length >= 24);
    expect(right.messages).toHaveLength(24);
    await Promise.all(sends);
    await runUntil(clock, () => left.channel.backlog.unconfirmedBytes === 0);
  });

  test('does not hold up the end of the session, nor spoil it', async () => {
    const clock = new FakeClock();
    const pair = await pairOn(clock);
    const [left, right] = pair;
    const { relay, member } = await joinThrough(pair, clock);
    await runFor(clock, 100);
    relay.hold();
    for (let count = 0; count < 4; count++) void left.channel.send(batch, Buffer.alloc(MIB));
    await runUntil(clock, () => right.messages.length >= 4 && left.channel.backlog.unconfirmedBytes === 0);
    expect([member.stalled, right.messages.length]).toEqual([true, 4]);
    await left.channel.end();
    expect(await left.channel.closed).toBeUndefined();
    expect(await member.connection.closed).toBeInstanceOf(ConnectionLostError);
  });

  test('does not hold up the end of either side when nobody can know that it is dead', async () => {
    const clock = new FakeClock();
    const pair = await pairOn(clock);
    const [left, right] = pair;
    const { relay, member, other } = await joinThrough(pair, clock);
    await sendAll(clock, left, 4, MIB);
    await runFor(clock, 100);
    relay.hold();
    const endedAtMs = clock.time;
    void left.channel.end();
    await until(() => left.channel.members.size === 1 && right.channel.members.size === 1);
    expect([member.stalled, other.isUsable]).toEqual([false, false]);
    await runFor(clock, 1000);
    expect([await left.channel.closed, await right.channel.closed]).toEqual([undefined, undefined]);
    expect(clock.time - endedAtMs).toBeLessThan(1100);
    expect(right.messages).toHaveLength(4);
  });

  test('is not given up while it is the only one', async () => {
    const clock = new FakeClock();
    const pair = await pairOn(clock);
    const [left, right] = pair;
    const lead = [...left.channel.members][0];
    const { relay, member } = await joinThrough(pair, clock);
    lead?.connection.destroy(new ConnectionLostError('a peer', 'the test says so'));
    await until(() => right.channel.members.size === 1);
    relay.hold();
    void left.channel.send(batch, Buffer.from('late'));
    await runFor(clock, 3000);
    expect([member.stalled, right.messages.length]).toEqual([false, 0]);
    relay.letGo();
    await until(() => right.messages.length === 1);
  });
});

describe('a spare path', () => {
  test('carries nothing but heartbeats until the others are gone, and gives up the load when one comes back', async () => {
    const clock = new FakeClock();
    const pair = await pairOn(clock);
    const [left, right] = pair;
    const { member: spare, other } = await joinThrough(pair, clock, { path: 1, spare: true });
    const [lead] = left.channel.members;
    await sendAll(clock, left, 10, MIB);
    left.channel.sendControl(ack, Buffer.alloc(100));
    right.channel.sendControl(ack, Buffer.alloc(100));
    await runFor(clock, 4500);
    await until(() => right.messages.length === 11 && left.messages.length === 1);
    expect([dataOf(spare), dataOf(other)]).toEqual([0, 0]);
    expect(spare.connection.roundTripMs).toBeDefined();

    lead?.connection.destroy(new ConnectionLostError('a peer', 'the test says so'));
    await sendAll(clock, left, 4, MIB);
    await until(() => right.messages.length === 15);
    const carried = dataOf(spare);
    expect(carried).toBeGreaterThan(4 * MIB);

    const [back] = await join(left, right, { path: 0, spare: false }, { clock });
    await sendAll(clock, left, 4, MIB);
    await runFor(clock, 50);
    await until(() => right.messages.length === 19);
    expect(dataOf(spare)).toBe(carried);
    expect(dataOf(back)).toBeGreaterThan(4 * MIB);
  });

  test('takes over from a path that stalls', async () => {
    const clock = new FakeClock();
    const pair = await pairOn(clock);
    const [left, right] = pair;
    const { relay } = await joinThrough(pair, clock);
    const [lead] = left.channel.members;
    lead?.connection.destroy(new ConnectionLostError('a peer', 'the test says so'));
    const [spare] = await join(left, right, { path: 2, spare: true }, { clock });
    await runFor(clock, 100);
    relay.hold();
    void left.channel.send(batch, Buffer.alloc(1000));
    await runFor(clock, 300);
    expect([right.messages.length, dataOf(spare)]).toEqual([0, 0]);
    await runFor(clock, 300);
    expect(right.messages).toHaveLength(1);
    expect(dataOf(spare)).toBeGreaterThan(1000);
  });
});
