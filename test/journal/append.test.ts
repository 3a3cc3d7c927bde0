import { describe, expect, test } from 'vitest';
import { InvalidArgumentError, PayloadTooLargeError, SequenceGapError } from '../../src/errors.js';
import type { AppendOptions, Journal, JournalRecord, ReplicatedRecord } from '../../src/journal/journal.js';
import { KEY_BYTES_MAX, PAYLOAD_BYTES_MAX } from '../../src/options.js';
import { collect, contents, newDirectory, newJournal, openJournal, VOLUME } from './harness.js';

test('what is appended is read back, before and after a reopen', async () => {
  const { journal, dir } = await newJournal({ volume: VOLUME });
  const large = Buffer.alloc(40_000, 7);
  expect(journal).toMatchObject({ first: 1, last: 0, assigned: 0, lastChain: 0n, volume: VOLUME });
  expect(await journal.append(Buffer.from('one'))).toBe(1);
  expect(await journal.append(Buffer.from('two'), { kind: 255, key: 'käse', offset: 0 })).toBe(2);
  expect(await journal.append(large, { key: new Uint8Array([0, 255]), offset: Number.MAX_SAFE_INTEGER })).toBe(3);
  expect(await journal.append(new Uint8Array(0), { key: '' })).toBe(4);
  expect(await journal.appendMany([Buffer.from('five'), large, new Uint8Array(1)], { kind: 9 })).toBe(7);

  const before = await collect(journal.read(1));
  const [one, two, three, four] = before;
  expect(one).toMatchObject({ sequence: 1, epoch: 1, kind: 0, timestamp: 1_700_000_000_000_001 });
  expect(one).not.toHaveProperty('key');
  expect(one).not.toHaveProperty('offset');
  expect(two).toMatchObject({ kind: 255, key: Buffer.from('käse'), offset: 0, payload: Buffer.from('two') });
  expect(three).toMatchObject({ key: Buffer.from([0, 255]), offset: Number.MAX_SAFE_INTEGER });
  expect(three?.payload.equals(large)).toBe(true);
  expect(four).toMatchObject({ key: Buffer.alloc(0), payload: Buffer.alloc(0) });
  expect(before.map((record) => record.kind)).toEqual([0, 255, 0, 0, 9, 9, 9]);
  expect(before.at(-1)?.chain).toBe(journal.lastChain);

  await journal.close();
  const again = await openJournal({ dir });
  expect(again).toMatchObject({ first: 1, last: 7, assigned: 7, lastChain: before.at(-1)?.chain, volume: VOLUME });
  expect(await collect(again.read(1))).toEqual(before);
  expect((await collect(again.read(6))).map((record) => record.sequence)).toEqual([6, 7]);
  expect(await collect(again.read(8))).toEqual([]);
  expect(await again.append(Buffer.from('eight'))).toBe(8);
});

test('concurrent calls get their numbers in the order of the calls', async () => {
  const { journal } = await newJournal();
  const calls: Promise<number>[] = [];
  for (let index = 0; index < 500; index++) {
    const payload = Buffer.from(`${index}`);
    calls.push(index % 7 === 0 ? journal.appendMany([payload, payload]) : journal.append(payload));
  }
  const numbers = await Promise.all(calls);
  expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
  const expected = calls.flatMap((_, index) => (index % 7 === 0 ? [`${index}`, `${index}`] : [`${index}`]));
  expect(await contents(journal)).toEqual(expected);
});

test('assign tells the number first; `durable` may be ignored', async () => {
  const { journal } = await newJournal();
  const first = await journal.assign(Buffer.from('a'));
  const second = await journal.assign(Buffer.from('b'));
  expect([first.sequence, second.sequence, journal.assigned]).toEqual([1, 2, 2]);
  expect(await second.durable).toBe(2);
  expect(journal.last).toBe(2);
});

test('onDurable tells how far the journal has come, until it is ended', async () => {
  const { journal } = await newJournal();
  const seen: number[] = [];
  const end = journal.onDurable((last) => seen.push(last));
  await journal.append(Buffer.from('a'));
  await journal.appendMany([Buffer.from('b'), Buffer.from('c')]);
  end();
  await journal.append(Buffer.from('d'));
  expect(seen).toEqual([1, 3]);
});

test('timestamps and epochs come from the options', async () => {
  const { journal, dir } = await newJournal({ epoch: 3, now: () => 42 });
  await journal.append(Buffer.from('a'));
  await journal.close();
  const lower = await openJournal({ dir, epoch: 2 });
  await lower.append(Buffer.from('b'));
  await lower.close();
  const higher = await openJournal({ dir, epoch: 5 });
  await higher.append(Buffer.from('c'));
  const records = await collect(higher.read(1));
  expect(records.map((record) => record.epoch)).toEqual([3, 3, 5]);
  expect(records[0]?.timestamp).toBe(42);
});

describe('arguments are refused before anything happens', () => {
  const wrong: [string, (journal: Journal) => Promise<unknown>, string][] = [
    ['payload', (journal) => journal.append('text' as never), 'payload'],
    ['kind', (journal) => journal.append(Buffer.alloc(1), { kind: 256 }), 'kind'],
    ['fractional kind', (journal) => journal.append(Buffer.alloc(1), { kind: 1.5 }), 'kind'],
    ['offset', (journal) => journal.append(Buffer.alloc(1), { offset: -1 }), 'offset'],
    ['unsafe offset', (journal) => journal.append(Buffer.alloc(1), { offset: 2 ** 53 }), 'offset'],
    ['key', (journal) => journal.append(Buffer.alloc(1), { key: 'k'.repeat(KEY_BYTES_MAX + 1) }), 'key'],
    ['key type', (journal) => journal.append(Buffer.alloc(1), { key: 5 as never }), 'key'],
    ['empty list', (journal) => journal.appendMany([]), 'payloads'],
    ['one of many', (journal) => journal.appendMany([Buffer.alloc(1), null as never]), 'payload'],
    ['no records', (journal) => journal.appendReplicated([]), 'records'],
    ['from', async (journal) => journal.read(0), 'from'],
    ['batch limit', async (journal) => journal.readBatches(1, { batchBytesMax: 0 }), 'batchBytesMax'],
    ['chain', (journal) => journal.reset(1, -1n), 'chain'],
    ['base', (journal) => journal.reset(0, 0n), 'base'],
    ['volume', (journal) => journal.reset(1, 0n, { volume: 'x' }), 'volume'],
    ['cursor name', async (journal) => journal.cursor(''), 'name'],
    ['long cursor name', async (journal) => journal.cursor('ä'.repeat(65)), 'name'],
    ['cursor place', async (journal) => journal.cursor('a', { at: 1 }), 'at'],
  ];
  test.each(wrong)('%s', async (_, call, argument) => {
    const { journal } = await newJournal();
    const error = await call(journal).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(InvalidArgumentError);
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', argument });
    expect(journal.assigned).toBe(0);
  });

  test('payload size', async () => {
    const { journal } = await newJournal();
    await expect(journal.append(Buffer.alloc(PAYLOAD_BYTES_MAX + 1))).rejects.toBeInstanceOf(PayloadTooLargeError);
    expect(await journal.append(Buffer.alloc(PAYLOAD_BYTES_MAX))).toBe(1);
    expect((await collect(journal.read(1)))[0]?.payload.byteLength).toBe(PAYLOAD_BYTES_MAX);
  });

  test.each([
    ['dir', { dir: '' }],
    ['volume', { volume: 'AA' }],
    ['segmentBytes', { segmentBytes: 1024 }],
    ['queueBytesMax', { queueBytesMax: 1 }],
    ['pendingBytesMax', { pendingBytesMax: 0.5 }],
    ['historyBytes', { historyBytes: -1 }],
    ['epoch', { epoch: 0 }],
    ['durability', { durability: 'some' as never }],
  ])('option %s', async (argument, o) => {
    await expect(openJournal({ dir: newDirectory(), ...o })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      argument,
    });
  });
});

describe('appendReplicated', () => {
  const samples: [string, AppendOptions][] = [
    ['a', {}],
    ['', { key: '' }],
    ['b', { key: 'k', offset: 7, kind: 200 }],
    ['c'.repeat(50_000), { key: Buffer.alloc(KEY_BYTES_MAX, 1) }],
    ['d'.repeat(70_000), { offset: 0 }],
    ['e', { kind: 1 }],
  ];

  async function source(): Promise<{ records: JournalRecord[]; chain: bigint }> {
    const { journal } = await newJournal({ epoch: 4 });
    for (const [text, o] of samples) await journal.append(Buffer.from(text), o);
    return { records: await collect(journal.read(1)), chain: journal.lastChain };
  }

  test('keeps everything, and the chain does not depend on layout or groups', async () => {
    const { records, chain } = await source();
    const { journal } = await newJournal({ segmentBytes: 1024 * 1024 });
    expect(await journal.appendReplicated(records.slice(0, 2))).toBe(2);
    expect(await journal.appendReplicated(records.slice(2))).toBe(samples.length);
    expect(await collect(journal.read(1))).toEqual(records);
    expect(journal.lastChain).toBe(chain);
    await journal.append(Buffer.from('own'));
    expect((await collect(journal.read(7)))[0]?.epoch).toBe(4);
  });

  test('refuses gaps, repeats, lower epochs and wrong content, each time as a whole', async () => {
    const { records } = await source();
    const { journal } = await newJournal();
    await journal.appendReplicated(records.slice(0, 1));
    const second = records[1] as ReplicatedRecord;
    const third = records[2] as ReplicatedRecord;
    await expect(journal.appendReplicated([third])).rejects.toMatchObject({
      code: 'SEQUENCE_GAP',
      expected: 2,
      given: 3,
    });
    await expect(journal.appendReplicated(records.slice(0, 2))).rejects.toBeInstanceOf(SequenceGapError);
    await expect(journal.appendReplicated([second, second])).rejects.toBeInstanceOf(SequenceGapError);
    await expect(journal.appendReplicated([{ ...second, epoch: 3 }])).rejects.toMatchObject({
      argument: 'records[0].epoch',
    });
    await expect(journal.appendReplicated([second, { ...third, epoch: 3 }])).rejects.toMatchObject({
      argument: 'records[1].epoch',
    });
    await expect(journal.appendReplicated([{ ...second, payload: Buffer.from('x') }])).rejects.toMatchObject({
      argument: 'records[0].checksum',
    });
    await expect(journal.appendReplicated([{ ...second, key: 'x' }])).rejects.toMatchObject({
      argument: 'records[0].checksum',
    });
    await expect(journal.appendReplicated([{ ...second, timestamp: -1 }])).rejects.toMatchObject({
      argument: 'records[0].timestamp',
    });
    expect(journal.assigned).toBe(1);
    expect(await journal.appendReplicated(records.slice(1))).toBe(samples.length);
  });
});
