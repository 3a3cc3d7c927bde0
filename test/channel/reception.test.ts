import { EventEmitter, once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { Listener, type ListenerOptions } from '../../src/channel/listener.js';
import { openSecurity } from '../../src/channel/open-security.js';
import { Reception } from '../../src/channel/reception.js';
import { QUIET_MS, Refusals, TOLD_MAX } from '../../src/channel/refusals.js';
import type { SecuredSocket, Security } from '../../src/channel/security.js';
import { Strangers, sourceOf } from '../../src/channel/strangers.js';
import { ConnectionLostError, TlsFailedError, TlsRequiredError } from '../../src/errors.js';
import { newIdentity } from '../support/identities.js';
import { atEnd } from '../support/temp.js';
import { eventsOf } from '../support/until.js';
import { FakeClock } from './fake-clock.js';
import { turns, until } from './sockets.js';

const us = newIdentity();
const them = newIdentity();

async function listen(
  options: Partial<ListenerOptions> = {},
): Promise<{ listener: Listener; accepted: SecuredSocket[] }> {
  const accepted: SecuredSocket[] = [];
  const security = await openSecurity({ identity: them, allow: [us.id] });
  const listener = await Listener.open({ host: '0.0.0.0', port: 0, security, ...options }, (secured) => {
    secured.socket.on('error', () => {});
    accepted.push(secured);
  });
  atEnd(() => listener.close());
  return { listener, accepted };
}

/** A connection from an address of loopback. */
function dial({ port }: Listener, from = '127.0.0.1'): Socket {
  const socket = connect({ port, host: '127.0.0.1', localAddress: from, allowHalfOpen: true });
  atEnd(() => socket.destroy());
  return socket.on('error', () => {});
}

async function join(listener: Listener, from?: string): Promise<SecuredSocket> {
  const security = await openSecurity({ identity: us, allow: [them.id] });
  const raw = dial(listener, from);
  await once(raw, 'connect');
  return security.client(raw, { peer: 'the receiver', host: '127.0.0.1' });
}

describe('a listener that wants to know who comes', () => {
  test('hands on who has proved it, and nobody else', async () => {
    const { listener, accepted } = await listen();
    const refused = eventsOf('refused');
    dial(listener).write('GET / HTTP/1.1\r\n\r\n');
    await until(() => refused.length === 1);
    await join(listener);
    expect(accepted.map(({ peerId }) => peerId)).toEqual([us.id]);
    expect([listener.connections, listener.strangers]).toEqual([1, 0]);
    expect(refused).toMatchObject([{ address: '127.0.0.1', problem: { code: 'TLS_REQUIRED' }, quiet: 0 }]);
  });

  test('does not speak of those who look whether the port is open', async () => {
    const { listener } = await listen();
    const refused = eventsOf('refused');
    const look = dial(listener);
    await until(() => listener.strangers === 1);
    look.destroy();
    await until(() => listener.strangers === 0);
    expect(refused).toEqual([]);
  });

  test('counts strangers apart from those it knows, and has room for both', async () => {
    const { listener, accepted } = await listen({ strangersMax: 3, connectionsMax: 1 });
    const silent = [dial(listener), dial(listener)];
    await until(() => listener.strangers === 2);
    await join(listener);
    await until(() => accepted.length === 1);
    expect(silent.some((socket) => socket.destroyed)).toBe(false);
    expect(listener.connections).toBe(1);
  });

  test('lets a node in past any number of silent strangers from elsewhere', async () => {
    const { listener, accepted } = await listen({ strangersMax: 4 });
    const refused = eventsOf('refused');
    const [left] = [dial(listener, '127.0.0.3')];
    await until(() => listener.strangers === 1);
    for (let i = 0; i < 20; i++) {
      dial(listener, '127.0.0.2');
      await until(() => listener.strangers === Math.min(4, i + 2));
    }
    await join(listener);
    await until(() => accepted.length === 1);
    expect(left?.destroyed).toBe(false);
    expect(listener.strangers).toBeLessThanOrEqual(4);
    await until(() => refused.length > 0);
    expect(refused).toMatchObject([{ address: '127.0.0.2', problem: { code: 'TLS_FAILED' } }]);
  });

  test('ends the wait for a silent one after the time for a handshake', async () => {
    const clock = new FakeClock();
    const { listener } = await listen({ handshakeTimeoutMs: 700, clock });
    const refused = eventsOf('refused');
    const silent = dial(listener).resume();
    await until(() => listener.strangers === 1);
    await clock.advance(699);
    expect(listener.strangers).toBe(1);
    await clock.advance(1);
    await once(silent, 'end');
    expect(refused).toMatchObject([{ problem: { found: 'no TLS handshake within 700 ms' } }]);
  });

  test('ends the wait for one whose handshake comes drop by drop just as soon', async () => {
    const clock = new FakeClock();
    const { listener } = await listen({ handshakeTimeoutMs: 700, clock });
    const refused = eventsOf('refused');
    const drop = dial(listener).resume();
    const head = Buffer.of(22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3);
    await until(() => listener.strangers === 1);
    for (const byte of head.subarray(0, 6)) {
      drop.write(Buffer.of(byte));
      await clock.advance(100);
    }
    await clock.advance(99);
    expect(listener.strangers).toBe(1);
    await clock.advance(1);
    await until(() => drop.closed);
    expect([listener.strangers, clock.pendingTimers]).toEqual([0, 0]);
    expect(drop.bytesRead).toBe(0);
    expect(refused).toMatchObject([{ problem: { code: 'TLS_FAILED' } }]);
  });

  test('when it closes, cuts off who is still proving it so that nobody takes that for a refusal', async () => {
    const { listener } = await listen();
    const refused = eventsOf('refused');
    const silent = dial(listener);
    await until(() => listener.strangers === 1);
    const [[error]] = await Promise.all([once(silent.resume(), 'error'), listener.close()]);
    expect(error).toMatchObject({ code: 'ECONNRESET' });
    expect(refused).toEqual([]);
  });
});

describe('strangers', () => {
  const from = (remoteAddress: string): Socket =>
    Object.assign(new EventEmitter(), { remoteAddress }) as unknown as Socket;

  test('make room at the cost of the source that has the most, its oldest first', () => {
    const strangers = new Strangers(4);
    const [quiet, ...loud] = [from('10.0.0.1'), from('10.0.0.2'), from('10.0.0.2'), from('10.0.0.2'), from('10.0.0.2')];
    for (const socket of [quiet, ...loud.slice(0, 3)]) expect(strangers.add(socket as Socket)).toBeUndefined();
    expect(strangers.add(loud[3] as Socket)).toBe(loud[0]);
    expect(strangers.add(from('10.0.0.3'))).toBe(loud[1]);
    expect(strangers.size).toBe(4);
    expect([...strangers]).toContain(quiet);
  });

  test('are gone once, however often they are taken out', () => {
    const strangers = new Strangers(4);
    const socket = from('::1');
    strangers.add(socket);
    expect(strangers.delete(socket, sourceOf('::1'))).toBe(true);
    expect(strangers.delete(socket, sourceOf('::1'))).toBe(false);
    expect(strangers.size).toBe(0);
  });

  test.each([
    ['10.1.2.3', '10.1.2.3'],
    ['::ffff:10.1.2.3', '10.1.2.3'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
    ['2001:db8::5', '2001:db8:0:0'],
    ['::1', '0:0:0:0'],
    ['fe80::1%eth0', 'fe80:0:0:0'],
    ['', ''],
  ])('%s counts as %s', (address, source) => {
    expect(sourceOf(address)).toBe(source);
  });
});

/** What a socket is to those who wait for its handshake. */
class HalfOpen extends EventEmitter {
  static open = 0;
  readonly remotePort = 1;

  constructor(readonly remoteAddress: string) {
    super();
    HalfOpen.open++;
  }

  get socket(): Socket {
    return this as unknown as Socket;
  }

  resetAndDestroy(): void {
    HalfOpen.open--;
    this.emit('close');
  }
}

describe('half-open connections, counted and not opened', () => {
  const STRANGERS_MAX = 64;

  /** A few that send many, and many that send a few. */
  const addressOf = (count: number): string =>
    count % 3 === 0 ? `10.0.0.${count % 5}` : `2001:db8:${(count >> 4).toString(16)}::${count % 16}`;

  test('are never more than there may be, of a million', () => {
    const strangers = new Strangers(STRANGERS_MAX);
    const kept = new Set<Socket>();
    for (let count = 0; count < 1_000_000; count++) {
      const socket = { remoteAddress: addressOf(count) } as Socket;
      kept.add(socket);
      const displaced = strangers.add(socket);
      if (displaced !== undefined) kept.delete(displaced);
      if (kept.size > STRANGERS_MAX) break;
    }
    expect(strangers.size).toBe(STRANGERS_MAX);
    expect(new Set(strangers)).toEqual(kept);
  });

  test('are sent away for those that come, and told of a bounded number of times', async () => {
    const security: Security = {
      nodeId: undefined,
      proves: true,
      client: () => Promise.reject(new Error('nobody dials')),
      // Silent until they are sent away.
      server: (raw) =>
        new Promise((_, reject) => raw.once('close', () => reject(new ConnectionLostError('x', 'gone')))),
    };
    const reception = new Reception({ security, strangersMax: STRANGERS_MAX, clock: new FakeClock() });
    const told = eventsOf('refused');
    let [most, admitted] = [0, 0];
    for (let count = 0; count < 20_000; count++) {
      void reception.enter(new HalfOpen(addressOf(count)).socket).then((secured) => {
        if (secured !== undefined) admitted++;
      });
      most = Math.max(most, HalfOpen.open, reception.strangers);
    }
    await turns(1);
    expect([most, reception.strangers, admitted]).toEqual([STRANGERS_MAX, STRANGERS_MAX, 0]);
    expect(told.length).toBeLessThanOrEqual(TOLD_MAX);
    reception.close();
    await turns(1);
    expect([HalfOpen.open, reception.strangers]).toEqual([0, 0]);
  });
});

describe('refusals', () => {
  const failed = new TlsFailedError('x', 'test');

  test('are told once a minute for each code and address, with the number of those kept quiet', async () => {
    const clock = new FakeClock();
    const refusals = new Refusals(clock);
    const told = eventsOf('refused');
    for (let i = 0; i < 10; i++) refusals.refuse('10.0.0.1', failed);
    refusals.refuse('10.0.0.1', new TlsRequiredError('x'));
    refusals.refuse('10.0.0.2', failed);
    expect(told.map(({ address, quiet }) => [address, quiet])).toEqual([
      ['10.0.0.1', 0],
      ['10.0.0.1', 0],
      ['10.0.0.2', 0],
    ]);
    await clock.advance(QUIET_MS - 1);
    refusals.refuse('10.0.0.1', failed);
    expect(told).toHaveLength(3);
    await clock.advance(1);
    refusals.refuse('10.0.0.1', failed);
    expect(told.at(-1)).toMatchObject({ address: '10.0.0.1', quiet: 10 });
  });

  test('from any number of addresses are a bounded number of lines', async () => {
    const clock = new FakeClock();
    const refusals = new Refusals(clock);
    const told = eventsOf('refused');
    for (let i = 0; i < 10_000; i++) refusals.refuse(`address ${i}`, failed);
    expect(told).toHaveLength(TOLD_MAX);
    await clock.advance(QUIET_MS);
    refusals.refuse('the next', failed);
    expect(told.at(-1)).toMatchObject({ address: 'the next', quiet: 10_000 - TOLD_MAX });
  });
});
