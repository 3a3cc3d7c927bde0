import { expect, test } from 'vitest';
import { recordBytes } from '../../src/engine/record-layout.js';
import type { Journal } from '../../src/journal/journal.js';
import { randomFor } from '../support/seed.js';
import { newJournal, openJournal } from './harness.js';

const KIB = 1024;
/** What the index leaves out at most, and what headers, footers and page ends take. */
const SLACK_BYTES = 256 * KIB + 64 * KIB;

async function sizesOf(journal: Journal): Promise<Map<number, number>> {
  const sizes = new Map<number, number>();
  for await (const { sequence, payload } of journal.read(journal.first)) {
    sizes.set(sequence, recordBytes(0, payload.length));
  }
  return sizes;
}

test('reaches back as far as it may, and no further, also after a reopen', async () => {
  const random = randomFor(311);
  const { journal, dir } = await newJournal({ segmentBytes: 1024 * KIB });
  while (journal.last < 900) {
    await journal.appendMany(Array.from({ length: 1 + random.below(20) }, () => Buffer.alloc(random.below(20_000), 7)));
  }
  const check = (opened: Journal, sizes: Map<number, number>) => {
    for (let round = 0; round < 300; round++) {
      const through = random.below(opened.last + 1);
      const bytes = random.below(random.pick([100 * KIB, 2000 * KIB, 20_000 * KIB]));
      const from = opened.reachingBack(through, bytes);
      const name = `seed ${random.seed}, through ${through}, ${bytes} bytes`;
      let taken = 0;
      for (let sequence = from; sequence <= through; sequence++) taken += sizes.get(sequence) ?? Number.NaN;
      expect(taken, name).toBeLessThanOrEqual(bytes);
      if (from > 1 && through > 0) expect(taken + SLACK_BYTES + 20 * 20_000, name).toBeGreaterThan(bytes * 0.9);
    }
  };
  const sizes = await sizesOf(journal);
  check(journal, sizes);
  await journal.close();
  check(await openJournal({ dir }), sizes);
});

test('with nothing to reach to', async () => {
  const { journal } = await newJournal();
  expect(journal.reachingBack(0, 1000)).toBe(1);
  await journal.append(Buffer.alloc(1000));
  expect(journal.reachingBack(1, 0)).toBe(2);
  expect(journal.reachingBack(1, 10_000)).toBe(1);
  expect(journal.reachingBack(9, 10_000)).toBe(1);
  for (const wrong of [-1, 0.5, Number.NaN]) {
    expect(() => journal.reachingBack(wrong, 1)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
    expect(() => journal.reachingBack(1, wrong)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
  }
});
