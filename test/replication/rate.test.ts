import { expect, test } from 'vitest';
import { ClosedError, type Schedule, type SenderOptions } from '../../src/index.js';
import { expectRefused, NOBODY, openReceiver, openSender, peer } from '../support/nodes.js';
import { randomFor } from '../support/seed.js';
import { until } from '../support/until.js';

const MIB = 1024 * 1024;
/** So slow that nothing of note would arrive before the test is given up. */
const SLOW = '8kbit';
const bytes = randomFor(911).bytes(4 * MIB);

const always = (rate: string): Schedule => ({ timeZone: 'UTC', rules: [{ rate }] });

test('a ceiling that is lifted lets go what waits, and one that is set holds at once', async () => {
  const receiver = await openReceiver({ apply: () => {} });
  const sender = await openSender({ peers: [peer(receiver.port)], rate: SLOW, compress: 'none' });
  await sender.connected();
  expect(sender.status()).toMatchObject({ rateBytesPerSecond: 1000, peers: [{ rateBytesPerSecond: 1000 }] });
  await sender.append(bytes);
  sender.setRate(undefined);
  await sender.drain('logged');
  expect(sender.status()).not.toHaveProperty('rateBytesPerSecond');
  expect(sender.status().peers[0]).not.toHaveProperty('rateBytesPerSecond');

  sender.setRate('4MB');
  const [begun, before] = [performance.now(), sender.status().wireBytesSent];
  await sender.append(bytes);
  await sender.drain('logged');
  const seconds = (performance.now() - begun) / 1000;
  expect((sender.status().wireBytesSent - before) / seconds).toBeLessThanOrEqual(1.02 * 4e6);
});

test('each peer has its own, and a slow one holds up nobody', async () => {
  const [one, two] = [await openReceiver({ apply: () => {} }), await openReceiver({ apply: () => {} })];
  const peers = [{ ...peer(one.port, 'one'), rate: SLOW }, peer(two.port, 'two')];
  const sender = await openSender({ peers, rate: '80mbit', compress: 'none' });
  await sender.connected();
  await sender.append(bytes, { ack: 'logged', quorum: 1 });
  const status = sender.status();
  expect(status.rateBytesPerSecond).toBe(1e7);
  expect(status.peers.map(({ rateBytesPerSecond, logged }) => [rateBytesPerSecond, logged])).toEqual([
    [1000, 0],
    [1e7, 1],
  ]);
  sender.setRate('100MB', { peer: 'one' });
  await sender.drain('logged');
});

test('a schedule holds, is exchanged and dropped', async () => {
  const receiver = await openReceiver({ apply: () => {} });
  const sender = await openSender({ peers: [{ ...peer(receiver.port), schedule: always(SLOW) }], compress: 'none' });
  await sender.connected();
  const rate = (): number | undefined => sender.status().peers[0]?.rateBytesPerSecond;
  expect(rate()).toBe(1000);
  sender.setSchedule(always('16kbit'), { peer: 'one' });
  expect(rate()).toBe(2000);
  sender.setRate('4mbit', { peer: 'one' });
  expect(rate()).toBe(2000);
  sender.setSchedule(always('1mbit'));
  sender.setSchedule(undefined, { peer: 'one' });
  expect(rate()).toBe(125_000);
  await sender.append(bytes.subarray(0, 64 * 1024));
  sender.setSchedule(undefined);
  expect(rate()).toBe(500_000);
  await sender.drain('logged');
});

test('what the line adds to each segment is counted', async () => {
  const receiver = await openReceiver({ apply: () => {} });
  const peers = [peer(receiver.port)];
  const sender = await openSender({ peers, rate: '4MB', linkOverhead: 200, linkSegmentBytes: 600, compress: 'none' });
  await sender.connected();
  const [begun, before] = [performance.now(), sender.status().wireBytesSent];
  await sender.append(bytes);
  await until('the peer has it', () => sender.status().logged === 1);
  const seconds = (performance.now() - begun) / 1000;
  expect((sender.status().wireBytesSent - before) / seconds).toBeLessThanOrEqual((1.02 * 4e6 * 600) / 800);
});

test.each<[string, Partial<SenderOptions>]>([
  ['rate', { rate: 'fast' }],
  ['peers[].rate', { peers: [{ ...NOBODY, rate: 1 }] }],
  ['schedule.timeZone', { schedule: { timeZone: 'Berlin', rules: [{ rate: 1000 }] } }],
  [
    'peers[].schedule.rules[0].from',
    { peers: [{ ...NOBODY, schedule: { timeZone: 'UTC', rules: [{ from: 'noon', rate: 1000 }] } }] },
  ],
  ['linkOverhead', { linkOverhead: 201 }],
  ['linkSegmentBytes', { linkSegmentBytes: 0 }],
])('%s that cannot be is refused', (argument, options) => expectRefused(options, argument));

test('changes are checked too, and end with the sender', async () => {
  const sender = await openSender({ peers: [NOBODY] });
  expect(() => sender.setRate('fast')).toThrow('rate is "fast"');
  expect(() => sender.setRate('1mbit', { peer: 'somebody' })).toThrow('peer is "somebody"');
  expect(() => sender.setSchedule({ timeZone: 'UTC', rules: [] })).toThrow('schedule.rules');
  await sender.close();
  expect(() => sender.setRate('1mbit')).toThrow(ClosedError);
  expect(() => sender.setSchedule(undefined)).toThrow(ClosedError);
});
