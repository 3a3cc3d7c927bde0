import { describe, expect, test } from 'vitest';
import type { Journal, ReplicatedRecord } from '../../src/journal/journal.js';
import { collect, newJournal, snapshot, VOLUME } from './harness.js';

/** Records of another journal are taken as they are or not at all: what does not continue this one changes nothing. */

const RECORDS = 12;

/** A journal with records of two epochs, and a second one that has the first half of them. */
async function halfway() {
  const source = await newJournal({ volume: VOLUME, epoch: 3 });
  for (let index = 1; index <= RECORDS; index++)
    await source.journal.append(Buffer.alloc(3000, index), { offset: index });
  const records: ReplicatedRecord[] = await collect(source.journal.read(1));
  const { journal, dir } = await newJournal({ volume: VOLUME });
  await journal.appendReplicated(records.slice(0, RECORDS / 2));
  return { journal, dir, source: source.journal, records, rest: records.slice(RECORDS / 2) };
}

const changed = (records: ReplicatedRecord[], index: number, change: Partial<ReplicatedRecord>): ReplicatedRecord[] =>
  records.map((record, at) => (at === index ? { ...record, ...change } : record));

async function expectRefused(
  { journal, dir, rest, source }: Awaited<ReturnType<typeof halfway>>,
  records: ReplicatedRecord[],
  error: object,
): Promise<void> {
  const before = { files: snapshot(dir), last: journal.last, chain: journal.lastChain };
  await expect(journal.appendReplicated(records)).rejects.toMatchObject(error);
  expect({ files: snapshot(dir), last: journal.last, chain: journal.lastChain }).toEqual(before);
  expect(journal.status()).toMatchObject({ assigned: before.last, pendingBytes: 0 });
  // The right ones are taken after that.
  expect(await journal.appendReplicated(rest)).toBe(RECORDS);
  expect(journal.lastChain).toBe(source.lastChain);
}

describe('refused as a whole:', () => {
  test.each([0, 3, 5])('a chain that is not that of record %i of the call', async (index) => {
    const half = await halfway();
    const chain = (half.rest[index]?.chain ?? 0n) ^ 1n;
    const sequence = RECORDS / 2 + index + 1;
    await expectRefused(half, changed(half.rest, index, { chain }), { code: 'CHAIN_MISMATCH', sequence, given: chain });
  });

  test('records of a journal that went another way', async () => {
    const half = await halfway();
    const { journal: other } = await newJournal({ volume: VOLUME, epoch: 3 });
    for (let index = 1; index <= RECORDS; index++) await other.append(Buffer.alloc(3000, index % 3));
    const strange = await collect(other.read(RECORDS / 2 + 1));
    await expectRefused(half, strange, { code: 'CHAIN_MISMATCH', sequence: RECORDS / 2 + 1 });
  });

  test('a timestamp, a kind, an offset that is not what the chain covers', async () => {
    for (const change of [{ timestamp: 1 }, { kind: 9 }, { offset: 99 }, { epoch: 4 }]) {
      const half = await halfway();
      await expectRefused(half, changed(half.rest, 5, change), { code: 'CHAIN_MISMATCH', sequence: RECORDS });
    }
  });

  test('a chain on the last of them alone is enough', async () => {
    const half = await halfway();
    const bare = half.rest.map(({ chain, ...record }) => record);
    const last = { ...bare[5], chain: 1n } as ReplicatedRecord;
    await expectRefused(half, [...bare.slice(0, 5), last], { code: 'CHAIN_MISMATCH', given: 1n });
  });

  test('a gap before them, a gap among them, one twice, one that is there already', async () => {
    for (const pick of [
      [1, 2],
      [0, 2],
      [0, 0],
    ]) {
      const half = await halfway();
      const records = pick.map((index) => half.rest[index] as ReplicatedRecord);
      await expectRefused(half, records, { code: 'SEQUENCE_GAP' });
    }
    const half = await halfway();
    await expectRefused(half, half.records.slice(5, 8), { code: 'SEQUENCE_GAP', expected: 7, given: 6 });
  });

  test('an epoch below that of the record before it, here or in the call', async () => {
    for (const [index, epoch] of [
      [0, 2],
      [4, 2],
    ] as const) {
      const half = await halfway();
      const argument = `records[${index}].epoch`;
      await expectRefused(half, changed(half.rest, index, { epoch, chain: 0n }), {
        code: 'INVALID_ARGUMENT',
        argument,
      });
    }
  });

  test('a chain that is none', async () => {
    const half = await halfway();
    const wrong = changed(half.rest, 2, { chain: 7 as never });
    await expectRefused(half, wrong, { code: 'INVALID_ARGUMENT', argument: 'chain' });
  });
});

describe('calls that are under way', () => {
  test('continue each other', async () => {
    const { journal, rest, source } = await halfway();
    await Promise.all(rest.map((record) => journal.appendReplicated([record])));
    expect(journal.lastChain).toBe(source.lastChain);
  });

  test('of which one is refused leave the others alone', async () => {
    const { journal, rest } = await halfway();
    const [first, second, third] = rest as [ReplicatedRecord, ReplicatedRecord, ReplicatedRecord];
    const calls = [[first], [{ ...second, chain: 1n }], [second, third], [third]].map((each) =>
      journal.appendReplicated(each),
    );
    expect(await Promise.allSettled(calls)).toMatchObject([
      { value: 7 },
      { reason: { code: 'CHAIN_MISMATCH', sequence: 8 } },
      { value: 9 },
      { reason: { code: 'SEQUENCE_GAP' } },
    ]);
  });

  test('behind appends of one’s own wait for their chain', async () => {
    const { journal, source } = await halfway();
    const own = journal.append(Buffer.from('own'), { offset: 1 });
    const { journal: twin } = await newJournal({ volume: VOLUME });
    await twin.appendReplicated(await collect(source.read(1)).then((records) => records.slice(0, 6)));
    await own;
    await twin.appendReplicated(await collect(journal.read(7)));
    await twin.append(Buffer.from('more'));
    const more = (await collect(twin.read(8)))[0] as ReplicatedRecord;
    const late = journal.append(Buffer.from('late'));
    const refused = journal.appendReplicated([{ ...more, sequence: 9 }]);
    await expect(refused).rejects.toMatchObject({ code: 'CHAIN_MISMATCH', sequence: 9 });
    expect(await late).toBe(8);
    expect(await lengths(journal)).toEqual([8, 8]);
  });
});

async function lengths(journal: Journal): Promise<number[]> {
  return [(await collect(journal.read(1))).length, journal.assigned];
}
