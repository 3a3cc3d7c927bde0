import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { collector, gate, openReceiver, openSender, peer, text } from '../support/nodes.js';
import { newDirectory } from '../support/temp.js';
import { until } from '../support/until.js';

const MIB = 1024 * 1024;
/** What a channel gives its peer to take anything, when it is to end. */
const END_TIMEOUT_MS = 5000;

describe('a queue that is full', () => {
  test('makes append wait, and a receiver that comes back lets it go on', async () => {
    const dir = newDirectory();
    const receiver = await openReceiver({ dir, apply: () => {} });
    const { port } = receiver;
    await receiver.close();
    const sender = await openSender({ peers: [peer(port)], queueBytesMax: 16 * MIB, segmentBytes: MIB });
    let resolved = 0;
    const all = Array.from({ length: 60 }, (_, i) =>
      sender.append(Buffer.alloc(MIB, i)).then((sequence) => {
        resolved++;
        return sequence;
      }),
    );
    await until('the queue to fill', () => sender.status().queueBytes >= 15 * MIB);
    expect(resolved).toBeLessThan(20);
    expect(sender.status().queueBytes).toBeLessThanOrEqual(18 * MIB);
    const abort = new AbortController();
    const late = sender.append(text('late'), { signal: abort.signal });
    abort.abort();
    await expect(late).rejects.toMatchObject({ code: 'ABORTED', sequence: undefined });
    await openReceiver({ dir, listen: { host: '127.0.0.1', port }, apply: () => {} });
    expect(await Promise.all(all)).toEqual(Array.from({ length: 60 }, (_, i) => i + 1));
    await sender.drain('applied');
    expect(sender.status()).toMatchObject({ appended: 60, applied: 60, pendingBytes: 0 });
  });

  test('can be closed, and those who wait are told', async () => {
    const sender = await openSender({ peers: [peer(9)], queueBytesMax: 16 * MIB, segmentBytes: MIB });
    const all = Promise.allSettled(Array.from({ length: 30 }, () => sender.append(Buffer.alloc(MIB))));
    await until('the queue to fill', () => sender.status().queueBytes >= 15 * MIB);
    await sender.close();
    const refused = (await all).filter(({ status }) => status === 'rejected') as PromiseRejectedResult[];
    expect(refused.length).toBeGreaterThan(5);
    for (const { reason } of refused) expect(reason).toMatchObject({ code: 'CLOSED' });
  });
});

describe('a receiver that cannot keep up', () => {
  test('stops reading when its log is full, takes no more memory, and loses nothing', async () => {
    const seen = collector();
    const { opened, open } = gate();
    const receiver = await openReceiver({
      queueBytesMax: 16 * MIB,
      segmentBytes: MIB,
      historyBytes: 0,
      apply: async (record) => {
        await opened;
        seen.apply({ ...record, payload: record.payload.subarray(0, 1) });
      },
    });
    const sender = await openSender({ peers: [peer(receiver.port)], compress: 'none' });
    const all = Promise.all(Array.from({ length: 100 }, (_, i) => sender.append(Buffer.alloc(MIB, i))));
    await until('the log to fill', () => receiver.status().queueBytes >= 15 * MIB);
    await all;
    expect(receiver.status().queueBytes).toBeLessThanOrEqual(19 * MIB);
    expect(receiver.status().logged).toBeLessThan(30);
    open();
    await sender.drain('applied');
    expect(seen.records.map(({ payload }) => payload[0])).toEqual(Array.from({ length: 100 }, (_, i) => i));
  });

  test('can be closed in the middle of it, and opened again', async () => {
    const dir = newDirectory();
    const options = { dir, queueBytesMax: 16 * MIB, segmentBytes: MIB, historyBytes: 0 };
    const first = await openReceiver({
      ...options,
      apply: () => {
        throw new Error('never');
      },
    });
    const sender = await openSender({ peers: [peer(first.port)], compress: 'none' });
    await Promise.all(Array.from({ length: 40 }, (_, i) => sender.append(Buffer.alloc(MIB, i))));
    await until('the log to fill', () => first.status().queueBytes >= 15 * MIB);
    const begun = performance.now();
    await first.close();
    // Nobody waits until time is up for a log that has no room.
    expect(performance.now() - begun).toBeLessThan(END_TIMEOUT_MS);
    const seen: number[] = [];
    await openReceiver({
      ...options,
      listen: { host: '127.0.0.1', port: first.port },
      apply: ({ sequence }) => void seen.push(sequence),
    });
    await sender.drain('applied');
    expect(seen).toEqual(Array.from({ length: 40 }, (_, i) => i + 1));
  });
});

test('a sender on a thin line is closed long before what is on its way could get there', async () => {
  const receiver = await openReceiver({ apply: () => {} });
  const sender = await openSender({ peers: [peer(receiver.port)], rate: '64kbit', compress: 'none' });
  await sender.connected();
  await Promise.all(Array.from({ length: 10 }, () => sender.append(randomBytes(MIB / 10))));
  await until('some of it on its way', () => sender.status().wireBytesSent > 10_000);
  // It would take two minutes.
  const begun = performance.now();
  await sender.close();
  expect(performance.now() - begun).toBeLessThan(END_TIMEOUT_MS);
});

describe('status', () => {
  test('adds up: stages, wire, records, positions', async () => {
    const receiver = await openReceiver({ apply: () => {} });
    const sender = await openSender({ peers: [peer(receiver.port)], heartbeatMs: 50 });
    // Content that came before would be referred to, as soon as the peer has it.
    for (let i = 0; i < 50; i++) await sender.append(Buffer.alloc(10_000, `compressible as record ${i} is `));
    await sender.drain('applied');
    await until('a heartbeat', () => sender.status().peers[0]?.roundTripMs !== undefined);
    const before = sender.status();
    expect(before).toMatchObject({
      appended: 50,
      logged: 50,
      applied: 50,
      records: 50,
      payloadBytesSent: 500_000,
      oldestUnacknowledgedMs: 0,
      pendingBytes: 0,
    });
    const { stages } = before;
    expect(stages.batch?.bytesIn).toBe(500_000);
    expect(stages.compress?.bytesIn).toBe(stages.batch?.bytesOut);
    expect(stages.frame?.bytesIn).toBe(stages.compress?.bytesOut);
    expect(stages.frame?.bytesOut).toBeLessThan(500_000 / 5);
    expect(before.peers[0]).toMatchObject({
      name: 'one',
      state: 'streaming',
      id: expect.stringMatching(/^[0-9a-f]{32}$/),
    });
    await sender.close();
    await receiver.close();
    const [ours, theirs] = [sender.status(), receiver.status()];
    expect((ours.stages.frame?.bytesOut ?? 0) + (ours.stages.control?.bytesOut ?? 0)).toBe(ours.wireBytesSent);
    expect((theirs.stages.frame?.bytesOut ?? 0) + (theirs.stages.control?.bytesOut ?? 0)).toBe(theirs.wireBytesSent);
    expect(theirs.wireBytesReceived).toBe(ours.wireBytesSent);
    expect(ours.wireBytesReceived).toBe(theirs.wireBytesSent);
    expect(theirs).toMatchObject({
      logged: 50,
      applied: 50,
      records: 50,
      payloadBytesReceived: 500_000,
      connected: false,
    });
    expect(ours.peers[0]?.state).toBe('closed');
  });

  test('says how long the oldest unacknowledged record has waited', async () => {
    const sender = await openSender({ peers: [peer(9)] });
    expect(sender.status().oldestUnacknowledgedMs).toBe(0);
    const before = Date.now();
    await sender.append(text('x'));
    await until('some time', () => sender.status().oldestUnacknowledgedMs >= 20);
    expect(sender.status().oldestUnacknowledgedMs).toBeLessThanOrEqual(Date.now() - before + 5);
    expect(sender.status().queueBytes).toBeGreaterThan(0);
  });
});

describe('options', () => {
  test.each<[string, Record<string, unknown>]>([
    ['no peers', { peers: [] }],
    ['peers that are no array', { peers: peer(1) }],
    ['17 peers', { peers: Array.from({ length: 17 }, (_, i) => peer(1000 + i, `${i}`)) }],
    ['two peers of one name', { peers: [peer(1), peer(2)] }],
    ['a peer without a port', { peers: [{ name: 'x', host: '127.0.0.1' }] }],
    ['a peer at port 0', { peers: [peer(0)] }],
    ['a queue that is too small', { peers: [peer(1)], queueBytesMax: 1 }],
    ['a rate that is none', { peers: [peer(1)], rate: 'fast' }],
    ['a rate too low', { peers: [peer(1)], rate: '1kbit' }],
    ['an unknown compression', { peers: [peer(1)], compress: 'zip' }],
    ['a timeout that is too short', { peers: [peer(1)], peerTimeoutMs: 1 }],
    ['a directory that is none', { peers: [peer(1)], dir: 7 }],
  ])('of a sender: %s is refused by name', async (_, options) => {
    await expect(openSender(options as never)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  test('anything but loopback needs an identity', async () => {
    const far = { name: 'far', host: '192.0.2.1', port: 7 };
    await expect(openSender({ peers: [far] })).rejects.toMatchObject({ code: 'IDENTITY_REQUIRED' });
    await expect(openReceiver({ listen: { host: '0.0.0.0', port: 0 } })).rejects.toMatchObject({
      code: 'IDENTITY_REQUIRED',
    });
  });

  test('one process at a time has a state directory', async () => {
    const dir = newDirectory();
    const sender = await openSender({ dir, peers: [peer(9)] });
    await expect(openSender({ dir, peers: [peer(9)] })).rejects.toMatchObject({
      code: 'STATE_LOCKED',
      recoverable: true,
    });
    await expect(openReceiver({ dir })).rejects.toMatchObject({ code: 'STATE_LOCKED' });
    await sender.close();
    await openReceiver({ dir });
  });

  test('a port in use is said so', async () => {
    const receiver = await openReceiver();
    const dir = newDirectory();
    const second = openReceiver({ dir, listen: { host: '127.0.0.1', port: receiver.port } });
    await expect(second).rejects.toMatchObject({ code: 'ADDRESS_IN_USE', port: receiver.port });
    // What it had taken it has let go of.
    await openReceiver({ dir });
  });
});
