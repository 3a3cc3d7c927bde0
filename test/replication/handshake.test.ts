import { describe, expect, test, vi } from 'vitest';
import {
  decodeAck,
  decodeRefusal,
  decodeWelcome,
  encodeHello,
  encodeStart,
  FrameType,
  type Hello,
  PROTOCOL_VERSION,
} from '../../src/channel/messages.js';
import { engine } from '../../src/engine/engine.js';
import { ZstdEncoder } from '../../src/engine/zstd-encoder.js';
import { Journal, type JournalRecord, type Receiver } from '../../src/index.js';
import { MIB } from '../../src/options.js';
import { BATCH_BYTES_MAX } from '../../src/reduce/batch.js';
import { bodyHeader, CODEC_ZSTD_FIRST } from '../../src/reduce/body.js';
import { Encoder } from '../../src/reduce/encoder.js';
import { encodeRanges } from '../../src/reduce/prefix.js';
import { Stages } from '../../src/reduce/stages.js';
import { collector, gate, logged, openReceiver } from '../support/nodes.js';
import { atEnd, newDirectory } from '../support/temp.js';
import { until } from '../support/until.js';
import { Wire } from '../support/wire.js';

/** The receiver's half of the handshake, against a sender made by hand. */

const NODE = 'a'.repeat(32);
const VOLUME = 'b'.repeat(32);

function hello(change: Partial<Hello> = {}): Buffer {
  const versions = { versionMin: PROTOCOL_VERSION, versionMax: PROTOCOL_VERSION };
  return encodeHello({ ...versions, node: NODE, volume: VOLUME, epoch: 1, last: 0, adopt: false, ...change });
}

/** Records as a sender's queue holds them, and the bodies of the frames that carry them, one record each. */
async function queueOf(payloads: Buffer[]): Promise<{ records: JournalRecord[]; bodies: Buffer[] }> {
  const journal = await Journal.open({ dir: newDirectory(), volume: VOLUME });
  atEnd(() => journal.close());
  for (const payload of payloads) await journal.append(payload);
  const records: JournalRecord[] = [];
  for await (const record of journal.read(1)) records.push(record);
  const encoder = new Encoder({ plan: { codec: 'none' }, stages: new Stages() });
  const bodies = await Promise.all(records.map(async (record) => Buffer.concat(await encoder.encode([record]))));
  return { records, bodies };
}

/** A stretch of zstd of so many zeros. */
async function bombOf(bytes: number): Promise<Buffer> {
  const encoder = await ZstdEncoder.open({ level: 1, windowLog: 20 });
  const stretches: Buffer[] = [];
  for (let at = 0; at < bytes; at += MIB) stretches.push(await encoder.compress(Buffer.alloc(MIB)));
  encoder.close();
  return Buffer.concat(stretches);
}

async function greeted(receiver: Receiver): Promise<{ wire: Wire; last: number; chain: bigint }> {
  const wire = await Wire.dial(receiver.port);
  wire.send(FrameType.hello, hello());
  const { last, chain } = decodeWelcome(await wire.expect(FrameType.welcome));
  return { wire, last, chain };
}

async function started(receiver: Receiver): Promise<{ wire: Wire; last: number }> {
  const { wire, last, chain } = await greeted(receiver);
  wire.send(FrameType.start, encodeStart({ from: last + 1, chain, reset: false, windowBytes: 0 }));
  await wire.expect(FrameType.ready);
  return { wire, last };
}

describe('a greeting', () => {
  test.each([
    ['older', 0, 0],
    ['newer', PROTOCOL_VERSION + 1, PROTOCOL_VERSION + 7],
  ])('of a protocol that is %s is refused, and the refusal names the versions', async (_, versionMin, versionMax) => {
    const receiver = await openReceiver({ apply: () => {} });
    const wire = await Wire.dial(receiver.port);
    // What follows the versions may be anything in another version.
    wire.send(FrameType.hello, Buffer.concat([hello({ versionMin, versionMax }), Buffer.from('something new')]));
    const refusal = decodeRefusal(await wire.expect(FrameType.refuse));
    expect(refusal).toMatchObject({ code: 'PROTOCOL_VERSION', recoverable: false });
    expect(refusal.message).toContain(String(PROTOCOL_VERSION));
    expect(await wire.next()).toBeUndefined();
  });

  test('of a range that includes ours is answered with ours', async () => {
    const receiver = await openReceiver({ apply: () => {} });
    const wire = await Wire.dial(receiver.port);
    wire.send(FrameType.hello, hello({ versionMin: 0, versionMax: PROTOCOL_VERSION + 5 }));
    expect(decodeWelcome(await wire.expect(FrameType.welcome)).version).toBe(PROTOCOL_VERSION);
  });

  test('of a newer release that has more to say is answered, as long as it speaks our version too', async () => {
    const receiver = await openReceiver({ apply: () => {} });
    const wire = await Wire.dial(receiver.port);
    const newer = hello({ versionMin: PROTOCOL_VERSION, versionMax: PROTOCOL_VERSION + 1 });
    wire.send(FrameType.hello, Buffer.concat([newer, Buffer.from('something new')]));
    expect(decodeWelcome(await wire.expect(FrameType.welcome)).version).toBe(PROTOCOL_VERSION);
  });

  test.each<[string, number, Buffer]>([
    ['a START before it', FrameType.start, encodeStart({ from: 1, chain: 0n, reset: false, windowBytes: 0 })],
    ['a BATCH before it', FrameType.batch, Buffer.from('batch')],
    ['a frame of no known type', 99, Buffer.alloc(0)],
    ['one of another program', FrameType.hello, Buffer.from('\x08postgres\x01\x00\x01\x00')],
    ['one cut short', FrameType.hello, hello().subarray(0, 20)],
    ['one with something behind it', FrameType.hello, Buffer.concat([hello(), Buffer.from('x')])],
  ])('%s ends the connection with PROTOCOL_VIOLATION', async (_, type, body) => {
    const receiver = await openReceiver({ apply: () => {} });
    const wire = await Wire.dial(receiver.port);
    wire.send(type, body);
    expect(decodeRefusal(await wire.expect(FrameType.refuse)).code).toBe('PROTOCOL_VIOLATION');
    expect(await wire.next()).toBeUndefined();
    await greeted(receiver);
  });

  test('a second sender is told that the receiver is busy, and the first goes on', async () => {
    const receiver = await openReceiver({ apply: () => {} });
    const { bodies } = await queueOf([Buffer.from('one')]);
    const { wire: first } = await started(receiver);
    const second = await Wire.dial(receiver.port);
    second.send(FrameType.hello, hello({ node: 'c'.repeat(32) }));
    expect(decodeRefusal(await second.expect(FrameType.refuse))).toMatchObject({ recoverable: true });
    for (const body of bodies) first.send(FrameType.batch, body);
    await until('the record', () => receiver.status().logged === 1);
  });
});

describe('a START', () => {
  test.each([
    ['not where the log ends', { from: 5, chain: 0n, reset: false, windowBytes: 0 }],
    ['on another chain', { from: 2, chain: 77n, reset: false, windowBytes: 0 }],
    ['again from the beginning', { from: 1, chain: 0n, reset: false, windowBytes: 0 }],
  ])('%s is refused, and the log stays as it is', async (_, start) => {
    const receiver = await openReceiver({ apply: () => {} });
    const { bodies } = await queueOf([Buffer.from('one')]);
    const { wire } = await started(receiver);
    for (const body of bodies) wire.send(FrameType.batch, body);
    await until('the record', () => receiver.status().logged === 1);
    wire.socket.destroy();
    const { wire: again } = await greeted(receiver);
    again.send(FrameType.start, encodeStart(start));
    expect(decodeRefusal(await again.expect(FrameType.refuse)).code).toBe('PROTOCOL_VIOLATION');
    expect((await logged(receiver)).map(({ payload }) => payload.toString())).toEqual(['one']);
  });

  test('of another volume is refused without --adopt', async () => {
    const receiver = await openReceiver({ apply: () => {} });
    const { wire } = await started(receiver);
    wire.socket.destroy();
    const other = await Wire.dial(receiver.port);
    other.send(FrameType.hello, hello({ volume: 'd'.repeat(32) }));
    const { last, chain } = decodeWelcome(await other.expect(FrameType.welcome));
    other.send(FrameType.start, encodeStart({ from: last + 1, chain, reset: true, windowBytes: 0 }));
    expect(decodeRefusal(await other.expect(FrameType.refuse)).code).toBe('VOLUME_MISMATCH');
  });
});

describe('what is on its way when a connection breaks', () => {
  test.each([
    ['that was cut', (wire: Wire) => wire.socket.resetAndDestroy()],
    ['that has ended', (wire: Wire) => wire.socket.end()],
    ['that still seems to be there', () => {}],
  ])('over a connection %s is in the log before the next greeting is answered', async (_, leave) => {
    const { opened, open } = gate();
    const slowly = vi.spyOn(Journal.prototype, 'appendReplicated').mockImplementation(async function (
      this: Journal,
      records,
    ) {
      await opened;
      slowly.mockRestore();
      return this.appendReplicated(records);
    });
    atEnd(() => slowly.mockRestore());
    const receiver = await openReceiver({ apply: () => {} });
    const { bodies } = await queueOf([Buffer.from('one')]);
    const { wire: first } = await started(receiver);
    for (const body of bodies) first.send(FrameType.batch, body);
    await until('the record on its way', () => slowly.mock.calls.length === 1);
    leave(first);
    const second = await Wire.dial(receiver.port);
    second.send(FrameType.hello, hello());
    // Once a stranger has been turned away because of the second connection, its greeting has been heard.
    await until('the second to be heard', async () => {
      const stranger = await Wire.dial(receiver.port);
      stranger.send(FrameType.hello, hello({ node: 'c'.repeat(32) }));
      return (await stranger.next())?.type === FrameType.refuse;
    });
    open();
    expect(decodeWelcome(await second.expect(FrameType.welcome)).last).toBe(1);
  });

  test('is acknowledged up to what is durable, never beyond', async () => {
    const seen = collector();
    const receiver = await openReceiver({ apply: seen.apply });
    const { bodies } = await queueOf(['a', 'b', 'c'].map((word) => Buffer.from(word)));
    const { wire } = await started(receiver);
    for (const body of bodies) wire.send(FrameType.batch, body);
    for (let ack = { logged: 0, applied: 0 }; ack.applied < 3; ) {
      ack = decodeAck(await wire.expect(FrameType.ack));
      expect(ack.applied).toBeLessThanOrEqual(ack.logged);
      expect((await logged(receiver)).length).toBeGreaterThanOrEqual(ack.logged);
    }
    expect(seen.texts()).toEqual(['a', 'b', 'c']);
  });
});

describe('a batch', () => {
  test('that overlaps what is logged ends the connection, and the log stays as it is', async () => {
    const receiver = await openReceiver({ apply: () => {} });
    const { bodies } = await queueOf([Buffer.from('one')]);
    const { wire } = await started(receiver);
    for (const body of bodies) wire.send(FrameType.batch, body);
    await until('the record', () => receiver.status().logged === 1);
    for (const body of bodies) wire.send(FrameType.batch, body);
    let frame = await wire.next();
    while (frame?.type === FrameType.ack) frame = await wire.next();
    expect(decodeRefusal(frame?.body ?? Buffer.alloc(0)).code).toBe('SEQUENCE_GAP');
    expect(await wire.next()).toBeUndefined();
    expect((await logged(receiver)).map(({ payload }) => payload.toString())).toEqual(['one']);
    await greeted(receiver);
  });

  test.skipIf(!engine.codecs.includes('zstd')).each([
    ['less', 1000],
    ['as much as there may be', BATCH_BYTES_MAX],
  ])('that is a zstd bomb and says that it is %s ends the connection, and takes no memory', async (_, batchBytes) => {
    const receiver = await openReceiver({ apply: () => {} });
    const { wire } = await started(receiver);
    const bomb = await bombOf(256 * MIB);
    expect(bomb.byteLength).toBeLessThan(100_000);
    const before = process.memoryUsage().arrayBuffers;
    wire.send(FrameType.batch, Buffer.concat([bodyHeader(CODEC_ZSTD_FIRST, batchBytes, 1000), encodeRanges([]), bomb]));
    let frame = await wire.next();
    while (frame?.type === FrameType.ack) frame = await wire.next();
    expect(decodeRefusal(frame?.body ?? Buffer.alloc(0)).code).toBe('PROTOCOL_VIOLATION');
    expect(await wire.next()).toBeUndefined();
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * MIB);
    expect(receiver.status().logged).toBe(0);
    await greeted(receiver);
  });

  test.each<[string, (bodies: Buffer[], records: JournalRecord[]) => Promise<Buffer> | Buffer]>([
    ['out of order', (bodies) => bodies[1] ?? Buffer.alloc(0)],
    ['of no known codec', () => Buffer.from([9, 1, 0, 0, 0, 0])],
    ['that says it is larger than any', () => Buffer.from([0, 0xff, 0xff, 0xff, 0xff, 0])],
    ['that is empty', () => Buffer.alloc(0)],
    ['that lies about its length', () => Buffer.from([0, 9, 0, 0, 0, 1, 2])],
    ['with an LZ4 block that is none', () => Buffer.from([1, 9, 0, 0, 0, 9, 0, 0, 0, 0xff, 0xff, 0xff])],
    [
      'with a record changed on the way',
      (bodies) => {
        const body = Buffer.from(bodies[0] ?? []);
        body[body.byteLength - 1] = (body.at(-1) ?? 0) ^ 1;
        return body;
      },
    ],
    [
      'on another chain',
      (_, [record]) =>
        new Encoder({ plan: { codec: 'none' }, stages: new Stages() })
          .encode([{ ...(record as JournalRecord), chain: 1n }])
          .then((parts) => Buffer.concat(parts)),
    ],
  ])('%s ends the connection and leaves no record behind that the sender has not sent', async (_, make) => {
    const receiver = await openReceiver({ apply: () => {} });
    const { bodies, records } = await queueOf([Buffer.from('one'), Buffer.from('two')]);
    const { wire } = await started(receiver);
    wire.send(FrameType.batch, await make(bodies, records));
    let frame = await wire.next();
    while (frame?.type === FrameType.ack) frame = await wire.next();
    expect(frame?.type).toBe(FrameType.refuse);
    expect(decodeRefusal(frame?.body ?? Buffer.alloc(0)).code).toMatch(
      /PROTOCOL_VIOLATION|CHAIN_MISMATCH|SEQUENCE_GAP|INVALID_ARGUMENT/,
    );
    expect(await wire.next()).toBeUndefined();
    await greeted(receiver);
  });
});
