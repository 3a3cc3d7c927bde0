import { EventEmitter, once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { Backoff } from '../../src/channel/backoff.js';
import { dial } from '../../src/channel/dial.js';
import { Listener } from '../../src/channel/listener.js';
import { AbortedError, PeerUnreachableError } from '../../src/errors.js';
import { FakeClock } from './fake-clock.js';
import { closeAll, turns, until } from './sockets.js';

afterEach(closeAll);

/** Stands in for a socket: each attempt ends as the next of the script says. */
class FakeSocket extends EventEmitter {
  destroyed = false;
  localAddress = '127.0.0.1';
  remoteAddress = '127.0.0.1';
  localPort = 40_000;
  remotePort = 7000;
  destroy(): void {
    this.destroyed = true;
  }
}

type Outcome = 'connect' | 'self' | 'silence' | string;

function scripted(outcomes: Outcome[]): { attempt: () => Socket; sockets: FakeSocket[] } {
  const sockets: FakeSocket[] = [];
  const attempt = (): Socket => {
    const outcome = outcomes[Math.min(sockets.length, outcomes.length - 1)] as Outcome;
    const socket = new FakeSocket();
    sockets.push(socket);
    if (outcome === 'self') socket.localPort = socket.remotePort;
    queueMicrotask(() => {
      if (outcome === 'connect' || outcome === 'self') socket.emit('connect');
      else if (outcome !== 'silence') socket.emit('error', Object.assign(new Error(outcome), { code: outcome }));
    });
    return socket as unknown as Socket;
  };
  return { attempt, sockets };
}

const peer = { host: '127.0.0.1', port: 7000, random: () => 1 };

describe('dial', () => {
  test('tries again, with longer and longer pauses, until somebody answers', async () => {
    const clock = new FakeClock();
    const { attempt, sockets } = scripted(['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'ETIMEDOUT', 'connect']);
    const dialled = dial({ ...peer, clock, attempt });
    const attempts: number[] = [];
    for (const pauseMs of [0, 50, 100, 200, 400]) {
      await clock.advance(pauseMs);
      attempts.push(sockets.length);
    }
    expect(attempts).toEqual([1, 2, 3, 4, 5]);
    expect(await dialled).toBe(sockets[4]);
    expect(sockets.map((socket) => socket.destroyed)).toEqual([true, true, true, true, false]);
    expect(clock.pendingTimers).toBe(0);
  });

  test('gives up when the time is over, and says what it met', async () => {
    const clock = new FakeClock();
    const { attempt, sockets } = scripted(['ECONNREFUSED']);
    const dialled = dial({ ...peer, clock, attempt, connectTimeoutMs: 3000 }).catch((error: unknown) => error);
    await clock.advance(3000);
    const error = await dialled;
    expect(error).toBeInstanceOf(PeerUnreachableError);
    expect(error).toMatchObject({ host: '127.0.0.1', port: 7000, waitedMs: 3000, cause: { code: 'ECONNREFUSED' } });
    expect(sockets.length).toBeGreaterThan(5);
    expect(clock.pendingTimers).toBe(0);
  });

  test('a network that swallows everything is given up at the same time', async () => {
    const clock = new FakeClock();
    const { attempt, sockets } = scripted(['ECONNREFUSED', 'silence']);
    const dialled = dial({ ...peer, clock, attempt, connectTimeoutMs: 3000 }).catch((error: unknown) => error);
    await clock.advance(3000);
    expect(await dialled).toMatchObject({ code: 'PEER_UNREACHABLE', cause: { code: 'ECONNREFUSED' } });
    expect(sockets.map((socket) => socket.destroyed)).toEqual([true, true]);
  });

  test('does not repeat what cannot get better', async () => {
    const { attempt, sockets } = scripted(['ENOTFOUND']);
    await expect(dial({ ...peer, clock: new FakeClock(), attempt })).rejects.toMatchObject({
      cause: { code: 'ENOTFOUND' },
    });
    expect(sockets).toHaveLength(1);
  });

  test('takes a connection with itself for a refusal', async () => {
    const clock = new FakeClock();
    const { attempt, sockets } = scripted(['self', 'connect']);
    const dialled = dial({ ...peer, clock, attempt });
    await clock.advance(50);
    expect(await dialled).toBe(sockets[1]);
    expect(sockets[0]?.destroyed).toBe(true);
  });

  test.each(['silence', 'ECONNREFUSED'])('stops at its signal (%s)', async (outcome) => {
    const clock = new FakeClock();
    const { attempt, sockets } = scripted([outcome]);
    const abort = new AbortController();
    const dialled = dial({ ...peer, clock, attempt, signal: abort.signal });
    const rejected = expect(dialled).rejects.toBeInstanceOf(AbortedError);
    await clock.advance(10);
    abort.abort();
    await rejected;
    expect(sockets[0]?.destroyed).toBe(true);
    expect(clock.pendingTimers).toBe(0);
    await expect(dial({ ...peer, clock, attempt, signal: abort.signal })).rejects.toBeInstanceOf(AbortedError);
  });

  test('finds a real listener that comes up later', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    const dialled = dial({ host: '127.0.0.1', port });
    await turns(20);
    const listener = await Listener.open({ host: '127.0.0.1', port }, () => {});
    const socket = await dialled;
    expect(socket.remotePort).toBe(port);
    socket.destroy();
    await listener.close();
  });
});

describe('Backoff', () => {
  test('doubles up to its longest step, and each pause is from a half to the whole of it', () => {
    const longest = new Backoff({ random: () => 1 });
    expect(Array.from({ length: 7 }, () => longest.next())).toEqual([50, 100, 200, 400, 800, 1000, 1000]);
    const shortest = new Backoff({ initialMs: 10, maxMs: 20, random: () => 0 });
    expect([shortest.next(), shortest.next(), shortest.next()]).toEqual([5, 10, 10]);
    shortest.reset();
    expect(shortest.next()).toBe(5);
  });

  test('waits, and stops waiting when told to', async () => {
    const clock = new FakeClock();
    const backoff = new Backoff({ clock, random: () => 1 });
    let waited = 0;
    void backoff.wait().then(() => waited++);
    void backoff.wait(undefined, 10).then(() => waited++);
    await clock.advance(49);
    expect(waited).toBe(1);
    await clock.advance(1);
    expect(waited).toBe(2);
    const abort = new AbortController();
    const waiting = backoff.wait(abort.signal);
    abort.abort();
    await expect(waiting).rejects.toBeInstanceOf(AbortedError);
    await expect(backoff.wait(abort.signal)).rejects.toBeInstanceOf(AbortedError);
    expect(clock.pendingTimers).toBe(0);
    await until(() => waited === 2);
  });
});
