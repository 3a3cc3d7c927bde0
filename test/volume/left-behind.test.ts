import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { contentOf } from '../support/files.js';
import { Pair } from '../support/pair.js';
import { eventsOf, nextEvent, until } from '../support/until.js';

/** A replica that is rather left behind than waited for, beside a queue that is smaller than the tree. */

const MIB = 1024 * 1024;

async function open(): Promise<Pair> {
  const pair = Pair.at({
    sender: { queueBytesMax: 16 * MIB, segmentBytes: MIB, historyBytes: 0, rate: '60MB', compress: 'none' },
  });
  mkdirSync(join(pair.source, 'd'));
  for (let i = 0; i < 40; i++) writeFileSync(join(pair.source, `d/${i}`), contentOf(2 * i + 1, MIB));
  await pair.openReceiver();
  const peers = [{ name: 'replica', host: '127.0.0.1', port: pair.port, onFull: 'detach' as const }];
  await pair.openSender({}, { peers });
  return pair;
}

test('one that follows gets the whole tree, and is not left behind by it', async () => {
  const pair = await open();
  const events = eventsOf('detached');
  await pair.sender.connected();
  await pair.volume.sync();
  await pair.sender.drain('applied');
  expect(events).toEqual([]);
  expect(pair.differences()).toEqual([]);
});

test('one that is away does not hold up a sync, and is compared when it is back', async () => {
  const pair = await open();
  await pair.sender.connected();
  await pair.volume.sync();
  await pair.sender.drain('applied');
  await pair.closeReceiver();
  await until('the session to end', () => pair.sender.status().peers[0]?.state !== 'streaming');
  for (let i = 0; i < 40; i += 2) writeFileSync(join(pair.source, `d/${i}`), contentOf(2 * i + 101, MIB));
  rmSync(join(pair.source, 'd/1'));
  const told = nextEvent('detached');
  await pair.volume.sync();
  await told;
  expect(pair.sender.status().peers[0]).toMatchObject({ detached: true });
  await pair.openReceiver();
  await pair.sender.connected();
  await pair.volume.sync();
  await pair.sender.drain('applied');
  expect(pair.sender.status().peers[0]).toMatchObject({ detached: false });
  expect(pair.differences()).toEqual([]);
});
