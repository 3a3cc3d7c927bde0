import { afterEach, describe, expect, test } from 'vitest';
import { Channel, WAITING_MESSAGES_MAX } from '../../src/channel/channel.js';
import { FRAME_HEADER_BYTES } from '../../src/channel/frame.js';
import { CONTROL_BODY_BYTES_MAX, MESSAGE_BYTES_MAX } from '../../src/channel/lanes.js';
import { FrameType } from '../../src/channel/messages.js';
import { ClosedError, ConnectionLostError, InvalidArgumentError } from '../../src/errors.js';
import { gate } from '../support/nodes.js';
import { channelPair, join, type Side, type SideOptions, sideOf, WINDOW_BYTES } from './channels.js';
import { FakeClock } from './fake-clock.js';
import { closeAll, collect, FAILING_HANDLERS, HANDLER_FAILURE, socketPair, turns, until } from './sockets.js';

afterEach(closeAll);

const { batch, reply, ack, notice, query, start } = FrameType;
const MIB = 1024 * 1024;

/** A pair over this many connections. */
async function pairOf(connections: number, left: SideOptions = {}, right: SideOptions = {}): Promise<[Side, Side]> {
  const pair = await channelPair(left, right);
  for (let count = 1; count < connections; count++) await join(...pair);
  return pair;
}

describe.each([1, 4])('messages over %d connections', (connections) => {
  test('cross in order, both ways, with the generation at the call', async () => {
    const [left, right] = await pairOf(connections);
    left.channel.generation = 7;
    const sizes = [0, 1, 4000, 70_000, 3 * MIB, MESSAGE_BYTES_MAX];
    const sends = sizes.map((size, index) => left.channel.send(batch, Buffer.alloc(size, index)));
    left.channel.generation = 8;
    sends.push(left.channel.send(reply, Buffer.from('next')));
    const back = right.channel.send(batch, Buffer.from('back'));
    await Promise.all([...sends, back]);
    await until(() => right.messages.length === 7 && left.messages.length === 1);
    expect(right.messages.map(({ body }) => body.byteLength)).toEqual([...sizes, 4]);
    expect(right.messages.map(({ generation }) => generation)).toEqual([7, 7, 7, 7, 7, 7, 8]);
    expect(right.messages.map(({ type }) => type)).toEqual([...sizes.map(() => batch), reply]);
    for (const [index, size] of sizes.entries()) {
      expect(right.messages[index]?.body.equals(Buffer.alloc(size, index)), `message ${index}`).toBe(true);
    }
    expect(left.messages[0]?.body.toString()).toBe('back');
  });

  test('of several parts arrive as one body', async () => {
    const [left, right] = await pairOf(connections);
    const small = [Buffer.from('a'), Buffer.alloc(0), Buffer.from('bc')];
    const large = [Buffer.alloc(0), Buffer.alloc(5000, 1), Buffer.alloc(100_000, 2), Buffer.alloc(0)];
    await Promise.all([left.channel.send(batch, small), left.channel.send(batch, large)]);
    await until(() => right.messages.length === 2);
    expect(right.messages[0]?.body.toString()).toBe('abc');
    expect(right.messages[1]?.body.equals(Buffer.concat(large))).toBe(true);
  });

  test('are counted to the byte', async () => {
    const [left, right] = await pairOf(connections);
    for (let i = 0; i < 20; i++) await left.channel.send(batch, Buffer.alloc(i * 1000));
    left.channel.sendControl(ack, Buffer.alloc(10));
    await until(() => right.messages.length === 21);
    await Promise.all([left.channel.end(), right.channel.end()]);
    for (const [one, other] of [
      [left, right],
      [right, left],
    ] as const) {
      const { data, control } = one.channel.framesBytes;
      expect(data.sent + control.sent).toBe(one.channel.wire.bytesSent);
      expect(one.channel.wire.bytesSent).toBe(other.channel.wire.bytesReceived);
    }
    expect(left.channel.framesBytes.data.sent).toBe(20 * FRAME_HEADER_BYTES + 190 * 1000);
    expect(right.channel.framesBytes.data.sent).toBe(0);
  });

  test('that have arrived are known as such, and no longer kept', async () => {
    const [left, right] = await pairOf(connections);
    for (let i = 0; i < 8; i++) await left.channel.send(batch, Buffer.alloc(MIB));
    left.channel.sendControl(ack, Buffer.alloc(10));
    await until(() => right.messages.length === 9);
    await until(() => left.channel.arrivedBytes === 8 * MIB + 10);
    expect(left.channel.backlog).toEqual({ waitingBytes: 0, unconfirmedBytes: 0, isHeldBack: false });
  });

  test('end flushes both ways', async () => {
    const [left, right] = await pairOf(connections);
    for (const { channel } of [left, right]) {
      for (let i = 0; i < 10; i++) void channel.send(batch, Buffer.alloc(MIB));
      channel.sendControl(notice, Buffer.from('last'));
    }
    await Promise.all([left.channel.end(), right.channel.end()]);
    expect([await left.channel.closed, await right.channel.closed]).toEqual([undefined, undefined]);
    expect([left.messages.length, right.messages.length]).toEqual([11, 11]);
    await expect(left.channel.send(batch, Buffer.alloc(1))).rejects.toThrow(ClosedError);
    left.channel.sendControl(notice, Buffer.from('too late'));
  });

  test('the other side hears of the end before it answers, and need not send what it has', async () => {
    const answering: SideOptions = {
      peerWindowBytes: MIB,
      onPeerEnd: () => {
        expect(right.channel.backlog.waitingBytes).toBeGreaterThan(0);
        right.channel.destroy(new ConnectionLostError('the peer', 'it ended'));
      },
    };
    const { opened, open } = gate();
    const ending: SideOptions = { windowBytesMax: MIB, onMessage: () => opened };
    const [left, right]: [Side, Side] = await pairOf(connections, ending, answering);
    for (let i = 0; i < 20; i++) void right.channel.send(batch, Buffer.alloc(MIB));
    await until(() => right.channel.backlog.isHeldBack);
    const ended = left.channel.end();
    expect(await right.channel.closed).toMatchObject({ code: 'CONNECTION_LOST' });
    open();
    await ended;
  });

  test('end of one side is answered by the other, after its handlers and with what they brought forth', async () => {
    const answers: SideOptions = {
      onMessage: async ({ body }) => {
        await turns(10);
        await right.channel.send(reply, body);
      },
    };
    const [left, right]: [Side, Side] = await pairOf(connections, {}, answers);
    for (let i = 0; i < 5; i++) void left.channel.send(batch, Buffer.from(`message ${i}`));
    await left.channel.end();
    expect(await right.channel.closed).toBeUndefined();
    expect(left.messages.map(({ body }) => body.toString())).toEqual([0, 1, 2, 3, 4].map((i) => `message ${i}`));
  });

  test('destroy tells everyone who waits, and nothing is called after it', async () => {
    const [left, right] = await pairOf(connections, {}, { onMessage: () => new Promise(() => {}) });
    const sends = Array.from({ length: 5 }, () => left.channel.send(batch, Buffer.alloc(8 * MIB)));
    const reason = new ConnectionLostError('a peer', 'the test says so');
    left.channel.destroy(reason);
    left.channel.destroy(new ConnectionLostError('a peer', 'too late'));
    for (const sent of sends) await expect(sent).rejects.toBe(reason);
    await expect(left.channel.send(batch, Buffer.alloc(1))).rejects.toBe(reason);
    left.channel.sendControl(ack, Buffer.alloc(1));
    const { bytesSent } = left.channel.wire;
    await left.channel.end();
    expect(await left.channel.closed).toBe(reason);
    await turns(20);
    expect(left.channel.wire.bytesSent).toBe(bytesSent);
    expect(left.channel.members.size).toBe(0);
    expect(await right.channel.closed).toBeInstanceOf(ConnectionLostError);
  });
});

describe('messages', () => {
  test('over the limit are refused where they are sent', async () => {
    const [left] = await channelPair();
    await expect(left.channel.send(batch, Buffer.alloc(MESSAGE_BYTES_MAX + 1))).rejects.toThrow(InvalidArgumentError);
    const tooLong = Buffer.alloc(CONTROL_BODY_BYTES_MAX + 1);
    expect(() => left.channel.sendControl(ack, tooLong)).toThrow(InvalidArgumentError);
    expect(() => left.channel.sendControl(start, tooLong)).toThrow(InvalidArgumentError);
  });

  test('before the session begins are between the two ends of the lead alone', async () => {
    const [a, b] = await socketPair();
    const [left, right] = [collect(a).connection, collect(b).connection];
    const from = sideOf(left);
    const to = sideOf(right);
    from.channel.sendControl(start, Buffer.from('of the connection'));
    await until(() => to.messages.length === 1);
    expect(to.messages[0]?.body.toString()).toBe('of the connection');
  });

  test('are refused as long as there is no session', async () => {
    const [socket] = await socketPair();
    const channel = new Channel({ lead: collect(socket).connection, onMessage: () => {} });
    await expect(channel.send(batch, Buffer.alloc(1))).rejects.toThrow(ClosedError);
    channel.sendControl(ack, Buffer.alloc(1));
    expect(channel.add(collect(socket).connection, { path: 0, spare: false })).toBeUndefined();
  });
});

describe('control', () => {
  test('overtakes the data that has not begun', async () => {
    const [left, right] = await channelPair();
    const sends = Array.from({ length: 20 }, () => left.channel.send(batch, Buffer.alloc(MIB)));
    left.channel.sendControl(ack, Buffer.from('ahead'));
    await Promise.all(sends);
    await until(() => right.messages.length === 21);
    expect(right.messages.findIndex(({ type }) => type === ack)).toBeLessThan(5);
  });

  test('overtakes also while the handler of data is busy, and the credit is used up', async () => {
    let release = (): void => {};
    const blocked = new Promise<void>((resolve) => {
      release = resolve;
    });
    const types: number[] = [];
    const onMessage = ({ type }: { type: number }): void | Promise<void> => {
      types.push(type);
      return type === batch ? blocked : undefined;
    };
    const [left] = await channelPair({}, { onMessage });
    for (let i = 0; i < 100; i++) void left.channel.send(batch, Buffer.alloc(MIB));
    await until(() => left.channel.backlog.isHeldBack);
    left.channel.sendControl(ack, Buffer.from('ahead'));
    await until(() => types.includes(ack));
    expect(types).toEqual([batch, ack]);
    release();
    await until(() => types.length === 101);
  });

  test('may be much, as long as the peer reads', async () => {
    const [left, right] = await channelPair();
    for (let i = 1; i <= 40; i++) {
      left.channel.sendControl(ack, Buffer.alloc(CONTROL_BODY_BYTES_MAX));
      await until(() => right.messages.length === i && left.channel.arrivedBytes === i * CONTROL_BODY_BYTES_MAX);
    }
  });

  test('of one type is replaced while it waits, if asked to', async () => {
    const [socket, peer] = await socketPair();
    const { channel } = sideOf(collect(socket).connection);
    // Corked, it takes a frame and no more.
    socket.cork();
    for (let i = 0; i < 4; i++) void channel.send(batch, Buffer.alloc(MIB));
    for (const text of ['old', 'older', 'newest']) {
      channel.sendControl(ack, Buffer.from(text), { replace: true });
      channel.sendControl(notice, Buffer.from(text));
    }
    const right = sideOf(collect(peer).connection);
    socket.uncork();
    await until(() => right.messages.filter(({ type }) => type !== batch).length === 4);
    const texts = right.messages.filter(({ type }) => type !== batch).map(({ type, body }) => `${type} ${body}`);
    expect(texts).toEqual(['9 newest', '10 old', '10 older', '10 newest']);
  });

  test.each([
    ['in bytes', CONTROL_BODY_BYTES_MAX],
    ['in number', 1],
  ])('that piles up before a peer that does not read ends the channel (%s)', async (_name, bytes) => {
    const [socket] = await socketPair();
    const { channel } = sideOf(collect(socket).connection);
    for (let i = 0; i < 1100; i++) channel.sendControl(query, Buffer.alloc(bytes));
    expect(await channel.closed).toBeInstanceOf(ConnectionLostError);
  });
});

describe('backpressure', () => {
  test('a busy handler holds the peer at its credit, and gets the messages one by one', async () => {
    let release = (): void => {};
    const blocked = new Promise<void>((resolve) => {
      release = resolve;
    });
    const handled: number[] = [];
    let busy = 0;
    const onMessage = async ({ body }: { body: Buffer }): Promise<void> => {
      expect(++busy).toBe(1);
      await blocked;
      handled.push(body.readUInt32LE());
      busy--;
    };
    const [left, right] = await pairOf(3, {}, { onMessage });
    let sent = 0;
    const sending = (async () => {
      for (; sent < 100; sent++) {
        const body = Buffer.alloc(MIB);
        body.writeUInt32LE(sent);
        await left.channel.send(batch, body);
      }
    })();
    await until(() => left.channel.backlog.isHeldBack);
    await turns(200);
    // What is being handled was taken out; the credit for the rest stays as it was at the beginning.
    expect(left.channel.framesBytes.data.sent).toBeLessThan(WINDOW_BYTES + MIB + 100_000);
    expect(right.channel.wire.bytesReceived).toBeLessThan(WINDOW_BYTES + MIB + 100_000);
    expect(sent).toBeLessThan(18);
    release();
    await sending;
    await until(() => handled.length === 100);
    expect(handled).toEqual(handled.toSorted((x, y) => x - y));
  });

  test('a caller that does not wait for its sends is told', async () => {
    const [socket] = await socketPair();
    const { channel } = sideOf(collect(socket).connection);
    void channel.send(batch, Buffer.alloc(16 * MIB));
    for (let i = 1; i < WAITING_MESSAGES_MAX; i++) void channel.send(batch, Buffer.alloc(1));
    await expect(channel.send(batch, Buffer.alloc(1))).rejects.toThrow(InvalidArgumentError);
  });

  test('what is out and not confirmed is bounded, whatever the peer grants', async () => {
    const [socket, peer] = await socketPair();
    peer.resume();
    const { channel } = sideOf(collect(socket).connection, { windowBytesMax: MIB, peerWindowBytes: 1024 * MIB });
    for (let i = 0; i < 100; i++) void channel.send(batch, Buffer.alloc(MIB));
    await until(() => channel.backlog.unconfirmedBytes > 200_000);
    await turns(50);
    expect(channel.backlog.unconfirmedBytes).toBeLessThanOrEqual(MIB);
  });
});

describe('a handler that fails ends the channel', () => {
  test.each(FAILING_HANDLERS)('%s', async (_how, onMessage) => {
    const clock = new FakeClock();
    const [left, right] = await pairOf(2, {}, { onMessage, clock });
    void left.channel.send(batch, Buffer.alloc(0));
    expect(await right.channel.closed).toBe(HANDLER_FAILURE);
    await left.channel.closed;
    expect(clock.pendingTimers).toBe(0);
  });

  test('with the messages that waited behind it dropped', async () => {
    let calls = 0;
    const onMessage = async (): Promise<void> => {
      calls++;
      await turns(20);
      throw new Error('not one of ours');
    };
    const [left, right] = await channelPair({}, { onMessage });
    void left.channel.send(batch, Buffer.alloc(0));
    void left.channel.send(batch, Buffer.alloc(0));
    const reason = await right.channel.closed;
    expect(reason).toBeInstanceOf(ConnectionLostError);
    expect(reason).toMatchObject({ cause: { message: 'not one of ours' } });
    await turns(50);
    expect(calls).toBe(1);
  });
});

describe('end', () => {
  test('waits until what came in was handled, also when every socket is long closed', async () => {
    let handled = 0;
    const onMessage = async (): Promise<void> => {
      await turns(30);
      handled++;
    };
    const [left, right] = await pairOf(3, {}, { onMessage });
    for (let i = 0; i < 5; i++) void left.channel.send(batch, Buffer.alloc(100));
    void left.channel.end();
    await right.channel.end();
    expect(handled).toBe(5);
    expect(await right.channel.closed).toBeUndefined();
  });

  test('grants the peer what there is room for, as nothing can be granted afterwards', async () => {
    const [left, right] = await pairOf(4, {}, {});
    for (let i = 0; i < 30; i++) void right.channel.send(batch, Buffer.alloc(MIB));
    await left.channel.end();
    expect(await right.channel.closed).toBeUndefined();
    expect(left.messages).toHaveLength(30);
  });

  test('of a peer that has more to send than that ends the other side too, and at once', async () => {
    const clock = new FakeClock();
    const [left, right] = await pairOf(4, { windowBytesMax: 8 * MIB }, { clock });
    for (let i = 0; i < 40; i++) void right.channel.send(batch, Buffer.alloc(MIB));
    await left.channel.end();
    const reason = await right.channel.closed;
    expect(reason).toBeInstanceOf(ConnectionLostError);
    expect(reason?.message).toContain('it ended before it took everything');
    expect(left.messages.length).toBeGreaterThan(3);
    expect(left.messages.length).toBeLessThan(40);
    expect(clock.pendingTimers).toBe(0);
  });

  test('twice is one end', async () => {
    const [left] = await channelPair();
    await Promise.all([left.channel.end(), left.channel.end()]);
    await left.channel.end();
    expect(left.channel.hasPlace).toBe(false);
  });

  test('does not wait for a handler that does not get on, where this side is to end', async () => {
    const clock = new FakeClock();
    let calls = 0;
    const onMessage = (): Promise<void> => {
      calls++;
      return new Promise(() => {});
    };
    const [left, right] = await channelPair({}, { clock, onMessage });
    void left.channel.send(batch, Buffer.alloc(1));
    await until(() => calls === 1);
    let ended = false;
    void right.channel.end().then(() => {
      ended = true;
    });
    await until(() => right.channel.members.size === 0);
    await clock.advance(4999);
    expect(ended).toBe(false);
    await clock.advance(1);
    await until(() => ended);
    expect((await right.channel.closed)?.message).toContain('nothing that it sent was handled for 5000 ms');
    expect(clock.pendingTimers).toBe(0);
  });

  test('waits for a handler as long as it takes, where the peer has ended', async () => {
    const clock = new FakeClock();
    let release: (() => void) | undefined;
    const onMessage = (): Promise<void> =>
      new Promise((resolve) => {
        release = resolve;
      });
    const [left, right] = await channelPair({}, { clock, onMessage });
    void left.channel.send(batch, Buffer.alloc(1));
    await until(() => release !== undefined);
    for (const { connection } of left.channel.members) void connection.end();
    await turns(20);
    await clock.advance(100_000);
    release?.();
    expect(await right.channel.closed).toBeUndefined();
  });

  test('of the last connection is the end of the session, also while what came in is being handled', async () => {
    let release = (): void => {};
    const onMessage = (): Promise<void> =>
      new Promise((resolve) => {
        release = resolve;
      });
    const [left, right] = await channelPair({}, { onMessage });
    void left.channel.send(batch, Buffer.alloc(1));
    await until(() => left.channel.arrivedBytes === 1);
    for (const { connection } of left.channel.members) void connection.end();
    for (const { connection } of right.channel.members) void connection.end();
    await until(() => right.channel.members.size === 0);
    expect(right.channel.hasPlace).toBe(false);
    const [socket] = await socketPair();
    expect(right.channel.add(collect(socket).connection, { path: 0, spare: false })).toBeUndefined();
    release();
    expect(await right.channel.closed).toBeUndefined();
  });

  test('of a peer in the middle of a message is no orderly one', async () => {
    const [left, right] = await channelPair();
    for (const { connection } of right.channel.members) connection.sendControl(start, Buffer.alloc(0));
    await until(() => left.messages.length === 1);
    void right.channel.send(batch, Buffer.alloc(16 * MIB));
    for (const { connection } of right.channel.members) void connection.end();
    expect(await left.channel.closed).toBeInstanceOf(ConnectionLostError);
    expect(await right.channel.closed).toBeInstanceOf(ConnectionLostError);
  });
});
