import { expect, test } from 'vitest';
import type { Channel } from '../../src/channel/channel.js';
import { encodeHello, encodeStart, FrameType } from '../../src/channel/messages.js';
import { ownCapability } from '../../src/engine/capability.js';
import { Decoder } from '../../src/reduce/decoder.js';
import { Encoder } from '../../src/reduce/encoder.js';
import { Stages } from '../../src/reduce/stages.js';
import type { ReceiveLog } from '../../src/replication/receive-log.js';
import { Session } from '../../src/replication/session.js';

/** What a receiver holds of batches that its log does not finish counts as it is, not as it came. */

const MIB = 1024 * 1024;
const NODE = 'a'.repeat(32);

test('a batch that takes little on the wire and much in memory waits for those before it', async () => {
  let taken = 0;
  const finish: (() => void)[] = [];
  const log = {
    logged: 0,
    applied: 0,
    chain: 0n,
    epoch: 0,
    historyBytes: 0,
    holdHistory: () => 1,
    begin: async () => {},
    append: () => {
      taken++;
      return new Promise<void>((resolve) => finish.push(resolve));
    },
  } as unknown as ReceiveLog;
  const channel = { sendControl() {}, established() {}, begin() {}, windowBytes: 0 } as unknown as Channel;
  const session = new Session(channel, {
    node: NODE,
    adopt: false,
    log,
    decoder: new Decoder(new Stages()),
    claim: async () => {},
    async *query() {},
    offer: ownCapability,
    onOpen() {},
    onBatch() {},
    onMiss() {},
    onFailure() {},
  });
  const versions = { versionMin: 1, versionMax: 1 };
  const hello = { ...versions, node: NODE, volume: 'b'.repeat(32), epoch: 1, last: 0, adopt: false };
  await session.onMessage({ type: FrameType.hello, body: encodeHello(hello), generation: 0 });
  await session.onMessage({
    type: FrameType.start,
    body: encodeStart({ from: 1, chain: 0n, reset: false, windowBytes: 0 }),
    generation: 0,
  });

  const encoder = new Encoder({ plan: { codec: 'lz4', always: true }, stages: new Stages() });
  const record = { epoch: 1, kind: 0, timestamp: 1, checksum: 0n, chain: 0n, payload: Buffer.alloc(MIB) };
  let waiting: Promise<void> | undefined;
  for (let sequence = 1; waiting === undefined; sequence++) {
    const body = Buffer.concat(await encoder.encode([{ ...record, sequence }]));
    expect(body.byteLength).toBeLessThan(10_000);
    const before = taken;
    const handled = session.onMessage({ type: FrameType.batch, body, generation: 0 });
    for (let turn = 0; turn < 20 && taken === before; turn++) await new Promise((resolve) => setImmediate(resolve));
    if (taken === before) waiting = handled;
    expect(taken).toBeLessThanOrEqual(16);
  }
  expect(taken).toBe(15);
  finish[0]?.();
  await waiting;
  expect(taken).toBe(16);
  for (const resolve of finish) resolve();
  await session.idle();
});
