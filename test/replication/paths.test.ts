import { setTimeout } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { PathStatus, Receiver, Sender, SenderOptions } from '../../src/index.js';
import { EmulatedLink } from '../sim/link.js';
import { collector, openReceiver, openSender, text } from '../support/nodes.js';
import { randomFor, rounds, SEED } from '../support/seed.js';
import { atEnd } from '../support/temp.js';
import { until } from '../support/until.js';

/** One session over several ways to the same receiver. */

interface Ways {
  sender: Sender;
  receiver: Receiver;
  links: EmulatedLink[];
  seen: ReturnType<typeof collector>;
  paths: () => PathStatus[];
}

async function over(
  spares: readonly boolean[],
  options: Partial<SenderOptions> = {},
  rateBytesPerSecond = 30e6,
): Promise<Ways> {
  const seen = collector();
  const receiver = await openReceiver({ apply: seen.apply });
  const links: EmulatedLink[] = [];
  for (const _spare of spares) {
    const target = { port: receiver.port };
    const link = await EmulatedLink.open({ target, rateBytesPerSecond, delayMs: 1 });
    atEnd(() => link.close());
    links.push(link);
  }
  const [first = { host: '', port: 0 }, ...rest] = links.map(({ host, port }) => ({ host, port }));
  const paths = rest.map((path, index) => ({ ...path, spare: spares[index + 1] ?? false }));
  const sender = await openSender({ peers: [{ name: 'one', ...first, paths }], connections: 2, ...options });
  await sender.connected();
  return { sender, receiver, links, seen, paths: () => sender.status().peers[0]?.paths ?? [] };
}

const payloadOf = (i: number): Buffer => Buffer.alloc(1 + ((i * 7919) % 30_000), `record ${i} `);

function expectAll({ seen }: Ways, count: number): void {
  const offsets = seen.records.map(({ offset }) => offset);
  expect(offsets, `LONGHAUL_SEED=${SEED}`).toEqual(Array.from({ length: count }, (_, i) => i));
  for (const { payload, offset } of seen.records) expect(payload.equals(payloadOf(offset ?? -1))).toBe(true);
}

test('paths share the load, and a spare one has its single connection', async () => {
  const ways = await over([false, false, true], { compress: 'none' }, 5e6);
  await until(
    'all connections',
    () =>
      ways
        .paths()
        .map(({ connections }) => connections)
        .join() === '2,2,1',
  );
  expect(ways.paths().map(({ state, spare }) => [state, spare ?? false])).toEqual([
    ['up', false],
    ['up', false],
    ['up', true],
  ]);
  const before = ways.links.map(({ forwardBytes }) => forwardBytes);
  await Promise.all(Array.from({ length: 800 }, (_, i) => ways.sender.append(payloadOf(i), { offset: i })));
  await ways.sender.drain('applied');
  expectAll(ways, 800);
  const [one = 0, two = 0, spare = 0] = ways.links.map(
    ({ forwardBytes }, index) => forwardBytes - (before[index] ?? 0),
  );
  expect(Math.min(one, two)).toBeGreaterThan(100_000);
  expect(spare).toBeLessThan(10_000);
});

test('a path into a black hole costs a moment, no record, and not the session', async () => {
  const ways = await over([false, true]);
  await until('the spare path', () => ways.paths()[1]?.state === 'up');
  await ways.sender.append(payloadOf(0), { offset: 0, ack: 'applied' });
  ways.links[0]?.pause();
  const begun = performance.now();
  for (let i = 1; i < 50; i++) await ways.sender.append(payloadOf(i), { offset: i, ack: 'applied' });
  // Long before the peer timeout of 15 seconds.
  expect(performance.now() - begun).toBeLessThan(8000);
  await until('the path to be told apart', () => ways.paths()[0]?.state === 'stalled');
  expect(ways.sender.status().peers[0]).toMatchObject({ state: 'streaming' });
  ways.links[0]?.resume();
  await until('the path to come back', () => ways.paths()[0]?.state === 'up');
  expectAll(ways, 50);
});

test('a sender whose first path is down comes over another', async () => {
  const ways = await over([false, false]);
  await ways.sender.append(payloadOf(0), { offset: 0, ack: 'applied' });
  for (const link of ways.links) link.cut();
  await ways.links[0]?.close();
  await ways.sender.append(payloadOf(1), { offset: 1, ack: 'applied' });
  expectAll(ways, 2);
  await until('the first path to be given up', () => ways.paths()[0]?.problem !== undefined);
  expect(ways.paths()[0]).toMatchObject({ state: 'down', connections: 0, problem: { code: 'PEER_UNREACHABLE' } });
});

test('cuts of random paths and connections lose, repeat and reorder nothing', async () => {
  const random = randomFor(41);
  const ways = await over([false, false, true], { connections: { min: 1, max: 3 } });
  const count = 1500;
  const appended = Promise.all(
    Array.from({ length: count }, (_, i) => ways.sender.append(payloadOf(i), { offset: i })),
  );
  let drained = false;
  const drain = appended
    .then(() => ways.sender.drain('applied'))
    .then(() => {
      drained = true;
    });
  for (let cuts = 0; cuts < rounds(40) && !drained; cuts++) {
    await Promise.race([drain, setTimeout(random.between(1, 60))]);
    const link = ways.links[random.between(0, 2)];
    link?.cut();
  }
  await drain;
  expectAll(ways, count);
});

test('paths that make no sense are refused before anything is done', async () => {
  const first = { name: 'one', host: '127.0.0.1', port: 9 };
  const path = { host: '127.0.0.1', port: 9 };
  const open = (paths: unknown, more: object = {}) =>
    openSender({ peers: [{ ...first, paths: paths as never, ...more }] });
  await expect(open(Array.from({ length: 8 }, () => path))).rejects.toThrow('at most 7');
  await expect(open([{ ...path, port: 0 }])).rejects.toThrow('paths[].port');
  await expect(open([{ port: 9 }])).rejects.toThrow('paths[].host');
  await expect(open([{ ...path, spare: 'yes' }])).rejects.toThrow('paths[].spare');
  await expect(open([path], { localAddress: 'eth0' })).rejects.toThrow('localAddress');
  await expect(open([{ ...path, host: '192.0.2.1' }])).rejects.toMatchObject({ code: 'IDENTITY_REQUIRED' });
  await expect(openSender({ peers: [first], connections: 33 })).rejects.toThrow('connections');
  await expect(openSender({ peers: [first], connections: { min: 5, max: 4 } })).rejects.toThrow('connections.min');
});

test('records in bulk and others arrive, each kind in the order of its calls', async () => {
  const ways = await over([false], { compress: 'none' });
  const bulk = Array.from({ length: 200 }, (_, i) => ways.sender.append(text(`bulk ${i}`), { bulk: true }));
  const live = Array.from({ length: 20 }, (_, i) => ways.sender.append(text(`live ${i}`), { ack: 'applied' }));
  await Promise.all([...bulk, ...live]);
  await ways.sender.drain('applied');
  const texts = ways.seen.texts();
  expect(texts.filter((one) => one.startsWith('bulk'))).toEqual(Array.from({ length: 200 }, (_, i) => `bulk ${i}`));
  expect(texts.filter((one) => one.startsWith('live'))).toEqual(Array.from({ length: 20 }, (_, i) => `live ${i}`));
});
