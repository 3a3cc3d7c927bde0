import { describe, expect, test } from 'vitest';
import { AbortedError, ClosedError } from '../../src/errors.js';
import type { Journal } from '../../src/journal/journal.js';
import { collect, newJournal, SEGMENT_BYTES_MIN } from './harness.js';

const KIB = 1024;

/** A journal whose queue is full once 64 KiB wait for the cursor, with appends standing in line behind. */
async function fullJournal(): Promise<{ journal: Journal; order: number[]; waiting: Promise<number>[] }> {
  const { journal } = await newJournal({ queueBytesMax: SEGMENT_BYTES_MIN });
  journal.cursor('peer');
  await journal.append(Buffer.alloc(70 * KIB));
  const order: number[] = [];
  const waiting = [1, 2, 3].map((id) =>
    journal.append(Buffer.alloc(70 * KIB, id)).then((sequence) => {
      order.push(id);
      return sequence;
    }),
  );
  // Those that a test does not let in are refused when the journal closes.
  for (const call of waiting) call.catch(() => {});
  return { journal, order, waiting };
}

test('appends wait while the queue is full, in line, and go on as the cursor moves', async () => {
  const { journal, order, waiting } = await fullJournal();
  const [first, second, third] = waiting;
  expect(journal.status()).toMatchObject({ last: 1, assigned: 1, cursors: [{ name: 'peer', position: 0 }] });
  expect(journal.status().queueBytes).toBeGreaterThan(SEGMENT_BYTES_MIN);
  await journal.cursor('peer').advance(1);
  expect(await first).toBe(2);
  expect(journal.assigned).toBe(2);
  await journal.cursor('peer').advance(2);
  expect(await second).toBe(3);
  await journal.cursor('peer').advance(3);
  expect(await third).toBe(4);
  expect(order).toEqual([1, 2, 3]);
  await journal.cursor('peer').advance(4);
  expect(journal.status().queueBytes).toBe(0);
});

test('the slowest cursor counts, and dropping it lets the others go on', async () => {
  const { journal, waiting } = await fullJournal();
  journal.cursor('fast', { at: 1 });
  expect(journal.assigned).toBe(1);
  await journal.dropCursor('peer');
  expect(await waiting[0]).toBe(2);
  expect(journal.assigned).toBe(2);
});

test('without any cursor the whole journal is the queue', async () => {
  const { journal } = await newJournal({ queueBytesMax: SEGMENT_BYTES_MIN });
  await journal.append(Buffer.alloc(70 * KIB));
  const waiting = journal.append(Buffer.from('waits'));
  expect(journal.assigned).toBe(1);
  await journal.cursor('late', { at: 1 }).advance(1);
  expect(await waiting).toBe(2);
});

test('appends wait while too much is in memory, and the order holds', async () => {
  const { journal } = await newJournal({ pendingBytesMax: SEGMENT_BYTES_MIN });
  const calls = Array.from({ length: 60 }, (_, index) => journal.append(Buffer.alloc(10 * KIB, index)));
  expect(journal.assigned).toBe(7);
  expect(journal.status().pendingBytes).toBeLessThanOrEqual(SEGMENT_BYTES_MIN + 11 * KIB);
  expect(await Promise.all(calls)).toEqual(calls.map((_, index) => index + 1));
  const payloads = (await collect(journal.read(1))).map((record) => record.payload[0]);
  expect(payloads).toEqual(calls.map((_, index) => index));
  expect(journal.status().pendingBytes).toBe(0);
});

test('assign waits for its number only', async () => {
  const { journal } = await newJournal({ pendingBytesMax: SEGMENT_BYTES_MIN });
  const first = await journal.assign(Buffer.alloc(70 * KIB));
  const second = journal.assign(Buffer.alloc(1));
  expect(journal.assigned).toBe(1);
  expect((await second).sequence).toBe(2);
  expect(journal.last).toBe(1);
  expect(await first.durable).toBe(1);
});

describe('abort', () => {
  test('before the call: nothing happens', async () => {
    const { journal } = await newJournal();
    const reason = new Error('enough');
    const error: unknown = await journal.append(Buffer.alloc(1), { signal: AbortSignal.abort(reason) }).catch((e) => e);
    expect(error).toMatchObject({ code: 'ABORTED', sequence: undefined, cause: reason });
    expect(journal.assigned).toBe(0);
  });

  test('while waiting in line: no number, and those behind keep their order', async () => {
    const { journal, waiting } = await fullJournal();
    const controller = new AbortController();
    const gone = journal.append(Buffer.alloc(1), { signal: controller.signal });
    const behind = journal.append(Buffer.from('behind'));
    controller.abort();
    await expect(gone).rejects.toMatchObject({ code: 'ABORTED', sequence: undefined });
    for (const sequence of [1, 2, 3, 4]) {
      await journal.cursor('peer').advance(sequence);
      if (sequence < 4) expect(await waiting[sequence - 1]).toBe(sequence + 1);
    }
    expect(await behind).toBe(5);
  });

  test('after the number: the record stays', async () => {
    const { journal } = await newJournal();
    const controller = new AbortController();
    const call = journal.append(Buffer.from('stays'), { signal: controller.signal });
    const many = journal.appendMany([Buffer.from('a'), Buffer.from('b')], { signal: controller.signal });
    controller.abort();
    await expect(call).rejects.toBeInstanceOf(AbortedError);
    await expect(call).rejects.toMatchObject({ sequence: 1 });
    await expect(many).rejects.toMatchObject({ sequence: 3 });
    expect(await journal.append(Buffer.from('next'))).toBe(4);
    expect((await collect(journal.read(1))).map((record) => record.payload.toString())).toEqual([
      'stays',
      'a',
      'b',
      'next',
    ]);
  });

  test('many calls may share one signal', async () => {
    const warnings: Error[] = [];
    const listen = (warning: Error) => warnings.push(warning);
    process.on('warning', listen);
    const { journal } = await newJournal({ pendingBytesMax: SEGMENT_BYTES_MIN });
    const controller = new AbortController();
    const append = () => journal.append(Buffer.alloc(10 * KIB), { signal: controller.signal });
    const calls = Promise.allSettled(Array.from({ length: 40 }, append));
    const follower = collect(journal.read(1, { follow: true, signal: controller.signal }));
    controller.abort();
    for (const call of await calls) expect(call).toMatchObject({ status: 'rejected', reason: { code: 'ABORTED' } });
    await expect(follower).rejects.toMatchObject({ code: 'ABORTED' });
    await journal.close();
    expect(journal.last).toBe(7);
    process.off('warning', listen);
    expect(warnings).toEqual([]);
  });

  test('after it is durable: nothing changes', async () => {
    const { journal } = await newJournal();
    const controller = new AbortController();
    const { durable } = await journal.assign(Buffer.from('a'), { signal: controller.signal });
    await durable;
    controller.abort();
    expect(await durable).toBe(1);
  });
});

describe('close', () => {
  test('writes what has a number, refuses what waits, and everything later', async () => {
    const { journal, waiting } = await fullJournal();
    const refused = Promise.allSettled(waiting);
    await journal.cursor('peer').advance(1);
    const closing = journal.close();
    expect(journal.close()).toBe(closing);
    await closing;
    expect(await refused).toMatchObject([
      { status: 'fulfilled', value: 2 },
      { status: 'rejected', reason: { code: 'CLOSED' } },
      { status: 'rejected', reason: { code: 'CLOSED' } },
    ]);
    await expect(journal.append(Buffer.alloc(1))).rejects.toBeInstanceOf(ClosedError);
    await expect(journal.reset(1, 0n)).rejects.toBeInstanceOf(ClosedError);
    await expect(journal.dropCursor('peer')).rejects.toBeInstanceOf(ClosedError);
    await expect(journal.cursors()[0]?.advance(2)).rejects.toBeInstanceOf(ClosedError);
    expect(() => journal.cursor('peer')).toThrow(ClosedError);
    expect(() => journal.read(1)).toThrow(ClosedError);
    expect(journal.status().last).toBe(2);
  });

  test('without anyone waiting for the appends', async () => {
    const { journal, dir } = await newJournal();
    const calls = [journal.append(Buffer.from('a')), journal.append(Buffer.from('b'))];
    await journal.close();
    expect(await Promise.all(calls)).toEqual([1, 2]);
    expect((await newJournal({ dir })).journal.last).toBe(2);
  });
});
