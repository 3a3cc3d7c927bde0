import { describe, expect, test } from 'vitest';
import type { LentBatch } from '../../src/journal/journal.js';
import { Loan } from '../../src/journal/state/loan.js';
import { randomFor } from '../support/seed.js';
import { newJournal } from './harness.js';

/** Records that are lent stay as they are until they are given back, and their memory is used again then. */

const MIB = 1024 * 1024;
const SPOILED = 0xdb;

describe('a loan', () => {
  test('ends with the last of those that share it', () => {
    const ended: Buffer[] = [];
    const loan = new Loan(Buffer.alloc(8), (memory) => ended.push(memory));
    const done = [loan.share(), loan.share()];
    loan.giveBack();
    done[0]?.();
    expect(ended).toEqual([]);
    done[1]?.();
    expect(ended).toEqual([loan.memory]);
  });

  test('that is given back twice by one of them is not taken from the others', () => {
    const ended: Buffer[] = [];
    const loan = new Loan(Buffer.alloc(8), (memory) => ended.push(memory));
    const [first, second] = [loan.share(), loan.share()];
    loan.giveBack();
    first();
    first();
    expect(ended).toEqual([]);
    second();
    expect(ended).toHaveLength(1);
  });
});

describe.each([
  ['from memory', { tailBytes: 2 * MIB }],
  ['from files', { tailBytes: 0 }],
])('records that are lent %s', (_, options) => {
  test('are those that were appended, however many batches are out at a time', async () => {
    const random = randomFor(4711);
    const { journal } = await newJournal({ segmentBytes: 3 * MIB, ...options });
    const sent: Buffer[] = [];
    const out: LentBatch[] = [];
    let checked = 0;
    const settle = (batch: LentBatch): void => {
      for (const { sequence, payload } of batch.records) {
        expect(payload.equals(sent[sequence - 1] as Buffer), `record ${sequence}, seed ${random.seed}`).toBe(true);
        checked++;
      }
      batch.giveBack();
    };
    const reading = new AbortController();
    const lent = journal.readLent(1, { follow: true, signal: reading.signal, batchBytesMax: 300_000 });
    const iterator = lent[Symbol.asyncIterator]();
    for (let round = 0; round < 60; round++) {
      const payloads = Array.from({ length: random.between(1, 12) }, () => random.bytes(random.below(90_000)));
      sent.push(...payloads);
      await journal.appendMany(payloads);
      while (checked + out.reduce((sum, { records }) => sum + records.length, 0) < sent.length) {
        out.push((await iterator.next()).value as LentBatch);
        if (out.length > random.below(6)) for (const batch of out.splice(0, random.between(1, 3))) settle(batch);
      }
    }
    for (const batch of out) settle(batch);
    expect(checked).toBe(sent.length);
    reading.abort();
    await iterator.return?.();
  });

  test('leave their memory to what comes next', async () => {
    const { journal } = await newJournal({ segmentBytes: 64 * MIB, ...options });
    const reading = new AbortController();
    const iterator = journal.readLent(1, { follow: true, signal: reading.signal })[Symbol.asyncIterator]();
    const memory = new Set<ArrayBufferLike>();
    for (let round = 0; round < 40; round++) {
      await journal.append(Buffer.alloc(MIB / 2, round));
      const { records, giveBack } = (await iterator.next()).value as LentBatch;
      for (const { payload } of records) memory.add(payload.buffer);
      giveBack();
    }
    expect(memory.size).toBeLessThanOrEqual(8);
    reading.abort();
    await iterator.return?.();
  });

  test('that are not given back stay as they are', async () => {
    const { journal } = await newJournal({ segmentBytes: 64 * MIB, ...options });
    const payload = Buffer.alloc(MIB / 2, 7);
    await journal.append(payload);
    const kept: LentBatch[] = [];
    for await (const batch of journal.readLent(1)) kept.push(batch);
    for (let round = 0; round < 12; round++) await journal.append(Buffer.alloc(MIB / 2, SPOILED));
    for await (const batch of journal.readLent(2)) batch.giveBack();
    expect(kept[0]?.records[0]?.payload.equals(payload)).toBe(true);
  });
});
