import { afterEach, describe, expect, test } from 'vitest';
import { Channel } from '../../src/channel/channel.js';
import { FLAG_AGAIN, FLAG_MORE, FRAGMENT_BYTES_MAX, FRAME_HEADER_BYTES } from '../../src/channel/frame.js';
import { CONTROL_BODY_BYTES_MAX, MESSAGE_BYTES_MAX } from '../../src/channel/lanes.js';
import { FrameType } from '../../src/channel/messages.js';
import { ProtocolError } from '../../src/errors.js';
import { SESSION, type Side, sideOf, WINDOW_BYTES } from './channels.js';
import { FakeClock } from './fake-clock.js';
import { RawPeer, rawMember } from './raw-peer.js';
import { closeAll, collect, frameBytes, socketPair, turns, until } from './sockets.js';

/** What a peer that has been let in may do, and what becomes of it. */

afterEach(closeAll);

const { batch, ack, query, window } = FrameType;
const MIB = 1024 * 1024;
const FAR = Number.MAX_SAFE_INTEGER;

interface Scene {
  side: Side;
  /** Of the lead, which behaves. */
  good: RawPeer;
}

async function scene(): Promise<Scene> {
  const [socket, other] = await socketPair();
  return { side: sideOf(collect(socket).connection), good: new RawPeer(other) };
}

/** The session goes on, both ways. */
async function checkAlive({ side, good }: Scene): Promise<void> {
  good.lane(0, Buffer.from('still here'), { flags: FLAG_AGAIN });
  await until(() => side.messages.some(({ body }) => body.toString() === 'still here'));
  const sent = good.ofLanes.length;
  await side.channel.send(batch, Buffer.from('so are we'));
  await until(() => good.ofLanes.length > sent);
}

describe('one connection is closed, and the session goes on, after', () => {
  const cases: [string, (peer: RawPeer) => void][] = [
    [
      'frames beyond the credit',
      (peer) => {
        for (let number = 1; number <= WINDOW_BYTES / MIB + 1; number++) peer.lane(number, Buffer.alloc(MIB));
      },
    ],
    ['a frame far ahead', (peer) => peer.lane(WINDOW_BYTES)],
    ['a frame at the end of all numbers', (peer) => peer.lane(FAR)],
    [
      'a replayed frame, which says that it is new',
      (peer) => {
        peer.lane(5);
        peer.lane(5);
      },
    ],
    [
      'reordered frames: a lower number that says it is new',
      (peer) => {
        peer.lane(6);
        peer.lane(5);
      },
    ],
    ['a frame of another session', (peer) => peer.lane(1, Buffer.alloc(1), { session: SESSION + 1n })],
    ["a lane's frame as one of the connection", (peer) => peer.own(batch, Buffer.alloc(1))],
    ["a control lane's frame as one of the connection", (peer) => peer.own(ack, Buffer.alloc(2))],
    ["a connection's frame as one of the session", (peer) => peer.lane(1, Buffer.alloc(3), { type: window })],
    ['a frame of the session of no known type', (peer) => peer.lane(1, Buffer.alloc(3), { type: 200 })],
    ['a tiny fragment', (peer) => peer.lane(1, Buffer.alloc(100), { flags: FLAG_MORE })],
    ['an oversize frame', (peer) => peer.lane(1, Buffer.alloc(FRAGMENT_BYTES_MAX + 1))],
    [
      'overlapping frames: one that reaches over the next',
      (peer) => {
        peer.lane(1, Buffer.from('short'), { bodyLength: 5 + FRAME_HEADER_BYTES });
        peer.lane(2);
      },
    ],
    ['a WINDOW that confirms what was never sent', (peer) => peer.window({ dataNext: 9 })],
    ['a WINDOW that confirms control that was never sent', (peer) => peer.window({ controlNext: 1 })],
    [
      'a WINDOW with a range of what was never sent',
      (peer) => peer.window({ arrived: [{ from: 3, to: FAR / 2 - 0.5 }] }),
    ],
    ['a WINDOW that is none', (peer) => peer.own(window, Buffer.from('no window'))],
    ['an empty WINDOW', (peer) => peer.own(window)],
    ['an END that is none', (peer) => peer.own(FrameType.end, Buffer.from('no end'))],
    [
      'two ENDs that are not the same',
      (peer) => {
        peer.end(5);
        peer.end(6);
      },
    ],
    [
      'too much control that nobody takes out',
      (peer) => {
        for (let number = 1; number < 40; number++) {
          peer.lane(number, Buffer.alloc(CONTROL_BODY_BYTES_MAX), { type: query });
        }
      },
    ],
  ];
  test.each(cases)('%s', async (_name, attack) => {
    const all = await scene();
    const { member, peer } = await rawMember(all.side);
    attack(peer);
    const reason = await member.connection.closed;
    expect(reason).toBeInstanceOf(ProtocolError);
    expect(all.side.channel.members.size).toBe(1);
    await checkAlive(all);
  });
});

describe('one connection is lost, and the session goes on, after', () => {
  const cuts: [string, (peer: RawPeer) => unknown][] = [
    ['its end', ({ socket }) => socket.end()],
    ['a reset', ({ socket }) => socket.resetAndDestroy()],
  ];
  const parts: [string, number][] = [
    ['header', FRAME_HEADER_BYTES - 1],
    ['body', FRAME_HEADER_BYTES + 50],
  ];
  const cases = cuts.flatMap(([how, cut]) => parts.map(([where, bytes]) => ({ how, where, cut, bytes })));
  test.each(cases)('a frame truncated within its $where by $how', async ({ cut, bytes }) => {
    const all = await scene();
    const { member, peer } = await rawMember(all.side);
    peer.socket.write(
      frameBytes({ type: batch, session: SESSION, frameNumber: 1 }, Buffer.alloc(100)).subarray(0, bytes),
    );
    await until(() => member.connection.wire.bytesReceived === bytes);
    cut(peer);
    expect(await member.connection.closed).toMatchObject({ code: 'CONNECTION_LOST' });
    await checkAlive(all);
  });

  test('silence in the middle of a frame', async () => {
    const clock = new FakeClock();
    const [[socket, other], [second, far]] = [await socketPair(), await socketPair()];
    const side = sideOf(collect(socket, { clock, peerTimeoutMs: 600_000 }).connection, { clock });
    const member = side.channel.add(collect(second, { clock }).connection, { path: 0, spare: false });
    far
      .resume()
      .write(frameBytes({ type: batch, session: SESSION, frameNumber: 1 }, Buffer.alloc(100)).subarray(0, 70));
    await until(() => member?.connection.wire.bytesReceived === 70);
    await clock.advance(16_000);
    expect(await member?.connection.closed).toMatchObject({ code: 'CONNECTION_LOST' });
    await checkAlive({ side, good: new RawPeer(other) });
  });
});

test('a frame that comes drop by drop holds up nobody else, and takes no more than its own memory', async () => {
  const all = await scene();
  const { member, peer } = await rawMember(all.side);
  const frame = frameBytes({ type: batch, session: SESSION, frameNumber: 1 }, Buffer.from('drops'));
  for (const byte of frame) {
    peer.socket.write(Buffer.of(byte));
    await turns(1);
  }
  await checkAlive(all);
  await until(() => all.side.messages.length === 2);
  expect(all.side.messages.map(({ body }) => body.toString())).toEqual(['still here', 'drops']);
  expect(member.isUsable).toBe(true);
});

describe('the session is over after', () => {
  const cases: [string, (peer: RawPeer) => void][] = [
    [
      'fragments of two messages',
      (peer) => {
        peer.lane(0, Buffer.alloc(5000), { flags: FLAG_MORE });
        peer.lane(1, Buffer.alloc(5000), { generation: 1 });
      },
    ],
    [
      'a message over the limit',
      (peer) => {
        const body = Buffer.alloc(FRAGMENT_BYTES_MAX);
        for (let number = 0; number * FRAGMENT_BYTES_MAX <= MESSAGE_BYTES_MAX; number++) {
          peer.lane(number, body, { flags: FLAG_MORE });
        }
      },
    ],
    [
      'a control message over the limit',
      (peer) => peer.lane(0, Buffer.alloc(CONTROL_BODY_BYTES_MAX + 1), { type: query }),
    ],
  ];
  test.each(cases)('%s', async (_name, attack) => {
    const { side, good } = await scene();
    const { peer } = await rawMember(side);
    attack(peer);
    expect(await side.channel.closed).toBeInstanceOf(ProtocolError);
    expect(side.messages).toEqual([]);
    await until(() => good.socket.readableEnded || good.socket.destroyed);
  });

  test('a WINDOW before it began', async () => {
    const [socket, other] = await socketPair();
    const messages: unknown[] = [];
    const lead = collect(socket).connection;
    const channel = new Channel({ lead, onMessage: (message) => void messages.push(message) });
    new RawPeer(other).window({});
    expect(await channel.closed).toBeInstanceOf(ProtocolError);
    expect(messages).toEqual([]);
  });
});

describe('an END', () => {
  test('that counts fewer frames than have arrived closes its connection', async () => {
    const all = await scene();
    const { member, peer } = await rawMember(all.side);
    peer.lane(1);
    all.good.lane(0, Buffer.from('still here'));
    await until(() => all.side.messages.length === 2);
    peer.end(1);
    expect(await member.connection.closed).toBeInstanceOf(ProtocolError);
    await checkAlive(all);
  });

  test('that counts more frames than ever come leaves the session to the others', async () => {
    const all = await scene();
    const { member, peer } = await rawMember(all.side);
    peer.end(9, 9);
    peer.socket.end();
    expect(await member.connection.closed).toBeUndefined();
    await checkAlive(all);
  });

  test('behind all that was sent ends the session, however long the peer keeps its other connections', async () => {
    const clock = new FakeClock();
    const [socket, other] = await socketPair();
    const all = { side: sideOf(collect(socket, { clock }).connection, { clock }), good: new RawPeer(other) };
    const { peer } = await rawMember(all.side);
    all.good.lane(0, Buffer.from('the last word'));
    peer.end(1);
    peer.socket.end();
    await until(() => peer.socket.readableEnded && all.good.socket.readableEnded);
    await clock.advance(1000);
    expect(await all.side.channel.closed).toBeUndefined();
    expect(all.side.messages).toHaveLength(1);
    expect(clock.pendingTimers).toBe(0);
  });
});

describe('is dropped, and no more than that', () => {
  test.each([
    ['that says so', FLAG_AGAIN],
    ['that does not', 0],
  ])('what has come over another connection, %s', async (_name, flags) => {
    const all = await scene();
    const { member, peer } = await rawMember(all.side);
    all.good.lane(0, Buffer.from('first'));
    await until(() => all.side.messages.length === 1);
    peer.lane(0, Buffer.from('other'), { flags });
    peer.lane(2, Buffer.from('third'), { flags });
    await until(() => peer.heard?.arrived.length === 1 || all.good.heard?.arrived.length === 1);
    all.good.lane(2, Buffer.from('other'), { flags });
    all.good.lane(1, Buffer.from('second'), { flags: FLAG_AGAIN });
    await until(() => all.side.messages.length === 3);
    expect(all.side.messages.map(({ body }) => body.toString())).toEqual(['first', 'second', 'third']);
    expect(member.isUsable).toBe(true);
  });

  test('the same frame without end, on one connection', async () => {
    const all = await scene();
    const { member, peer } = await rawMember(all.side);
    for (let count = 0; count < 5000; count++) peer.lane(3, Buffer.from('again'), { flags: FLAG_AGAIN });
    await until(() => member.connection.wire.bytesReceived >= 5000 * 53);
    await checkAlive(all);
    expect(peer.frames.length).toBeLessThan(2000);
  });

  test('a WINDOW that says less than one before', async () => {
    const all = await scene();
    for (let count = 0; count < 3; count++) await all.side.channel.send(batch, Buffer.alloc(100));
    all.good.window({ dataNext: 3, creditBytes: 2 * WINDOW_BYTES });
    await until(() => all.side.channel.arrivedBytes === 300);
    all.good.window({ dataNext: 1 });
    all.good.window({ dataNext: 0, arrived: [{ from: 1, to: 2 }] });
    await checkAlive(all);
    expect(all.side.channel.arrivedBytes).toBe(300);
  });

  test('WINDOWs without end, with ranges of what arrived long ago', async () => {
    const all = await scene();
    const sends = Array.from({ length: 1000 }, () => all.side.channel.send(batch, Buffer.alloc(1)));
    await Promise.all(sends);
    const arrived = Array.from({ length: 32 }, (_, index) => ({ from: 2 + index * 30, to: 10 + index * 30 }));
    for (let count = 0; count < 5000; count++) all.good.window({ arrived });
    await until(() => all.side.channel.arrivedBytes === 32 * 9);
    await checkAlive(all);
    expect(all.side.channel.backlog.unconfirmedBytes).toBe(1000 - 32 * 9 + 'so are we'.length);
  });
});

test('a peer that takes every connection away at once ends the session, and no more', async () => {
  const all = await scene();
  const members = await Promise.all([1, 2, 3].map(() => rawMember(all.side)));
  for (const { peer } of members) peer.lane(1, Buffer.alloc(1), { session: 1n });
  all.good.socket.write(Buffer.alloc(100, 'x'));
  expect(await all.side.channel.closed).toBeInstanceOf(ProtocolError);
  await turns(10);
  expect(all.side.channel.members.size).toBe(0);
});
