import { afterEach, describe, expect, test } from 'vitest';
import { Connection } from '../../src/channel/connection.js';
import { FRAME_HEADER_BYTES } from '../../src/channel/frame.js';
import { CONTROL_BODY_BYTES_MAX } from '../../src/channel/lanes.js';
import {
  ClosedError,
  ConnectionLostError,
  InvalidArgumentError,
  LonghaulError,
  ProtocolError,
} from '../../src/errors.js';
import {
  closeAll,
  collect,
  connectionPair,
  FAILING_HANDLERS,
  frameBytes,
  HANDLER_FAILURE,
  Load,
  readFrames,
  socketPair,
  turns,
  until,
} from './sockets.js';

afterEach(closeAll);

const PONG = 2;
const HELLO = 3;
const WELCOME = 4;
const BATCH = 8;
const MIB = 1024 * 1024;

describe('frames of the connection', () => {
  test('cross in order, both ways, numbered on it and of no session', async () => {
    const [left, right] = await connectionPair();
    const sizes = [0, 1, 4000, CONTROL_BODY_BYTES_MAX];
    for (const [index, size] of sizes.entries()) left.connection.sendControl(HELLO + index, Buffer.alloc(size, index));
    right.connection.sendControl(WELCOME, Buffer.from('back'));
    await until(() => right.frames.length === 4 && left.frames.length === 1);
    expect(right.frames.map((frame) => frame.bodyLength)).toEqual(sizes);
    expect(right.frames.map((frame) => frame.type)).toEqual([3, 4, 5, 6]);
    expect(right.frames.every(({ session, generation }) => session === 0n && generation === 0)).toBe(true);
    expect(right.frames[3]?.body.equals(Buffer.alloc(CONTROL_BODY_BYTES_MAX, 3))).toBe(true);
    const numbers = right.frames.map((frame) => frame.frameNumber);
    expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
    expect(left.frames[0]?.body.toString()).toBe('back');
  });

  test('over the limit are refused where they are sent', async () => {
    const [left] = await connectionPair();
    const tooLong = Buffer.alloc(CONTROL_BODY_BYTES_MAX + 1);
    expect(() => left.connection.sendControl(HELLO, tooLong)).toThrow(InvalidArgumentError);
  });

  test('may be many, as long as the peer reads', async () => {
    const [left, right] = await connectionPair();
    for (let i = 1; i <= 40; i++) {
      left.connection.sendControl(HELLO, Buffer.alloc(CONTROL_BODY_BYTES_MAX));
      await until(() => right.frames.length === i);
    }
  });

  test('of one type replace each other while they wait, if asked to', async () => {
    const [socket, peer] = await socketPair();
    const { connection } = collect(socket);
    void new Load(connection).send(BATCH, Buffer.alloc(64 * MIB));
    await turns(50);
    for (const text of ['old', 'older', 'newest']) {
      connection.sendControl(HELLO, Buffer.from(text), { replace: true });
      connection.sendControl(WELCOME, Buffer.from(text));
    }
    const frames = readFrames(peer);
    const own = () => frames.filter(({ type }) => type === HELLO || type === WELCOME);
    await until(() => own().length === 4);
    const texts = own().map((frame) => `${frame.type} ${frame.body}`);
    expect(texts).toEqual(['3 newest', '4 old', '4 older', '4 newest']);
  });

  test('that pile up before a peer that does not read end the connection', async () => {
    const [socket] = await socketPair();
    const { connection } = collect(socket);
    for (let i = 0; i < 100; i++) connection.sendControl(HELLO, Buffer.alloc(CONTROL_BODY_BYTES_MAX));
    expect(await connection.closed).toBeInstanceOf(ConnectionLostError);
  });
});

describe('frames of a session', () => {
  test('come from its owner and go to it, beside those of the connection', async () => {
    const [left, right] = await connectionPair();
    const [from, to] = [new Load(left.connection, 7n), new Load(right.connection)];
    const body = Buffer.alloc(3 * MIB, 5);
    const sent = from.send(BATCH, body);
    left.connection.sendControl(HELLO, Buffer.from('own'));
    await sent;
    await until(() => to.body.byteLength === body.byteLength && right.frames.length === 1);
    expect(to.body.equals(body)).toBe(true);
    expect(to.frames.map(({ frameNumber }) => frameNumber)).toEqual([...to.frames.keys()]);
    expect(to.frames.every(({ session, type }) => session === 7n && type === BATCH)).toBe(true);
    expect(right.frames[0]?.body.toString()).toBe('own');
  });

  test('are taken only as the socket takes them, so that a frame of the connection goes before those that wait', async () => {
    const [socket, peer] = await socketPair();
    const { connection } = collect(socket);
    const load = new Load(connection);
    void load.send(BATCH, Buffer.alloc(64 * MIB));
    await turns(100);
    expect(load.waitingBytes).toBeGreaterThan(32 * MIB);
    connection.sendControl(HELLO, Buffer.from('ahead'));
    const left = load.waitingBytes;
    const frames = readFrames(peer);
    await until(() => frames.some(({ type }) => type === HELLO));
    const before = frames.slice(
      0,
      frames.findIndex(({ type }) => type === HELLO),
    );
    const bytes = before.reduce((sum, { bodyLength }) => sum + bodyLength, 0);
    expect(bytes).toBeLessThanOrEqual(64 * MIB - left + MIB);
  });

  test('are counted to the byte, with all others', async () => {
    const [left, right] = await connectionPair();
    const [from, to] = [new Load(left.connection), new Load(right.connection)];
    for (let i = 0; i < 20; i++) await from.send(BATCH, Buffer.alloc(i * 10_000));
    left.connection.sendControl(HELLO, Buffer.alloc(10));
    await Promise.all([left.connection.end(), right.connection.end()]);
    const { data, control } = left.connection.framesBytes;
    expect(data.sent).toBe(to.frames.length * FRAME_HEADER_BYTES + 190 * 10_000);
    expect(data.sent + control.sent).toBe(left.connection.wire.bytesSent);
    expect(left.connection.wire.bytesSent).toBe(right.connection.wire.bytesReceived);
    expect(right.connection.wire.bytesSent).toBe(left.connection.wire.bytesReceived);
    expect(right.connection.wire.bytesSent).toBe(right.connection.framesBytes.control.sent);
  });

  test('that the system has not taken yet are not counted as sent', async () => {
    const [socket, peer] = await socketPair();
    const { connection } = collect(socket);
    void new Load(connection).send(BATCH, Buffer.alloc(32 * MIB));
    await turns(20);
    const { data } = connection.framesBytes;
    expect(connection.wire.bytesSent).toBeLessThan(data.sent);
    let read = 0;
    peer.on('data', (chunk: Buffer) => {
      read += chunk.byteLength;
    });
    await until(
      () => read > 32 * MIB && read === connection.framesBytes.data.sent + connection.framesBytes.control.sent,
    );
    expect(connection.wire.bytesSent).toBe(read);
  });

  test('before it has one end the connection', async () => {
    const [socket, peer] = await socketPair();
    const { connection } = collect(socket);
    peer.write(frameBytes({ session: 1n }));
    expect(await connection.closed).toBeInstanceOf(ProtocolError);
  });

  test('that the owner does not want end the connection with what it threw', async () => {
    const [left, right] = await connectionPair();
    const reason = new ProtocolError('this', 'that');
    new Load(right.connection).accept = () => {
      throw reason;
    };
    void new Load(left.connection).send(BATCH, Buffer.alloc(10));
    expect(await right.connection.closed).toBe(reason);
    expect(await left.connection.closed).toBeUndefined();
  });
});

describe('backpressure', () => {
  test('stops the peer while a frame is handled, and takes at most one frame more', async () => {
    const [socket, peer] = await socketPair();
    let release = (): void => {};
    const blocked = new Promise<void>((resolve) => {
      release = resolve;
    });
    const handled: number[] = [];
    let busy = 0;
    const { connection } = collect(socket, {
      onFrame: async (frame) => {
        expect(++busy).toBe(1);
        await blocked;
        handled.push(frame.frameNumber);
        busy--;
      },
    });
    const body = Buffer.alloc(MIB);
    for (let frameNumber = 0; frameNumber < 50; frameNumber++) peer.write(frameBytes({ frameNumber }, body));
    await until(() => busy === 1);
    await turns(300);
    // Two frames, and what one read brings on top.
    expect(connection.wire.bytesReceived).toBeLessThan(2 * MIB + 3 * 65_536 + 1000);
    release();
    await until(() => handled.length === 50);
    expect(handled).toEqual(Array.from({ length: 50 }, (_, number) => number));
  });
});

describe('a handler that fails ends the connection', () => {
  test.each(FAILING_HANDLERS)('%s', async (_how, onFrame) => {
    const [left, right] = await connectionPair({}, { onFrame });
    left.connection.sendControl(HELLO, Buffer.alloc(0));
    expect(await right.connection.closed).toBe(HANDLER_FAILURE);
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
    left.connection.sendControl(HELLO, Buffer.alloc(0));
    left.connection.sendControl(HELLO, Buffer.alloc(0));
    const reason = await right.connection.closed;
    expect(reason).toBeInstanceOf(ConnectionLostError);
    expect(reason).toMatchObject({ cause: { message: 'not one of ours' } });
    await turns(50);
    expect(calls).toBe(1);
  });
});

describe('end', () => {
  test('sends every frame of the connection that is queued, and both sides end in order', async () => {
    const [left, right] = await connectionPair();
    for (let i = 0; i < 10; i++) left.connection.sendControl(HELLO, Buffer.alloc(CONTROL_BODY_BYTES_MAX));
    left.connection.sendControl(WELCOME, Buffer.from('last'));
    await left.connection.end();
    expect(await left.connection.closed).toBeUndefined();
    expect(await right.connection.closed).toBeUndefined();
    expect(right.frames).toHaveLength(11);
    left.connection.sendControl(HELLO, Buffer.from('too late'));
    expect(left.connection.isOpen).toBe(false);
  });

  test('lets a frame of the session go out whole that has begun, and takes no further one', async () => {
    const [socket, peer] = await socketPair();
    const { connection } = collect(socket);
    const load = new Load(connection);
    void load.send(BATCH, Buffer.alloc(64 * MIB));
    await turns(20);
    const { waitingBytes } = load;
    void connection.end();
    const frames = readFrames(peer);
    peer.end();
    await until(() => peer.readableEnded);
    expect(await connection.closed).toBeUndefined();
    expect(load.waitingBytes).toBe(waitingBytes);
    const bytes = frames.reduce((sum, { type, bodyLength }) => sum + (type === BATCH ? bodyLength : 0), 0);
    // One more than waits, so that an empty message counts too.
    expect(bytes + waitingBytes - 1).toBe(64 * MIB);
  });

  test('of both sides at once, with frames under way in both directions', async () => {
    const [left, right] = await connectionPair();
    for (const { connection } of [left, right]) {
      for (let i = 0; i < 5; i++) connection.sendControl(HELLO, Buffer.alloc(CONTROL_BODY_BYTES_MAX));
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
    for (let i = 0; i < 5; i++) left.connection.sendControl(HELLO, Buffer.alloc(100));
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
        right.sendControl(WELCOME, frame.body);
      },
    });
    right.established();
    for (const text of ['one', 'two', 'three']) left.connection.sendControl(HELLO, Buffer.from(text));
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
  test('is final, and nothing is called after it', async () => {
    const [left, right] = await connectionPair();
    const load = new Load(left.connection);
    void load.send(BATCH, Buffer.alloc(64 * MIB));
    new Load(right.connection);
    await turns(5);
    const reason = new ConnectionLostError('a peer', 'the test says so');
    left.connection.destroy(reason);
    left.connection.destroy(new ConnectionLostError('a peer', 'too late'));
    const { waitingBytes } = load;
    left.connection.sendControl(HELLO, Buffer.alloc(1));
    left.connection.wake();
    const { bytesSent } = left.connection.wire;
    await left.connection.end();
    expect(await left.connection.closed).toBe(reason);
    await turns(20);
    expect(load.waitingBytes).toBe(waitingBytes);
    expect(left.connection.wire.bytesSent).toBe(bytesSent);
    expect(await right.connection.closed).toBeInstanceOf(LonghaulError);
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
    void new Load(connection).send(BATCH, Buffer.alloc(64 * MIB));
    for (let from = 0; from < 20_000; from += 1000) peer.write(pings(from));
    await until(() => connection.wire.bytesReceived === 20_000 * 56);
    const frames = readFrames(peer);
    const pongs = () => frames.filter((frame) => frame.type === PONG);
    await until(() => pongs().at(-1)?.body.equals(Buffer.alloc(8, 999)) === true);
    expect(pongs().length).toBeLessThan(20);
  });
});
