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

/** A session that streams to a log which finishes an append when it is told to. */
async function streaming() {
  const log = { taken: 0, finish: [] as (() => void)[] };
  const receiveLog = {
    logged: 0,
    applied: 0,
    chain: 0n,
    epoch: 0,
    historyBytes: 0,
    holdHistory: () => 1,
    begin: async () => {},
    append: () => {
      log.taken++;
      return new Promise<void>((resolve) => log.finish.push(resolve));
    },
  } as unknown as ReceiveLog;
  const channel = { sendControl() {}, established() {}, begin() {}, windowBytes: 0 } as unknown as Channel;
  const session = new Session(channel, {
    node: NODE,
    adopt: false,
    log: receiveLog,
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
  return { session, log };
}

/** Batches that take little on the wire, each handed over when the one before is with the log; resolves with the first that is not. */
async function sendUntilItWaits(session: Session, log: { taken: number }): Promise<{ handled: Promise<void> }> {
  const encoder = new Encoder({ plan: { codec: 'lz4', always: true }, stages: new Stages() });
  const record = { epoch: 1, kind: 0, timestamp: 1, checksum: 0n, chain: 0n, payload: Buffer.alloc(MIB) };
  for (let sequence = 1; ; sequence++) {
    const body = Buffer.concat(await encoder.encode([{ ...record, sequence }]));
    expect(body.byteLength).toBeLessThan(10_000);
    const before = log.taken;
    const handled = session.onMessage({ type: FrameType.batch, body, generation: 0 });
    for (let turn = 0; turn < 20 && log.taken === before; turn++) await new Promise((resolve) => setImmediate(resolve));
    if (log.taken === before) return { handled };
    expect(log.taken).toBeLessThanOrEqual(16);
  }
}

test('a batch that takes little on the wire and much in memory waits for those before it', async () => {
  const { session, log } = await streaming();
  const { handled } = await sendUntilItWaits(session, log);
  expect(log.taken).toBe(15);
  log.finish[0]?.();
  await handled;
  expect(log.taken).toBe(16);
  for (const resolve of log.finish) resolve();
  await session.idle();
});

test('a session that is concluded lets go of what waits, and of what comes, while the log finishes what it has', async () => {
  const { session, log } = await streaming();
  const { handled } = await sendUntilItWaits(session, log);
  session.conclude();
  await handled;
  await session.onMessage({ type: FrameType.batch, body: Buffer.from('whatever it is'), generation: 0 });
  expect(log.taken).toBe(15);
  const idle = session.idle();
  for (const resolve of log.finish) resolve();
  await idle;
});
