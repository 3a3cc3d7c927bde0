import type { Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { Connection } from '../../src/channel/connection.js';
import { Shaper } from '../../src/channel/shaper.js';
import { ConnectionLostError, InvalidArgumentError } from '../../src/errors.js';
import { FakeClock } from './fake-clock.js';
import {
  closeAll,
  collect,
  connectionPair,
  frameBytes,
  Load,
  readFrames,
  socketPair,
  turns,
  until,
} from './sockets.js';

afterEach(closeAll);

const PING = 1;
const PONG = 2;
const WELCOME = 4;
const BATCH = 8;

/** A connection on a clock of its own, facing a plain socket. */
async function facing(): Promise<{ connection: Connection; peer: Socket; clock: FakeClock; over: () => boolean }> {
  const [socket, peer] = await socketPair();
  const clock = new FakeClock();
  const { connection } = collect(socket, { clock });
  let over = false;
  void connection.closed.then(() => {
    over = true;
  });
  return { connection, peer, clock, over: () => over };
}

test('a PING goes out at once and at each beat, and the round trip is what its PONG took', async () => {
  const { connection, peer, clock } = await facing();
  const frames = readFrames(peer);
  expect(connection.roundTripMs).toBeUndefined();
  for (const [index, roundTripMs] of [80, 160, 80].entries()) {
    await until(() => frames.length === index + 1);
    await clock.advance(roundTripMs);
    peer.write(frameBytes({ type: PONG, frameNumber: index }, frames[index]?.body));
    await until(() => connection.wire.bytesReceived === (index + 1) * 56);
    await clock.advance(2000 - roundTripMs);
  }
  expect(frames.every((frame) => frame.type === PING)).toBe(true);
  expect(connection.roundTripMinMs).toBe(80);
  expect(connection.roundTripMs).toBeCloseTo(80 + 80 / 8 - 10 / 8, 5);
});

test('a PING is answered with its own body', async () => {
  const { peer } = await facing();
  const frames = readFrames(peer);
  peer.write(frameBytes({ type: PING }, Buffer.from('12345678')));
  await until(() => frames.some((frame) => frame.type === PONG));
  expect(frames.find((frame) => frame.type === PONG)?.body.toString()).toBe('12345678');
});

test('silence ends the connection after peerTimeoutMs', async () => {
  const { connection, clock, over } = await facing();
  await clock.advance(15_999);
  await turns(5);
  expect(over()).toBe(false);
  await clock.advance(1);
  const reason = await connection.closed;
  expect(reason).toBeInstanceOf(ConnectionLostError);
  expect(reason?.message).toContain('silent for 16000 ms');
  expect(clock.pendingTimers).toBe(0);
});

/** Sends a large frame in small pieces, each after so much time, until the connection ends or half of it is there. */
async function drip(pieceBytes: number, everyMs: number) {
  const { connection, peer, clock, over } = await facing();
  const whole = frameBytes({}, Buffer.alloc(2000));
  for (let at = 0; at < whole.byteLength / 2 && !over(); at += pieceBytes) {
    peer.write(whole.subarray(at, at + pieceBytes));
    await until(() => connection.wire.bytesReceived === at + pieceBytes);
    await turns(1);
    await clock.advance(everyMs);
    await turns(1);
  }
  return { connection, over };
}

test('a part of a frame is life, however slowly it comes', async () => {
  expect((await drip(48, 14_000)).over()).toBe(false);
  expect((await drip(4, 1000)).over()).toBe(false);
});

test('a frame that is dripped is silence', async () => {
  for (const [pieceBytes, everyMs] of [
    [1, 1000],
    [40, 14_000],
  ] as const) {
    const { connection, over } = await drip(pieceBytes, everyMs);
    expect(over()).toBe(true);
    expect((await connection.closed)?.message).toContain('silent for');
  }
});

test('a process that was blocked for long does not take that for the silence of its peer', async () => {
  const { clock, over } = await facing();
  clock.jump(3_600_000);
  await clock.advance(10_000);
  await turns(5);
  expect(over()).toBe(false);
});

test('while this end does not read, silence counts for nothing and PINGs still go out', async () => {
  const [socket, peer] = await socketPair();
  const clock = new FakeClock();
  let release = (): void => {};
  const busy = new Promise<void>((resolve) => {
    release = resolve;
  });
  let calls = 0;
  const { connection } = collect(socket, {
    clock,
    onFrame: () => {
      calls++;
      return busy;
    },
  });
  const frames = readFrames(peer);
  peer.write(Buffer.concat([0, 1, 2].map((frameNumber) => frameBytes({ frameNumber }))));
  await until(() => socket.isPaused());
  for (let beat = 0; beat < 30; beat++) {
    await clock.advance(2000);
    await until(() => frames.length === beat + 2);
  }
  release();
  await until(() => calls === 3 && !socket.isPaused());
  await clock.advance(14_000);
  let over = false;
  void connection.closed.then(() => {
    over = true;
  });
  await turns(5);
  expect(over).toBe(false);
  await clock.advance(2000);
  expect(await connection.closed).toBeInstanceOf(ConnectionLostError);
});

test('a PING is answered while a frame is handled', async () => {
  const [socket, peer] = await socketPair();
  collect(socket, { onFrame: () => new Promise<void>(() => {}) });
  const frames = readFrames(peer);
  peer.write(Buffer.concat([frameBytes({}), frameBytes({ type: PING, frameNumber: 1 }, Buffer.alloc(8, 3))]));
  await until(() => frames.some((frame) => frame.type === PONG));
});

describe('time limits', () => {
  test('a handshake that takes too long', async () => {
    const [socket] = await socketPair();
    const clock = new FakeClock();
    const connection = new Connection({ socket, clock, onFrame: () => {} });
    await clock.advance(10_000);
    expect((await connection.closed)?.message).toContain('no handshake within 10000 ms');
    expect(clock.pendingTimers).toBe(0);
  });

  test('a handshake that comes drop by drop', async () => {
    const [socket, peer] = await socketPair();
    const clock = new FakeClock();
    const connection = new Connection({ socket, clock, onFrame: () => {} });
    const hello = frameBytes({}, Buffer.alloc(100));
    for (let second = 0; second < 10; second++) {
      peer.write(hello.subarray(second, second + 1));
      await until(() => connection.wire.bytesReceived === second + 1);
      await clock.advance(second < 9 ? 1000 : 999);
    }
    expect(connection.isOpen).toBe(true);
    await clock.advance(1);
    expect(await connection.closed).toMatchObject({ code: 'CONNECTION_LOST' });
    expect(clock.pendingTimers).toBe(0);
  });

  test('a peer that does not end', async () => {
    const { connection, peer, clock } = await facing();
    peer.resume();
    const ended = connection.end();
    await until(() => peer.readableEnded);
    await clock.advance(5000);
    await ended;
    expect((await connection.closed)?.message).toContain('did not end within 5000 ms');
    expect(clock.pendingTimers).toBe(0);
  });

  test('a peer that does not take what is queued when it should end', async () => {
    const { connection, peer, clock } = await facing();
    peer.pause();
    void new Load(connection).send(BATCH, Buffer.alloc(64 * 1024 * 1024));
    await turns(50);
    const ended = connection.end();
    for (let i = 0; i < 20; i++) await clock.advance(5000);
    await ended;
    expect(await connection.closed).toBeInstanceOf(ConnectionLostError);
    expect(clock.pendingTimers).toBe(0);
  });

  test('the time for the other end counts from when everything is flushed', async () => {
    const [socket, peer] = await socketPair();
    const clock = new FakeClock();
    const shaper = new Shaper({ rateBytesPerSecond: 10_000, clock });
    const { connection } = collect(socket, { clock, shaper });
    peer.resume();
    connection.sendControl(WELCOME, Buffer.alloc(42_000));
    const ended = connection.end();
    for (let tick = 0; tick < 500 && !peer.readableEnded; tick++) {
      await clock.advance(10);
      await turns(1);
    }
    expect(clock.now()).toBeGreaterThan(4000);
    expect(clock.now()).toBeLessThan(5000);
    await clock.advance(4900);
    await turns(5);
    expect(socket.destroyed).toBe(false);
    await clock.advance(100);
    await ended;
    expect(await connection.closed).toBeInstanceOf(ConnectionLostError);
  });

  test('no limit cuts off the handling of the last frames once both sides have ended', async () => {
    const [a, b] = await socketPair();
    const clock = new FakeClock();
    let release = (): void => {};
    const busy = new Promise<void>((resolve) => {
      release = resolve;
    });
    let calls = 0;
    const onFrame = (): Promise<void> => {
      calls++;
      return busy;
    };
    const { connection: left } = collect(a);
    const { connection: right } = collect(b, { clock, onFrame });
    for (let i = 0; i < 3; i++) left.sendControl(WELCOME, Buffer.alloc(10));
    void left.end();
    await until(() => calls === 1);
    void right.end();
    await left.closed;
    await turns(5);
    await clock.advance(100_000);
    release();
    expect(await right.closed).toBeUndefined();
    expect(calls).toBe(3);
  });

  test('a peer that has ended is not silent, it is done', async () => {
    const [socket, peer] = await socketPair();
    const clock = new FakeClock();
    let release = (): void => {};
    const onFrame = (): Promise<void> =>
      new Promise((resolve) => {
        release = resolve;
      });
    const { connection } = collect(socket, { clock, onFrame });
    peer.resume();
    peer.end(frameBytes({}));
    await until(() => socket.readableEnded);
    await clock.advance(100_000);
    release();
    expect(await connection.closed).toBeUndefined();
  });

  test('an orderly end leaves no timer', async () => {
    const clock = new FakeClock();
    const [left, right] = await connectionPair({ clock });
    await Promise.all([left.connection.end(), right.connection.end()]);
    expect(clock.pendingTimers).toBe(0);
  });

  test('limits that contradict each other are refused', async () => {
    const [socket] = await socketPair();
    const options = { socket, onFrame: () => {}, heartbeatMs: 1000, peerTimeoutMs: 1500 };
    expect(() => new Connection(options)).toThrow(InvalidArgumentError);
  });
});

describe('with a shaper', () => {
  const share = (left: { connection: Connection }, right: { connection: Connection }) => ({
    connection: left.connection,
    from: new Load(left.connection),
    to: new Load(right.connection),
  });

  test('connections share the rate, to the byte, and their frames arrive whole', async () => {
    const clock = new FakeClock();
    const shaper = new Shaper({ rateBytesPerSecond: 1_000_000, clock });
    const pairs = [
      share(...(await connectionPair({ shaper, clock }, {}))),
      share(...(await connectionPair({ shaper, clock }, {}))),
    ];
    const body = Buffer.alloc(300_000, 5);
    const sends = pairs.flatMap(({ from }) => [from.send(BATCH, body), from.send(BATCH, body)]);
    const sentBytes = (): number =>
      pairs.reduce((sum, { connection }) => {
        const { data, control } = connection.framesBytes;
        return sum + data.sent + control.sent;
      }, 0);
    for (let tick = 1; tick <= 130; tick++) {
      await clock.advance(10);
      await turns(2);
      expect(sentBytes()).toBeLessThanOrEqual(20_000 + tick * 10_000);
      if (tick === 60)
        for (const { connection } of pairs) expect(connection.framesBytes.data.sent).toBeGreaterThan(250_000);
    }
    await Promise.all(sends);
    await until(() => pairs.every(({ to }) => to.body.byteLength === 600_000));
    for (const { to } of pairs) expect(to.body.equals(Buffer.concat([body, body]))).toBe(true);
  });

  test('a frame of the connection goes into the quantum that data asked for', async () => {
    const clock = new FakeClock();
    const shaper = new Shaper({ rateBytesPerSecond: 100_000, clock });
    const [left, right] = await connectionPair({ shaper, clock }, {});
    const { from, to } = share(left, right);
    let seen = 0;
    right.connection.onFrame = ({ type }) => {
      if (type === WELCOME) seen = to.frames.length + 1;
    };
    const sent = from.send(BATCH, Buffer.alloc(50_000));
    left.connection.sendControl(WELCOME, Buffer.from('ahead'));
    for (let tick = 0; tick < 100; tick++) {
      await clock.advance(10);
      await turns(1);
    }
    await sent;
    await until(() => to.body.byteLength === 50_000);
    expect(seen).toBe(1);
  });

  test('takes every byte that it sends once, and gives back what it does not need', async () => {
    const [socket, peer] = await socketPair();
    let taken = 0;
    const shaper = new Shaper({ rateBytesPerSecond: 1e9 });
    shaper.take = async (bytes) => {
      taken += bytes;
      return bytes;
    };
    shaper.charge = (bytes) => {
      taken += bytes;
    };
    const { connection } = collect(socket, { shaper });
    peer.resume();
    connection.sendControl(WELCOME, Buffer.alloc(10_000));
    await new Load(connection).send(BATCH, [Buffer.alloc(10_000), Buffer.alloc(0)]);
    connection.sendControl(WELCOME, Buffer.alloc(100));
    void connection.end();
    await until(() => peer.readableEnded);
    expect(taken).toBe(connection.wire.bytesSent);
    peer.end();
    expect(await connection.closed).toBeUndefined();
  });

  test('a frame that was cut off on its way takes no more of the rate', async () => {
    const clock = new FakeClock();
    const shaper = new Shaper({ rateBytesPerSecond: 100_000, clock });
    const [left] = await connectionPair({ shaper, clock }, {});
    void new Load(left.connection).send(BATCH, Buffer.alloc(100_000));
    await clock.advance(100);
    const reason = new ConnectionLostError('a peer', 'the test says so');
    left.connection.destroy(reason);
    const { bytesSent } = left.connection.wire;
    expect(bytesSent).toBeGreaterThan(0);
    await clock.advance(1000);
    expect(left.connection.wire.bytesSent).toBe(bytesSent);
    expect(clock.pendingTimers).toBe(0);
  });

  test('an end waits for the rate', async () => {
    const clock = new FakeClock();
    const shaper = new Shaper({ rateBytesPerSecond: 1_000_000, clock });
    const [left, right] = await connectionPair({ shaper, clock }, {});
    for (let i = 0; i < 4; i++) left.connection.sendControl(WELCOME, Buffer.alloc(50_000));
    const ended = left.connection.end();
    for (let tick = 0; tick < 30; tick++) {
      await clock.advance(10);
      await turns(1);
    }
    await ended;
    expect(await left.connection.closed).toBeUndefined();
    expect(right.frames).toHaveLength(4);
    expect(clock.pendingTimers).toBe(0);
  });
});
