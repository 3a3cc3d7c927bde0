import { afterEach, describe, expect, test } from 'vitest';
import { CONTROL_BODY_BYTES_MAX, Connection } from '../../src/channel/connection.js';
import { FRAME_HEADER_BYTES } from '../../src/channel/frame.js';
import { WAITING_FRAMES_MAX } from '../../src/channel/outbox.js';
import {
  AbortedError,
  ClosedError,
  ConnectionLostError,
  InvalidArgumentError,
  ProtocolError,
} from '../../src/errors.js';
import { closeAll, collect, connectionPair, frameBytes, readFrames, socketPair, turns, until } from './sockets.js';

afterEach(closeAll);

const DATA = 8;
const CONTROL = 9;
const MIB = 1024 * 1024;

describe('frames', () => {
  test('cross in order, both ways, with session and generation as they were at the call', async () => {
    const [left, right] = await connectionPair();
    left.connection.session = 0xfedc_ba98_7654_3210n;
    left.connection.generation = 7;
    const sizes = [0, 1, 4000, 70_000, 3 * MIB];
    const sends = sizes.map((size, index) => left.connection.send(DATA + index, Buffer.alloc(size, index)));
    left.connection.generation = 8;
    sends.push(left.connection.send(DATA, Buffer.from('next')));
    right.connection.sendControl(CONTROL, Buffer.from('back'));
    await Promise.all(sends);
    await until(() => right.frames.length === 6 && left.frames.length === 1);
    expect(right.frames.map((frame) => frame.bodyLength)).toEqual([...sizes, 4]);
    expect(right.frames.map((frame) => frame.generation)).toEqual([7, 7, 7, 7, 7, 8]);
    expect(right.frames.every((frame) => frame.session === 0xfedc_ba98_7654_3210n)).toBe(true);
    expect(right.frames[4]?.body.equals(Buffer.alloc(3 * MIB, 4))).toBe(true);
    expect(left.frames[0]?.body.toString()).toBe('back');
  });

  test('of several parts arrive as one body', async () => {
    const [left, right] = await connectionPair();
    const small = [Buffer.from('a'), Buffer.alloc(0), Buffer.from('bc')];
    const large = [Buffer.alloc(0), Buffer.alloc(5000, 1), Buffer.alloc(100_000, 2)];
    await Promise.all([left.connection.send(DATA, small), left.connection.send(DATA, large)]);
    await until(() => right.frames.length === 2);
    expect(right.frames.map((frame) => frame.body)).toEqual([Buffer.concat(small), Buffer.concat(large)]);
  });

  test('are counted to the byte', async () => {
    const [left, right] = await connectionPair();
    for (let i = 0; i < 20; i++) await left.connection.send(DATA, Buffer.alloc(i * 10_000));
    left.connection.sendControl(CONTROL, Buffer.alloc(10));
    await Promise.all([left.connection.end(), right.connection.end()]);
    const { data, control } = left.connection.framesBytes;
    expect(data.sent).toBe(20 * FRAME_HEADER_BYTES + 190 * 10_000);
    expect(data.sent + control.sent).toBe(left.connection.wire.bytesSent);
    expect(left.connection.wire.bytesSent).toBe(right.connection.wire.bytesReceived);
    expect(right.connection.wire.bytesSent).toBe(left.connection.wire.bytesReceived);
    expect(right.connection.wire.bytesSent).toBe(right.connection.framesBytes.control.sent);
  });

  test('that the system has not taken yet are not counted as sent', async () => {
    const [socket] = await socketPair();
    const { connection } = collect(socket);
    void connection.send(DATA, Buffer.alloc(16 * MIB));
    await turns(20);
    expect(connection.framesBytes.data.sent).toBe(16 * MIB + FRAME_HEADER_BYTES);
    expect(connection.wire.bytesSent).toBeLessThan(16 * MIB);
  });

  test('over the limit are refused where they are sent', async () => {
    const [left] = await connectionPair({ frameBytesMax: 100_000 });
    await expect(left.connection.send(DATA, Buffer.alloc(100_000))).rejects.toThrow(InvalidArgumentError);
    const tooLong = Buffer.alloc(CONTROL_BODY_BYTES_MAX + 1);
    expect(() => left.connection.sendControl(CONTROL, tooLong)).toThrow(InvalidArgumentError);
  });
});

describe('control frames', () => {
  test('overtake the data that has not begun', async () => {
    const [left, right] = await connectionPair();
    const sends = Array.from({ length: 20 }, () => left.connection.send(DATA, Buffer.alloc(MIB)));
    left.connection.sendControl(CONTROL, Buffer.from('ahead'));
    await Promise.all(sends);
    await until(() => right.frames.length === 21);
    expect(right.frames.findIndex((frame) => frame.type === CONTROL)).toBeLessThan(5);
  });

  test('overtake also while data is under way', async () => {
    const [a, b] = await socketPair();
    const left = collect(a);
    const types: number[] = [];
    collect(b, {
      onFrame: (frame) => {
        if (types.push(frame.type) === 20) left.connection.sendControl(CONTROL, Buffer.from('ahead'));
      },
    });
    for (let i = 0; i < 100; i++) void left.connection.send(DATA, Buffer.alloc(MIB));
    await until(() => types.length === 101);
    // What the system's own buffers hold cannot be overtaken.
    expect(types.indexOf(CONTROL)).toBeLessThan(80);
  });

  test('may be many, as long as the peer reads', async () => {
    const [left, right] = await connectionPair();
    for (let i = 1; i <= 40; i++) {
      left.connection.sendControl(CONTROL, Buffer.alloc(CONTROL_BODY_BYTES_MAX));
      await until(() => right.frames.length === i);
    }
  });

  test('of one type replace each other while they wait, if asked to', async () => {
    const [left, right] = await connectionPair();
    const sent = left.connection.send(DATA, Buffer.alloc(16 * MIB));
    for (const text of ['old', 'older', 'newest']) {
      left.connection.sendControl(CONTROL, Buffer.from(text), { replace: true });
      left.connection.sendControl(CONTROL + 1, Buffer.from(text));
    }
    await sent;
    await until(() => right.frames.length === 5);
    const texts = right.frames.slice(1).map((frame) => `${frame.type} ${frame.body}`);
    expect(texts).toEqual(['9 newest', '10 old', '10 older', '10 newest']);
  });

  test('that pile up before a peer that does not read end the connection', async () => {
    const [socket] = await socketPair();
    const { connection } = collect(socket);
    void connection.send(DATA, Buffer.alloc(16 * MIB));
    void connection.send(DATA, Buffer.alloc(16 * MIB));
    for (let i = 0; i < 100; i++) connection.sendControl(CONTROL, Buffer.alloc(CONTROL_BODY_BYTES_MAX));
    expect(await connection.closed).toBeInstanceOf(ConnectionLostError);
  });
});

describe('backpressure', () => {
  test('stops the sender while a frame is handled, and takes at most one frame more', async () => {
    const [a, b] = await socketPair();
    const { connection: left } = collect(a);
    let release = (): void => {};
    const blocked = new Promise<void>((resolve) => {
      release = resolve;
    });
    const handled: number[] = [];
    let busy = 0;
    const { connection: right } = collect(b, {
      onFrame: async (frame) => {
        expect(++busy).toBe(1);
        await blocked;
        handled.push(frame.frameNumber);
        busy--;
      },
    });
    const body = Buffer.alloc(MIB);
    let sent = 0;
    const sending = (async () => {
      for (; sent < 100; sent++) await left.send(DATA, body);
    })();
    await until(() => busy === 1);
    await turns(300);
    // Two frames, what one read brings on top, and the heartbeat.
    expect(right.wire.bytesReceived).toBeLessThan(2 * MIB + 3 * 65_536 + 1000);
    expect(sent).toBeLessThan(100);
    release();
    await sending;
    await until(() => handled.length === 100);
    expect(handled).toEqual(handled.toSorted((x, y) => x - y));
  });

  test('a caller that does not wait for its sends is told', async () => {
    const [socket] = await socketPair();
    const { connection } = collect(socket);
    void connection.send(DATA, Buffer.alloc(16 * MIB));
    for (let i = 0; i < WAITING_FRAMES_MAX; i++) void connection.send(DATA, Buffer.alloc(1));
    await expect(connection.send(DATA, Buffer.alloc(1))).rejects.toThrow(InvalidArgumentError);
  });

  test('send waits for the system to take what goes over sendBufferBytesMax', async () => {
    const [socket, peer] = await socketPair();
    const { connection } = collect(socket, { sendBufferBytesMax: 65_536 });
    let resolved = false;
    const sent = connection.send(DATA, Buffer.alloc(16 * MIB)).then(() => {
      resolved = true;
    });
    await turns(100);
    expect(resolved).toBe(false);
    const frames = readFrames(peer);
    await sent;
    await until(() => frames.some((frame) => frame.type === DATA));
  });
});

describe('a handler that fails ends the connection', () => {
  const failure = new AbortedError('a test');
  test.each([
    [
      'thrown',
      () => {
        throw failure;
      },
    ],
    [
      'rejected',
      async () => {
        await turns(2);
        throw failure;
      },
    ],
  ])('%s', async (_how, onFrame) => {
    const [left, right] = await connectionPair({}, { onFrame });
    left.connection.sendControl(CONTROL, Buffer.alloc(0));
    expect(await right.connection.closed).toBe(failure);
    expect(await left.connection.closed).toBeUndefined();
  });

  test('with the frame that waited behind it dropped', async () => {
    let calls = 0;
    const onFrame = async (): Promise<void> => {
      calls++;
      await turns(20);
      throw new Error('not one of ours');
    };
    const [left, right] = await connectionPair({}, { onFrame });
    left.connection.sendControl(CONTROL, Buffer.alloc(0));
    left.connection.sendControl(CONTROL, Buffer.alloc(0));
    const reason = await right.connection.closed;
    expect(reason).toBeInstanceOf(ConnectionLostError);
    expect(reason).toMatchObject({ cause: { message: 'not one of ours' } });
    await turns(50);
    expect(calls).toBe(1);
  });
});

describe('end', () => {
  test('sends everything that is queued, and both sides end in order', async () => {
    const [left, right] = await connectionPair();
    for (let i = 0; i < 10; i++) void left.connection.send(DATA, Buffer.alloc(MIB));
    left.connection.sendControl(CONTROL, Buffer.from('last'));
    await left.connection.end();
    expect(await left.connection.closed).toBeUndefined();
    expect(await right.connection.closed).toBeUndefined();
    expect(right.frames).toHaveLength(11);
    await expect(left.connection.send(DATA, Buffer.alloc(1))).rejects.toThrow(ClosedError);
  });

  test('of both sides at once, with data under way in both directions', async () => {
    const [left, right] = await connectionPair();
    for (const { connection } of [left, right]) {
      for (let i = 0; i < 5; i++) void connection.send(DATA, Buffer.alloc(MIB));
    }
    await Promise.all([left.connection.end(), right.connection.end()]);
    expect([await left.connection.closed, await right.connection.closed]).toEqual([undefined, undefined]);
    expect([left.frames.length, right.frames.length]).toEqual([5, 5]);
  });

  test('waits until what came in was handled, also when the socket is long closed', async () => {
    const [a, b] = await socketPair();
    const left = collect(a);
    let handled = 0;
    const onFrame = async (): Promise<void> => {
      await turns(30);
      handled++;
    };
    const right = collect(b, { onFrame });
    for (let i = 0; i < 5; i++) void left.connection.send(DATA, Buffer.alloc(100));
    void left.connection.end();
    await right.connection.end();
    expect(handled).toBe(5);
    expect(await right.connection.closed).toBeUndefined();
  });

  test('answers to the last frames still go out, on sockets that were made without half-open ends too', async () => {
    const [a, b] = await socketPair(false);
    const left = collect(a);
    const right: Connection = new Connection({
      socket: b,
      onFrame: async (frame) => {
        await turns(10);
        right.sendControl(CONTROL, frame.body);
      },
    });
    right.established();
    for (const text of ['one', 'two', 'three']) void left.connection.send(DATA, Buffer.from(text));
    await left.connection.end();
    expect(left.frames.map((frame) => frame.body.toString())).toEqual(['one', 'two', 'three']);
  });

  test('twice is one end', async () => {
    const [left] = await connectionPair();
    await Promise.all([left.connection.end(), left.connection.end()]);
    await left.connection.end();
  });
});

describe('destroy', () => {
  test('tells everyone who waits, and nothing is called after it', async () => {
    const [a, b] = await socketPair();
    const left = collect(a);
    const right = collect(b);
    const sends = Array.from({ length: 5 }, () => left.connection.send(DATA, Buffer.alloc(16 * MIB)));
    const reason = new ConnectionLostError('a peer', 'the test says so');
    left.connection.destroy(reason);
    left.connection.destroy(new ConnectionLostError('a peer', 'too late'));
    for (const sent of sends) await expect(sent).rejects.toBe(reason);
    await expect(left.connection.send(DATA, Buffer.alloc(1))).rejects.toBe(reason);
    left.connection.sendControl(CONTROL, Buffer.alloc(1));
    const { bytesSent } = left.connection.wire;
    await left.connection.end();
    expect(await left.connection.closed).toBe(reason);
    await turns(20);
    expect(left.connection.wire.bytesSent).toBe(bytesSent);
    expect(await right.connection.closed).toBeInstanceOf(ConnectionLostError);
  });

  test('from within the handler stops the frames that came with it', async () => {
    const [socket, peer] = await socketPair();
    let calls = 0;
    const connection: Connection = new Connection({
      socket,
      onFrame: () => {
        calls++;
        connection.destroy(new ConnectionLostError('a peer', 'enough'));
      },
    });
    peer.write(Buffer.concat([0, 1, 2].map((frameNumber) => frameBytes({ frameNumber }))));
    await connection.closed;
    expect(calls).toBe(1);
  });

  test('a socket that was closed before is a lost connection', async () => {
    const [socket] = await socketPair();
    socket.destroy();
    expect(await collect(socket).connection.closed).toBeInstanceOf(ConnectionLostError);
    await until(() => socket.closed);
    expect(await collect(socket).connection.closed).toBeInstanceOf(ConnectionLostError);
  });

  test('so is one that the peer resets', async () => {
    const [socket, peer] = await socketPair();
    const { connection } = collect(socket);
    peer.resetAndDestroy();
    expect(await connection.closed).toBeInstanceOf(ConnectionLostError);
  });
});

describe('a hostile peer', () => {
  const good = frameBytes({ frameNumber: 0 }, Buffer.from('good'));
  const cases: Array<[string, Buffer, typeof ProtocolError | typeof ConnectionLostError]> = [
    ['garbage', Buffer.alloc(200, 'x'), ProtocolError],
    ['the same frame again', good, ProtocolError],
    ['a frame from the future', frameBytes({ frameNumber: 2 }), ProtocolError],
    ['an oversize frame', frameBytes({ frameNumber: 1, bodyLength: 0xffff_ffff }), ProtocolError],
    ['a damaged body', frameBytes({ frameNumber: 1, bodyChecksum: 1n }, Buffer.from('bad')), ProtocolError],
    ['half a header', good.subarray(0, 20), ConnectionLostError],
    ['half a body', frameBytes({ frameNumber: 1, bodyLength: 100 }, Buffer.alloc(50)), ConnectionLostError],
    ['a PING that is too long', frameBytes({ type: 1, frameNumber: 1 }, Buffer.alloc(9)), ProtocolError],
    [
      'a PONG from the future',
      frameBytes({ type: 2, frameNumber: 1 }, Buffer.from([0, 0, 0, 0, 0, 0, 1, 0])),
      ProtocolError,
    ],
    ['a PONG that is too long', frameBytes({ type: 2, frameNumber: 1 }, Buffer.alloc(9)), ProtocolError],
    ['an empty PONG', frameBytes({ type: 2, frameNumber: 1 }), ProtocolError],
  ];
  test.each(cases)('that sends %s after a good frame is dropped, the frame is not', async (_name, bytes, error) => {
    const [socket, peer] = await socketPair();
    const { connection, frames } = collect(socket);
    peer.end(Buffer.concat([good, bytes]));
    expect(await connection.closed).toBeInstanceOf(error);
    expect(frames.map((frame) => frame.body.toString())).toEqual(['good']);
  });

  test('that sends byte by byte gets its frame through, and no memory before its header', async () => {
    const [socket, peer] = await socketPair();
    const { frames } = collect(socket);
    for (const byte of good) {
      peer.write(Buffer.of(byte));
      await turns(1);
    }
    await until(() => frames.length === 1);
  });

  test('before the handshake gets no more than small frames', async () => {
    const [socket, peer] = await socketPair();
    const connection = new Connection({ socket, onFrame: () => {} });
    peer.write(frameBytes({}, Buffer.alloc(65_536)));
    expect(await connection.closed).toBeInstanceOf(ProtocolError);
  });

  test('before the handshake is read frame by frame, so that one decides about the next', async () => {
    const [socket, peer] = await socketPair();
    const sizes: number[] = [];
    const connection: Connection = new Connection({
      socket,
      onFrame: async (frame) => {
        sizes.push(frame.bodyLength);
        await turns(5);
        if (frame.bodyLength === 5) connection.established();
      },
    });
    peer.write(Buffer.concat([frameBytes({}, Buffer.alloc(5)), frameBytes({ frameNumber: 1 }, Buffer.alloc(MIB))]));
    await until(() => sizes.length === 2);
    expect(sizes).toEqual([5, MIB]);
    await turns(10);
    connection.destroy(new ClosedError('the test'));
  });

  test('that pings without end gets answers, not memory', async () => {
    const [socket, peer] = await socketPair();
    const { connection } = collect(socket);
    const pings = (from: number): Buffer =>
      Buffer.concat(
        Array.from({ length: 1000 }, (_, i) => frameBytes({ type: 1, frameNumber: from + i }, Buffer.alloc(8, i))),
      );
    void connection.send(DATA, Buffer.alloc(16 * MIB));
    for (let from = 0; from < 20_000; from += 1000) peer.write(pings(from));
    await until(() => connection.wire.bytesReceived === 20_000 * 56);
    const frames = readFrames(peer);
    await until(() => frames.some((frame) => frame.type === DATA));
    await turns(20);
    const last = frames.filter((frame) => frame.type === 2).at(-1);
    expect(last?.body).toEqual(Buffer.alloc(8, 999));
    expect(frames.length).toBeLessThan(20);
  });
});
