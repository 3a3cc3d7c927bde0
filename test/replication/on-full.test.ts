import { describe, expect, test } from 'vitest';
import type { Receiver, ResyncRecord, Sender, SenderOptions, SenderPeerStatus } from '../../src/index.js';
import { logged, openReceiver, openSender, peer, text } from '../support/nodes.js';
import { newDirectory } from '../support/temp.js';
import { eventsOf, nextEvent, until } from '../support/until.js';

/** A peer that stays away while the queue is full: what its `onFull` says, and how it comes back. */

const MIB = 1024 * 1024;
const QUEUE = { queueBytesMax: 16 * MIB, segmentBytes: MIB, historyBytes: 0 };

const statusOf = (sender: Sender, name = 'one'): SenderPeerStatus | undefined =>
  sender.status().peers.find((each) => each.name === name);

/** The directory and the port of a receiver that has had a first record and is away. */
async function away(options: Partial<SenderOptions> = {}): Promise<{ dir: string; port: number; sender: Sender }> {
  const dir = newDirectory();
  const receiver = await openReceiver({ dir });
  const { port } = receiver;
  const sender = await openSender({
    ...QUEUE,
    peers: [{ ...peer(port), onFull: 'detach' }],
    ...options,
    ...(options.peers === undefined ? {} : { peers: [...options.peers, { ...peer(port), onFull: 'detach' }] }),
  });
  await sender.append(text('first'), { ack: 'logged', quorum: 1 });
  await until('the first record', () => receiver.status().logged === 1);
  await receiver.close();
  return { dir, port, sender };
}

const back = (dir: string, port: number): Promise<Receiver> =>
  openReceiver({ dir, listen: { host: '127.0.0.1', port } });

async function append(sender: Sender, count: number): Promise<void> {
  for (let index = 0; index < count; index++) await sender.append(Buffer.alloc(MIB, index));
}

describe('detach', () => {
  test('appends go on, the status and an event tell, and the peer gets everything anew', async () => {
    const supply: ResyncRecord[] = [{ payload: text('all'), kind: 3 }];
    const { dir, port, sender } = await away({ resync: () => supply });
    expect(statusOf(sender)).toMatchObject({ detached: false, logged: 1 });
    const told = nextEvent('detached');
    await append(sender, 40);
    expect(await told).toMatchObject({ dir: sender.journal.dir, cursor: `peer:${statusOf(sender)?.id}` });
    expect(statusOf(sender)).toMatchObject({ detached: true });
    expect(sender.status()).toMatchObject({ appended: 41, queueBytes: 0 });
    await until('what nobody needs to go', () => sender.journal.first > 30);
    const receiver = await back(dir, port);
    await sender.drain('logged');
    expect(statusOf(sender)).toMatchObject({ detached: false, logged: 42, state: 'streaming' });
    await sender.append(text('next'), { ack: 'logged' });
    const records = await logged(receiver, 42);
    expect(records.map(({ sequence, kind, payload }) => [sequence, kind, payload.toString()])).toEqual([
      [42, 3, 'all'],
      [43, 0, 'next'],
    ]);
  });

  test('a peer that comes back to a queue that still has what it lacks goes on where it was', async () => {
    const asked: string[] = [];
    const resync = (name: string): ResyncRecord[] => {
      asked.push(name);
      return [];
    };
    const { dir, port, sender } = await away({ resync, historyBytes: 100 * MIB });
    await append(sender, 30);
    expect(statusOf(sender)?.detached).toBe(true);
    const receiver = await back(dir, port);
    await sender.drain('logged');
    expect(await logged(receiver)).toHaveLength(31);
    expect(statusOf(sender)).toMatchObject({ detached: false, logged: 31 });
    expect(asked).toEqual([]);
  });

  test('a peer that has caught up holds the queue again, though appends never pause', async () => {
    const { dir, port, sender } = await away({ historyBytes: 100 * MIB, compress: 'none' });
    await append(sender, 30);
    expect(statusOf(sender)?.detached).toBe(true);
    await back(dir, port);
    let appending = true;
    const lane = async (): Promise<void> => {
      while (appending) await sender.append(Buffer.alloc(1000));
    };
    const lanes = [lane(), lane(), lane()];
    await until('the peer to hold the queue again', () => statusOf(sender)?.detached === false);
    appending = false;
    await Promise.all(lanes);
    await sender.drain('logged');
  });

  test('is still known after a restart of the sender', async () => {
    const { dir, port, sender } = await away();
    await append(sender, 30);
    await sender.close();
    const again = await openSender({
      ...QUEUE,
      dir: sender.journal.dir.replace(/\/queue$/, ''),
      peers: [{ ...peer(port), onFull: 'detach' }],
      resync: () => [{ payload: text('all') }],
    });
    expect(statusOf(again)).toMatchObject({ detached: true });
    await append(again, 20);
    await back(dir, port);
    await again.drain('logged');
    expect(statusOf(again)).toMatchObject({ detached: false });
  });

  test('a peer that never came is left behind too, and the others do not notice', async () => {
    const there = await openReceiver();
    const peers = [peer(there.port, 'there'), { ...peer(9, 'never'), onFull: 'detach' as const }];
    const events = eventsOf('detached');
    const sender = await openSender({ ...QUEUE, peers });
    for (let index = 0; index < 40; index++) {
      await sender.append(Buffer.alloc(MIB, index), { ack: 'logged', quorum: 1 });
    }
    expect(statusOf(sender, 'there')).toMatchObject({ logged: 40, detached: false });
    expect(statusOf(sender, 'never')).toMatchObject({ logged: 0, detached: true });
    expect(events.map(({ cursor }) => cursor)).toEqual(['peer:?never']);
    expect(await logged(there)).toHaveLength(40);
  });

  test('without anybody to supply the records the peer is refused, and the application goes on', async () => {
    const { dir, port, sender } = await away();
    await append(sender, 40);
    await until('what nobody needs to go', () => sender.journal.first > 2);
    const refused = nextEvent('peer', ({ state }) => state === 'refused');
    await back(dir, port);
    expect(await refused).toMatchObject({ problem: { code: 'RESYNC_REQUIRED' } });
    await append(sender, 40);
    expect(sender.status().appended).toBe(81);
    expect(statusOf(sender)).toMatchObject({ detached: true, problem: { code: 'RESYNC_REQUIRED' } });
  });

  test('a resynchronisation larger than the queue gets through', async () => {
    async function* supply(): AsyncGenerator<ResyncRecord> {
      for (let index = 0; index < 60; index++) yield { payload: Buffer.alloc(MIB, index) };
    }
    const { dir, port, sender } = await away({ resync: supply, rate: 60 * MIB, compress: 'none' });
    await append(sender, 30);
    const events = eventsOf('detached');
    const receiver = await back(dir, port);
    await sender.drain('logged');
    expect(events).toEqual([]);
    const records = await logged(receiver, sender.status().appended - 59);
    expect(records.map(({ payload }) => payload[0])).toEqual(Array.from({ length: 60 }, (_, index) => index));
  });
});

describe('error', () => {
  test('appends are refused while the peer is away, with nothing written, and go on when it is back', async () => {
    const dir = newDirectory();
    const first = await openReceiver({ dir });
    const { port } = first;
    await first.close();
    const sender = await openSender({ ...QUEUE, peers: [{ ...peer(port), onFull: 'error' }] });
    const refused = await append(sender, 40).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'QUEUE_FULL', recoverable: true });
    const { appended } = sender.status();
    expect(appended).toBeLessThan(20);
    await expect(sender.append(text('x'))).rejects.toMatchObject({ code: 'QUEUE_FULL' });
    expect(sender.status()).toMatchObject({ appended, pendingBytes: 0 });
    await back(dir, port);
    await sender.drain('logged');
    await until('the cursor to be saved', () => sender.status().queueBytes === 0);
    expect(await sender.append(text('x'), { ack: 'logged' })).toBe(appended + 1);
    expect(statusOf(sender)).toMatchObject({ detached: false });
  });
});

test('one that blocks, one that is left behind: appends wait for the first alone', async () => {
  const dir = newDirectory();
  const first = await openReceiver({ dir });
  const { port } = first;
  await first.close();
  const { sender } = await away({ peers: [peer(port, 'blocking')] });
  let done = 0;
  const all = Promise.all(Array.from({ length: 40 }, () => sender.append(Buffer.alloc(MIB)).then(() => done++)));
  await until('the other to be left behind', () => statusOf(sender)?.detached === true);
  expect(done).toBeLessThan(20);
  await back(dir, port);
  await all;
  expect(statusOf(sender, 'blocking')).toMatchObject({ detached: false });
  expect(statusOf(sender)).toMatchObject({ detached: true });
});
