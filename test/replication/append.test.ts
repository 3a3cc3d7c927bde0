import { describe, expect, test } from 'vitest';
import { AbortedError, type Sender, type SenderAppendOptions } from '../../src/index.js';
import { KEY_BYTES_MAX, PAYLOAD_BYTES_MAX } from '../../src/options.js';
import { collector, gate, logged, NOBODY, openReceiver, openSender, peer, text } from '../support/nodes.js';
import { until } from '../support/until.js';

describe('what append refuses', () => {
  const options: [string, SenderAppendOptions, string][] = [
    ['a kind of our own', { kind: 128 }, 'kind'],
    ['a negative kind', { kind: -1 }, 'kind'],
    ['half a kind', { kind: 1.5 }, 'kind'],
    ['a negative offset', { offset: -1 }, 'offset'],
    ['an offset beyond safe integers', { offset: 2 ** 53 }, 'offset'],
    ['a key that is too long', { key: 'k'.repeat(KEY_BYTES_MAX + 1) }, 'key'],
    ['a key that is too long in UTF-8', { key: 'ä'.repeat(KEY_BYTES_MAX / 2 + 1) }, 'key'],
    ['a key that is a number', { key: 7 as unknown as string }, 'key'],
    ['an unknown level', { ack: 'soon' as 'local' }, 'ack'],
    ['a quorum of nobody', { quorum: 0 }, 'quorum'],
    ['a quorum above the number of peers', { quorum: 2, ack: 'logged' }, 'quorum'],
  ];

  test.each(options)('%s', async (_, option, argument) => {
    const sender = await openSender({ peers: [NOBODY] });
    const refusal = sender.append(text('x'), option);
    await expect(refusal).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(refusal).rejects.toThrow(argument);
    expect(sender.status().appended).toBe(0);
  });

  test('a payload above the limit, and the error names it', async () => {
    const sender = await openSender({ peers: [NOBODY] });
    await expect(sender.append(Buffer.alloc(PAYLOAD_BYTES_MAX + 1))).rejects.toMatchObject({
      code: 'PAYLOAD_TOO_LARGE',
      payloadBytes: PAYLOAD_BYTES_MAX + 1,
      payloadBytesMax: PAYLOAD_BYTES_MAX,
      message: expect.stringContaining('payloadBytesMax'),
    });
    expect(await sender.append(Buffer.alloc(PAYLOAD_BYTES_MAX))).toBe(1);
  });

  test.each([
    ['text', 'words'],
    ['nothing', undefined],
    ['numbers', [1, 2]],
  ])('a payload that is %s', async (_, payload) => {
    const sender = await openSender({ peers: [NOBODY] });
    await expect(sender.append(payload as unknown as Buffer)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });
});

describe('what the receiver gets', () => {
  test('is what was appended, to the byte: kind, key, offset, empty and largest payloads', async () => {
    const seen = collector();
    const receiver = await openReceiver({ apply: seen.apply });
    const sender = await openSender({ peers: [peer(receiver.port)] });
    const bytes = Uint8Array.from([0, 1, 0xff]);
    await sender.append(text('plain'));
    await sender.append(Buffer.alloc(0), { kind: 127, key: 'ключ', offset: 0 });
    await sender.append(bytes, { key: bytes, offset: Number.MAX_SAFE_INTEGER });
    await sender.append(Buffer.alloc(PAYLOAD_BYTES_MAX, 7), { key: 'k'.repeat(KEY_BYTES_MAX), ack: 'applied' });
    expect(seen.records).toMatchObject([
      { sequence: 1, epoch: 1, kind: 0, payload: text('plain') },
      { sequence: 2, kind: 127, key: text('ключ'), offset: 0, payload: Buffer.alloc(0) },
      { sequence: 3, kind: 0, key: Buffer.from(bytes), offset: Number.MAX_SAFE_INTEGER, payload: Buffer.from(bytes) },
      { sequence: 4, key: Buffer.alloc(KEY_BYTES_MAX, 'k') },
    ]);
    expect(seen.records[0]).not.toHaveProperty('key');
    expect(seen.records[0]).not.toHaveProperty('offset');
    expect(seen.records[3]?.payload.equals(Buffer.alloc(PAYLOAD_BYTES_MAX, 7))).toBe(true);
  });

  test('keeps the order of the calls, however many are under way', async () => {
    const seen = collector();
    const receiver = await openReceiver({ apply: seen.apply });
    const sender = await openSender({ peers: [peer(receiver.port)] });
    const numbers = await Promise.all(
      Array.from({ length: 3000 }, (_, i) => sender.append(Buffer.alloc(i % 977, i % 251), { offset: i })),
    );
    expect(numbers).toEqual(Array.from({ length: 3000 }, (_, i) => i + 1));
    await sender.drain('applied');
    expect(seen.records.map(({ sequence }) => sequence)).toEqual(numbers);
    expect(seen.records.map(({ offset }) => offset)).toEqual(Array.from({ length: 3000 }, (_, i) => i));
  });

  test('is not what the caller makes of the buffer afterwards', async () => {
    const receiver = await openReceiver();
    const sender = await openSender({ peers: [peer(receiver.port)] });
    const buffer = Buffer.from('right');
    await sender.append(buffer);
    buffer.write('wrong');
    await sender.drain('logged');
    expect((await logged(receiver))[0]?.payload.toString()).toBe('right');
  });
});

describe('how far a record has come when append resolves', () => {
  test('local: durable here, with no peer at all', async () => {
    const sender = await openSender({ peers: [NOBODY] });
    expect(await sender.append(text('x'))).toBe(1);
    expect(sender.status()).toMatchObject({ appended: 1, logged: 0, applied: 0 });
  });

  test('logged: in the log of the peer, before it is applied', async () => {
    const { opened, open } = gate();
    const receiver = await openReceiver({ apply: () => opened });
    const sender = await openSender({ peers: [peer(receiver.port)] });
    expect(await sender.append(text('x'), { ack: 'logged' })).toBe(1);
    expect(await logged(receiver)).toHaveLength(1);
    expect(receiver.status()).toMatchObject({ logged: 1, applied: 0 });
    expect(sender.status()).toMatchObject({ logged: 1, applied: 0 });
    open();
    await sender.drain('applied');
  });

  test('applied: the callback has returned', async () => {
    const seen = collector();
    const receiver = await openReceiver({ apply: seen.apply });
    const sender = await openSender({ peers: [peer(receiver.port)] });
    await sender.append(text('x'), { ack: 'applied' });
    expect(seen.texts()).toEqual(['x']);
    expect(receiver.status().applied).toBe(1);
  });
});

describe('an append that is called off', () => {
  const aborted = (sender: Sender, options: SenderAppendOptions) =>
    sender.append(text('x'), options).then(
      () => expect.unreachable('it resolved'),
      (error: unknown) => error as AbortedError,
    );

  test('before it has a number leaves nothing', async () => {
    const sender = await openSender({ peers: [NOBODY] });
    const error = await aborted(sender, { signal: AbortSignal.abort(new Error('no more')) });
    expect(error).toMatchObject({ code: 'ABORTED', recoverable: true, sequence: undefined });
    expect(await sender.append(text('next'))).toBe(1);
  });

  test('after it has a number says which, and the record stays', async () => {
    const sender = await openSender({ peers: [NOBODY] });
    const abort = new AbortController();
    const waiting = aborted(sender, { ack: 'logged', signal: abort.signal });
    await until('the number', () => sender.status().appended === 1);
    abort.abort();
    const error = await waiting;
    expect(error).toBeInstanceOf(AbortedError);
    expect(error).toMatchObject({ code: 'ABORTED', sequence: 1 });
    expect(await sender.append(text('next'))).toBe(2);
  });

  test('after it has resolved does nothing', async () => {
    const sender = await openSender({ peers: [NOBODY] });
    const abort = new AbortController();
    await sender.append(text('x'), { signal: abort.signal });
    abort.abort();
    expect(sender.status().appended).toBe(1);
  });

  test('does not disturb the others', async () => {
    const receiver = await openReceiver({ apply: () => {} });
    const sender = await openSender({ peers: [peer(receiver.port)] });
    const abort = new AbortController();
    const all = Array.from({ length: 100 }, (_, i) =>
      sender.append(text(String(i)), { ack: 'applied', ...(i % 2 === 0 ? {} : { signal: abort.signal }) }),
    );
    abort.abort();
    const settled = await Promise.allSettled(all);
    for (const [i, { status }] of settled.entries()) if (i % 2 === 0) expect(status).toBe('fulfilled');
  });
});

test('a sender that is closed takes nothing, and those who wait are told', async () => {
  const sender = await openSender({ peers: [NOBODY] });
  const waiting = sender.append(text('x'), { ack: 'logged' });
  const connected = sender.connected();
  await until('the number', () => sender.status().appended === 1);
  const closing = sender.close();
  await expect(waiting).rejects.toMatchObject({ code: 'CLOSED' });
  await expect(connected).rejects.toMatchObject({ code: 'CLOSED' });
  await closing;
  await expect(sender.append(text('y'))).rejects.toMatchObject({ code: 'CLOSED' });
  await expect(sender.drain('local')).rejects.toMatchObject({ code: 'CLOSED' });
  await expect(sender.connected()).rejects.toMatchObject({ code: 'CLOSED' });
});
