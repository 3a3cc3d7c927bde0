import { afterEach, describe, expect, test } from 'vitest';
import { Bundle, type BundleOptions, type Path } from '../../src/channel/bundle.js';
import { Connection } from '../../src/channel/connection.js';
import { decodeJoin, type Join } from '../../src/channel/join.js';
import { encodeRefusal, FrameType } from '../../src/channel/messages.js';
import { ConnectionLostError, PeerUnreachableError } from '../../src/errors.js';
import { channelPair, SESSION, type Side } from './channels.js';
import { FakeClock } from './fake-clock.js';
import { closeAll, socketPair, turns } from './sockets.js';

const running = new Set<Bundle>();

afterEach(async () => {
  for (const bundle of running) await bundle.stop();
  running.clear();
  closeAll();
});

const TOKEN = Buffer.alloc(16, 9);
const LOST = new ConnectionLostError('a peer', 'the test says so');
const main: Path = { host: 'main', port: 1 };
const other: Path = { host: 'other', port: 2 };
const spare: Path = { host: 'spare', port: 3, spare: true };

interface Scene {
  bundle: Bundle;
  clock: FakeClock;
  left: Side;
  right: Side;
  joins: Join[];
  /** Hosts that were dialled, in order. */
  dialled: string[];
  /** Hosts that cannot be reached at present. */
  down: Set<string>;
  /** What the peer answers to a JOIN in the place of JOINED. */
  answer: (connection: Connection) => void;
  run: (ms: number) => Promise<void>;
  counts: () => number[];
}

/** A channel whose further connections lead to the peer over sockets, as long as their path is up. */
async function scene(paths: readonly Path[], change: Partial<BundleOptions> = {}): Promise<Scene> {
  const clock = new FakeClock();
  const options = { clock, connection: { clock } };
  const [left, right] = await channelPair(options, options);
  const all: Omit<Scene, 'bundle'> = {
    clock,
    left,
    right,
    joins: [],
    dialled: [],
    down: new Set(),
    answer: (connection) => {
      connection.sendControl(FrameType.joined, Buffer.alloc(0));
      right.channel.add(connection, all.joins.at(-1) ?? { path: 0, spare: false });
    },
    run: async (ms) => {
      for (let passed = 0; passed < ms; passed += 50) {
        await clock.advance(50);
        await turns(6);
      }
    },
    counts: () => bundle.status.map(({ connections }) => connections),
  };
  const open = async (path: Path): Promise<Connection> => {
    all.dialled.push(path.host);
    if (all.down.has(path.host)) throw new PeerUnreachableError(path.host, path.port, 1, undefined);
    const [socket, peer] = await socketPair();
    const theirs: Connection = new Connection({
      socket: peer,
      clock,
      onFrame: ({ type, body }) => {
        if (type !== FrameType.join) return;
        all.joins.push(decodeJoin(body));
        all.answer(theirs);
      },
    });
    return new Connection({ socket, clock, onFrame: () => {} });
  };
  const connections = { min: 3, max: 6 };
  const isHeld = () => false;
  const bundle = new Bundle({
    channel: left.channel,
    paths,
    token: TOKEN,
    connections,
    open,
    isHeld,
    clock,
    ...change,
  });
  running.add(bundle);
  bundle.start();
  await all.run(50);
  return Object.assign(all, { bundle });
}

describe('a bundle', () => {
  test('brings each path to its number of connections, and a spare one to a single one', async () => {
    const { counts, joins, left, right } = await scene([main, other, spare]);
    expect(counts()).toEqual([3, 3, 1]);
    expect([left.channel.members.size, right.channel.members.size]).toEqual([7, 7]);
    for (const join of joins) expect(join).toMatchObject({ session: SESSION, token: TOKEN });
    expect(joins.map(({ path, spare }) => `${path}${spare ? ' spare' : ''}`).sort()).toEqual([
      '0',
      '0',
      '1',
      '1',
      '1',
      '2 spare',
    ]);
  });

  test('opens many at once without a word of warning', async () => {
    const warnings: Error[] = [];
    const onWarning = (warning: Error): void => void warnings.push(warning);
    process.on('warning', onWarning);
    const { counts } = await scene([main, other], { connections: { min: 16, max: 16 } });
    process.off('warning', onWarning);
    expect(counts()).toEqual([16, 16]);
    expect(warnings).toEqual([]);
  });

  test('dials again what is lost, the lead too', async () => {
    const { counts, left, run } = await scene([main]);
    for (const { connection } of [...left.channel.members].slice(0, 2)) connection.destroy(LOST);
    await run(50);
    expect(counts()).toEqual([3]);
    expect(left.channel.members.size).toBe(3);
  });

  test('tries a path that is down with growing pauses, and says what is the matter', async () => {
    const all = await scene([main, other]);
    all.down.add('other');
    for (const { connection, path } of all.left.channel.members) if (path === 1) connection.destroy(LOST);
    await all.run(100);
    expect(all.bundle.status[1]).toMatchObject({
      state: 'down',
      connections: 0,
      problem: { code: 'PEER_UNREACHABLE' },
    });
    const { length: before } = all.dialled;
    await all.run(60_000);
    const tries = (all.dialled.length - before) / 3;
    expect(tries).toBeGreaterThan(11);
    expect(tries).toBeLessThan(30);
    all.down.clear();
    await all.run(5100);
    expect(all.bundle.status[1]).toMatchObject({ state: 'up', connections: 3 });
    expect(all.bundle.status[1]).not.toHaveProperty('problem');
    expect(all.counts()).toEqual([3, 3]);
  });

  test('says what the peer had against a further connection, and goes on with those that there are', async () => {
    const all = await scene([main, other]);
    all.answer = (connection) =>
      connection.sendControl(FrameType.refuse, encodeRefusal({ code: 'BUSY', message: 'not now', recoverable: true }));
    for (const { connection, path } of all.left.channel.members) if (path === 1) connection.destroy(LOST);
    await all.run(300);
    expect(all.bundle.status[1]).toMatchObject({ state: 'down', problem: { code: 'PEER_REFUSED' } });
    expect(all.counts()[0]).toBe(3);
  });

  test('gives up a further connection whose peer answers with anything else', async () => {
    const all = await scene([main, other]);
    all.answer = (connection) => connection.sendControl(FrameType.welcome, Buffer.alloc(0));
    for (const { connection, path } of all.left.channel.members) if (path === 1) connection.destroy(LOST);
    await all.run(300);
    expect(all.bundle.status[1]?.problem?.code).toBe('PROTOCOL_VIOLATION');
  });

  test('takes more connections as long as that brings more, and lets go of those that bring nothing', async () => {
    const all = await scene([main]);
    const { channel } = all.left;
    let arrivedBytes = 0;
    // What the channel would say on a line that four connections fill.
    const backlog = { waitingBytes: 1, unconfirmedBytes: 1, isHeldBack: false };
    Object.defineProperties(channel, { backlog: { get: () => backlog }, arrivedBytes: { get: () => arrivedBytes } });
    const counts = [channel.members.size];
    for (let looks = 0; looks < 60; looks++) {
      await all.run(250);
      arrivedBytes += Math.min(4, channel.members.size) * 1_000_000;
      if (counts.at(-1) !== channel.members.size) counts.push(channel.members.size);
    }
    expect(counts).toEqual([3, 5, 6, 4]);
    expect(all.counts()).toEqual([4]);
    expect(all.right.channel.members.size).toBe(4);
  });

  test('that is stopped dials no more, and leaves the connections to the channel', async () => {
    const all = await scene([main]);
    await all.bundle.stop();
    const { length } = all.dialled;
    for (const { connection } of [...all.left.channel.members].slice(1)) connection.destroy(LOST);
    await all.run(20_000);
    expect(all.dialled).toHaveLength(length);
    expect(all.left.channel.members.size).toBe(1);
  });

  test('that is stopped while one joins gives that one up', async () => {
    const all = await scene([main]);
    let asked: Connection | undefined;
    all.answer = (connection) => {
      asked = connection;
    };
    [...all.left.channel.members][1]?.connection.destroy(LOST);
    await all.run(50);
    expect(asked?.isOpen).toBe(true);
    await all.bundle.stop();
    await asked?.closed;
    expect(all.left.channel.members.size).toBe(2);
  });
});
