import { describe, expect, test } from 'vitest';
import { ownCapability } from '../../src/engine/capability.js';
import { ZstdDecoder } from '../../src/engine/zstd-decoder.js';
import { ZstdEncoder } from '../../src/engine/zstd-encoder.js';
import { affordable, ladderOf } from '../../src/reduce/compression.js';
import { History } from '../../src/reduce/history.js';
import {
  type Claim,
  decoderBytes,
  encoderBytes,
  MemoryBudget,
  REDUCTION_BYTES,
} from '../../src/reduce/memory-budget.js';
import { Outliner } from '../../src/reduce/outline.js';
import { randomFor } from '../support/seed.js';
import { atEnd } from '../support/temp.js';

const MIB = 1024 * 1024;
const peer = { lz4: true, zstd: true, windowLogMax: 26 };
const sending = (windowLog: number): number => encoderBytes(3, windowLog);

describe('a bound', () => {
  test('is the smallest of those given, or the default', () => {
    const budget = new MemoryBudget();
    expect(budget.bytesMax).toBe(REDUCTION_BYTES.default);
    expect(REDUCTION_BYTES.default).toBe(512 * MIB);
    const [large, small] = [budget.limit(900 * MIB), budget.limit(100 * MIB)];
    budget.limit(undefined)();
    expect(budget.bytesMax).toBe(100 * MIB);
    small();
    expect(budget.bytesMax).toBe(900 * MIB);
    large();
    expect(budget.bytesMax).toBe(REDUCTION_BYTES.default);
  });

  test('leaves what is taken, and counts for what is taken afterwards', () => {
    const budget = new MemoryBudget();
    const [one, two] = [budget.claim(), budget.claim()];
    expect(one.takeWindow(26, sending)).toBe(26);
    budget.limit(100 * MIB);
    expect(budget.bytes).toBeGreaterThan(100 * MIB);
    expect(two.takeWindow(26, sending)).toBeUndefined();
    expect(budget.index().grow(1)).toBe(false);
    one.give();
    expect(two.takeWindow(26, sending)).toBe(24);
  });
});

describe('claims', () => {
  test.each([
    [1, 26],
    [2, 26],
    [4, 25],
    [8, 24],
    [16, 23],
  ])('of %i peers get a window each', (peers, least) => {
    const budget = new MemoryBudget();
    const claims = Array.from({ length: peers }, () => budget.claim());
    const windows = claims.map((claim) => claim.takeWindow(26, sending) ?? 0);
    expect(Math.min(...windows)).toBeGreaterThanOrEqual(least);
    expect(budget.bytes).toBeLessThanOrEqual(budget.bytesMax);
    for (const claim of claims) claim.end();
    expect(budget.bytes).toBe(0);
    expect(budget.claim().takeWindow(26, sending)).toBe(26);
  });

  test('never take more together than there is, whatever comes and goes', () => {
    const random = randomFor(611);
    for (let round = 0; round < 200; round++) {
      const budget = new MemoryBudget();
      budget.limit(8 * MIB + random.below(1000) * MIB);
      const claims: Claim[] = [];
      const indexes = [budget.index(), budget.index()];
      for (let step = 0; step < 100; step++) {
        const claim = claims[random.below(Math.max(1, claims.length))];
        const act = random.below(5);
        if (act === 0) claims.push(budget.claim());
        else if (act === 1) claim?.takeWindow(10 + random.below(21), random.below(2) === 0 ? sending : decoderBytes);
        else if (act === 2) claim?.give();
        else if (act === 3) indexes[random.below(2)]?.grow(random.below(100) * MIB);
        else claim?.end();
        expect(budget.bytes, `round ${round}`).toBeLessThanOrEqual(budget.bytesMax);
        expect(budget.bytes).toBeGreaterThanOrEqual(0);
      }
      for (const claim of claims) claim.end();
      for (const index of indexes) index.end();
      expect(budget.bytes).toBe(0);
    }
  });

  test('that end twice, or give back what they do not have, change nothing', () => {
    const budget = new MemoryBudget();
    const claim = budget.claim();
    claim.takeWindow(20, sending);
    for (let again = 0; again < 3; again++) {
      claim.give();
      claim.end();
      expect(budget.bytes).toBe(0);
    }
  });
});

describe('a plan', () => {
  const plan = { codec: 'zstd', level: 3, windowLog: 26 } as const;

  test.each([
    [512, { codec: 'zstd', windowLog: 26, levelMax: 9 }, 6],
    [170, { codec: 'zstd', windowLog: 25, levelMax: 9 }, 6],
    [60, { codec: 'zstd', windowLog: 24, levelMax: 9 }, 6],
    [40, { codec: 'zstd', windowLog: 23, level: 3 }, 4],
    [8, { codec: 'zstd', windowLog: 20, level: 3 }, 4],
    [4, { codec: 'lz4', always: false }, 2],
    [0, { codec: 'lz4', always: false }, 2],
  ])('of a live session with %i MiB', (mib, expected, rungs) => {
    const budget = new MemoryBudget();
    budget.limit(mib * MIB);
    const made = affordable(plan, peer, budget.claim(), 9);
    expect(made).toMatchObject(expected);
    expect(ladderOf(made, peer)).toHaveLength(rungs);
    expect(budget.bytes).toBeLessThanOrEqual(mib * MIB);
  });

  test('without zstd takes nothing, and falls back to what the peer can do', () => {
    const budget = new MemoryBudget();
    budget.limit(MIB);
    const claim = budget.claim();
    expect(affordable({ codec: 'lz4', always: true }, peer, claim, 0)).toEqual({ codec: 'lz4', always: true });
    expect(affordable(plan, { ...peer, lz4: false }, claim, 3)).toEqual({ codec: 'none' });
    expect(budget.bytes).toBe(0);
  });

  test('below a rate of 100 Mbit/s stays at zstd 3 at least', () => {
    const made = affordable(plan, peer, new MemoryBudget().claim(), 9);
    expect(ladderOf(made, peer, 12.5e6).map(({ level }) => level)).toEqual([3, 6, 9]);
    expect(ladderOf(made, peer, 13e6)).toHaveLength(6);
    expect(ladderOf({ codec: 'lz4', always: false }, peer, 1e6).map(({ codec }) => codec)).toEqual(['none', 'lz4']);
  });
});

describe.runIf(ownCapability().zstd)('what is counted is what is taken at most', () => {
  test.each([1, 3, 5, 6, 8, 9, 12, 15, 19])('by an encoder at level %i', async (level) => {
    for (let windowLog = 20; windowLog <= 23; windowLog++) {
      const prefix = Buffer.alloc((2 ** windowLog * 3) / 4);
      const encoder = await ZstdEncoder.open({ level, windowLog, prefix });
      atEnd(() => encoder.close());
      expect(encoder.memoryBytes + prefix.byteLength, `window 2^${windowLog}`).toBeLessThanOrEqual(
        encoderBytes(level, windowLog),
      );
    }
  });

  test('by a decoder whose peer takes all it can', async () => {
    const prefix = Buffer.alloc(2 ** 21);
    const decoder = await ZstdDecoder.open({ windowLogMax: 21, prefix });
    atEnd(() => decoder.close());
    expect(decoder.memoryBytes + prefix.byteLength + 2 ** 21).toBeLessThanOrEqual(decoderBytes(21));
  });
});

test('history that gets no more memory forgets its oldest part, and what it has is what was granted', () => {
  const budget = new MemoryBudget();
  budget.limit(8 * MIB);
  const index = budget.index();
  const history = new History((bytes) => index.grow(bytes));
  const empty = history.memoryBytes;
  const outliner = new Outliner(Buffer.alloc(32, 1));
  const payload = randomFor(612).bytes(64 * 1024);
  const of = (sequence: number) => {
    payload.writeUInt32LE(sequence, 0);
    return outliner.of({ sequence, key: Buffer.from(`key ${sequence}`), offset: 0, payload });
  };
  const count = 30_000;
  for (let sequence = 1; sequence <= count; sequence++) history.note(of(sequence));
  expect(budget.bytes).toBeLessThanOrEqual(4 * MIB);
  expect(budget.bytes).toBeGreaterThan(3 * MIB);
  // Rehashing keeps slots in whole numbers; keys have memory for 1,024 from the start.
  expect(history.memoryBytes - empty).toBeLessThanOrEqual(budget.bytes + 1024 * 200);
  const known = (sequence: number) => history.bases({ ...of(sequence), sequence: count + 1 }, 0, 65_536).length > 0;
  expect(known(count)).toBe(true);
  expect(known(1)).toBe(false);
  index.end();
  expect(budget.bytes).toBe(0);
});
