import { expect, test } from 'vitest';
import { ClosedError, type Priority, type Sender } from '../../src/index.js';
import { expectRefused, NOBODY, openReceiver, openSender, peer } from '../support/nodes.js';
import { randomFor } from '../support/seed.js';

const MIB = 1024 * 1024;
const bytes = randomFor(912).bytes(4 * MIB);
const priorities = (sender: Sender): Priority[] => sender.status().peers.map(({ priority }) => priority);

test('in the background everything arrives, and the status tells how it goes', async () => {
  const receiver = await openReceiver({ apply: () => {} });
  const sender = await openSender({ peers: [peer(receiver.port)], priority: 'background', compress: 'none' });
  expect(sender.status().peers[0]).not.toHaveProperty('background');
  await sender.append(bytes, { ack: 'applied' });
  await sender.append(bytes, { ack: 'applied' });
  const { priority, background } = sender.status().peers[0] ?? {};
  expect(priority).toBe('background');
  expect(background?.rateBytesPerSecond).toBeGreaterThan(0);
  expect(background?.queueMs).toBeGreaterThanOrEqual(0);
});

test('a peer may have its own, and it changes while data flows', async () => {
  const [one, two] = [await openReceiver({ apply: () => {} }), await openReceiver({ apply: () => {} })];
  const peers = [{ ...peer(one.port, 'one'), priority: 'normal' as const }, peer(two.port, 'two')];
  const sender = await openSender({ peers, priority: 'background', compress: 'none' });
  expect(priorities(sender)).toEqual(['normal', 'background']);
  await sender.connected();
  const first = sender.append(bytes, { ack: 'applied' });
  sender.setPriority('background', { peer: 'one' });
  expect(priorities(sender)).toEqual(['background', 'background']);
  await first;
  sender.setPriority('normal');
  expect(priorities(sender)).toEqual(['normal', 'normal']);
  await sender.append(bytes, { ack: 'applied' });
  for (const status of sender.status().peers) expect(status).not.toHaveProperty('background');
});

test.each([
  ['priority', { priority: 'low' as Priority }],
  ['peers[].priority', { peers: [{ ...NOBODY, priority: 'low' as Priority }] }],
])('%s that cannot be is refused', (argument, options) => expectRefused(options, argument));

test('changes are checked too, and end with the sender', async () => {
  const sender = await openSender({ peers: [NOBODY] });
  expect(priorities(sender)).toEqual(['normal']);
  expect(() => sender.setPriority('low' as Priority)).toThrow('priority is "low"');
  expect(() => sender.setPriority('background', { peer: 'somebody' })).toThrow('peer is "somebody"');
  await sender.close();
  expect(() => sender.setPriority('background')).toThrow(ClosedError);
});
