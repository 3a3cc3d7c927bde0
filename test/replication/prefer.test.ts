import { describe, expect, test } from 'vitest';
import { engine, InvalidArgumentError } from '../../src/index.js';
import { reductionBudget } from '../../src/reduce/memory-budget.js';
import { logged, openReceiver, openSender, peer } from '../support/nodes.js';
import { randomFor } from '../support/seed.js';
import { newDirectory } from '../support/temp.js';
import { until } from '../support/until.js';

const MIB = 1024 * 1024;
const withZstd = engine.codecs.includes('zstd');

const WORD_BYTES = 8;
const WORDS = 1024;

/** Text of some thousand words in no order. */
function texts(count: number, bytes: number, seed: number): Buffer[] {
  const random = randomFor(seed);
  const letters = new TextEncoder().encode(random.bytes((WORD_BYTES / 2) * WORDS).toString('hex'));
  const words = new BigUint64Array(letters.buffer, 0, WORDS);
  return Array.from({ length: count }, () => {
    const text = BigUint64Array.from({ length: bytes / WORD_BYTES }, () => words[random.below(WORDS)] ?? 0n);
    return Buffer.from(text.buffer);
  });
}

describe.runIf(withZstd)('a session that prefers latency', () => {
  test('goes up on a slow link', async () => {
    const receiver = await openReceiver({ apply: () => {} });
    const sender = await openSender({ peers: [peer(receiver.port)], rate: '20mbit' });
    await sender.connected();
    expect(sender.status().peers[0]).toMatchObject({ codec: 'zstd', level: 3 });
    const all = texts(32, MIB, 631);
    const appended = all.map((payload) => sender.append(payload));
    await until('a higher level', () => (sender.status().peers[0]?.level ?? 0) > 3);
    await Promise.all(appended);
    await sender.drain('logged');
    const records = await logged(receiver);
    expect(records.every(({ payload }, index) => payload.equals(all[index] as Buffer))).toBe(true);
    const status = sender.status();
    expect(status.wireBytesSent).toBeLessThan(0.6 * 32 * MIB);
  });

  test.each([
    ['zstd:1', { codec: 'zstd', level: 1 }],
    ['lz4', { codec: 'lz4' }],
    ['none', { codec: 'none' }],
  ] as const)('keeps to what it is told: %s', async (compress, expected) => {
    const receiver = await openReceiver({ apply: () => {} });
    const sender = await openSender({ peers: [peer(receiver.port)], compress, rate: '100mbit' });
    const all = texts(24, MIB, 632);
    await Promise.all(all.map((payload) => sender.append(payload)));
    await sender.drain('logged');
    const [status] = sender.status().peers;
    expect(status).toMatchObject(expected);
    expect(status?.level).toBe('level' in expected ? expected.level : undefined);
  });
});

test.runIf(withZstd)('one that prefers bytes stays at level 3, however fast the link is', async () => {
  const receiver = await openReceiver({ apply: () => {} });
  const sender = await openSender({ peers: [peer(receiver.port)], prefer: 'bytes' });
  const all = texts(48, MIB, 633);
  const appended = all.map((payload) => sender.append(payload));
  await until('half of it', () => sender.status().logged > 24);
  expect(sender.status().peers[0]).toMatchObject({ codec: 'zstd', level: 3 });
  await Promise.all(appended);
  await sender.drain('logged');
  expect(sender.status().peers[0]).toMatchObject({ codec: 'zstd', level: 3 });
  expect(sender.status().wireBytesSent).toBeLessThan(0.6 * 48 * MIB);
});

describe('memory of the reduction', () => {
  async function run(peers: number, reductionBytesMax: number) {
    const receivers = await Promise.all(Array.from({ length: peers }, () => openReceiver({ apply: () => {} })));
    const sender = await openSender({
      peers: receivers.map(({ port }, index) => peer(port, `peer ${index}`)),
      reductionBytesMax,
    });
    await sender.connected();
    for (const payload of texts(20, 64 * 1024, 634)) await sender.append(payload);
    await sender.drain('applied');
    const status = sender.status();
    const seen = receivers.map((receiver) => receiver.status());
    await sender.close();
    await Promise.all(receivers.map((receiver) => receiver.close()));
    expect(reductionBudget.bytes).toBe(0);
    return { status, seen };
  }

  test.runIf(withZstd).each([64, 128, 512])('of three peers and their receivers keeps to %i MiB', async (mib) => {
    const { status, seen } = await run(3, mib * MIB);
    expect(status.reductionBytesMax).toBe(mib * MIB);
    expect(status.reductionBytesTaken).toBeLessThanOrEqual(mib * MIB);
    expect(seen[0]?.reductionBytesMax).toBe(mib * MIB);
    expect(status.peers.map(({ codec }) => codec)).toEqual(['zstd', 'zstd', 'zstd']);
    expect(status.reductionBytes).toBe(status.peers.reduce((sum, { reductionBytes }) => sum + reductionBytes, 0));
    const used = status.reductionBytes + seen.reduce((sum, { reductionBytes }) => sum + reductionBytes, 0);
    expect(used).toBeGreaterThan(0);
    expect(used).toBeLessThanOrEqual(mib * MIB);
  });

  test('when there is next to none sessions do with LZ4', async () => {
    const { status } = await run(3, 8 * MIB);
    expect(status.reductionBytesTaken).toBeLessThanOrEqual(8 * MIB);
    expect(status.peers.map(({ codec }) => codec)).toEqual(['lz4', 'lz4', 'lz4']);
  });

  test('a session that comes again gets what the one before had', async () => {
    const receiver = await openReceiver({ apply: () => {} });
    const { port } = receiver;
    const taken: number[] = [];
    const dir = newDirectory();
    for (let session = 0; session < 3; session++) {
      const sender = await openSender({ dir, peers: [peer(port)] });
      await sender.connected();
      taken.push(sender.status().reductionBytesTaken);
      await sender.close();
      await until('the end of the session', () => !receiver.status().connected);
    }
    await receiver.close();
    expect(reductionBudget.bytes).toBe(0);
    expect(new Set(taken).size).toBe(1);
  });

  test.each([0, 1, -1, 8 * MIB - 1, 2 ** 41, Number.NaN, 1.5])(
    'a bound of %d is refused',
    async (reductionBytesMax) => {
      await expect(openReceiver({ reductionBytesMax })).rejects.toBeInstanceOf(InvalidArgumentError);
      await expect(openSender({ peers: [peer(9)], reductionBytesMax })).rejects.toBeInstanceOf(InvalidArgumentError);
      expect(reductionBudget.bytesMax).toBe(512 * MIB);
    },
  );
});

test('a preference of no known kind is refused', async () => {
  await expect(openSender({ peers: [peer(9)], prefer: 'speed' as 'bytes' })).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: expect.stringContaining('bytes, latency'),
  });
});

test('stages of each peer are told, and add up to what went to it', async () => {
  const receivers = [await openReceiver({ apply: () => {} }), await openReceiver({ apply: () => {} })];
  const sender = await openSender({ peers: receivers.map(({ port }, index) => peer(port, `peer ${index}`)) });
  for (const payload of texts(20, 64 * 1024, 635)) await sender.append(payload);
  await sender.drain('applied');
  await sender.close();
  const { peers, stages, wireBytesSent } = sender.status();
  const out = (of: typeof stages) => (of.frame?.bytesOut ?? 0) + (of.control?.bytesOut ?? 0);
  expect(peers.reduce((sum, one) => sum + out(one.stages), 0)).toBe(wireBytesSent);
  expect(out(stages)).toBe(wireBytesSent);
  for (const [index, one] of peers.entries()) {
    expect(out(one.stages)).toBe(receivers[index]?.status().wireBytesReceived);
    const { copy, delta, batch, compress, frame } = one.stages;
    expect(copy?.bytesIn).toBe(20 * 64 * 1024);
    expect(delta?.bytesIn).toBe(copy?.bytesOut);
    expect(batch?.bytesIn).toBe(delta?.bytesOut);
    expect(compress?.bytesIn).toBe(batch?.bytesOut);
    expect(frame?.bytesIn).toBe(compress?.bytesOut);
  }
});
