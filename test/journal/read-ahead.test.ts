import { expect, test } from 'vitest';
import type { Random } from '../../fuzz/random.js';
import { ReadAhead } from '../../src/journal/scan/read-ahead.js';
import { randomFor } from '../support/seed.js';

const MIB = 1024 * 1024;
/** What is asked for at a time: mostly little, now and then more than is carried over, or than a block holds. */
const WANTED_MAX = [100, 100, 5000, 100_000, 300_000, 2 * MIB];

function file(random: Random, bytes: number) {
  const content = random.bytes(bytes);
  let reads = 0;
  return {
    content,
    get reads() {
      return reads;
    },
    async read(into: Uint8Array, position: number) {
      reads++;
      await new Promise((resolve) => setImmediate(resolve));
      return content.copy(into, 0, position);
    },
  };
}

test('whatever is asked for from front to back comes as it lies in the file', async () => {
  const random = randomFor(91);
  for (let round = 0; round < 30; round++) {
    const source = file(random, random.below(6 * MIB));
    const end = random.below(2) === 0 ? source.content.length : random.below(source.content.length + 1000);
    const ahead = new ReadAhead(source);
    const name = `seed ${random.seed}, round ${round}`;
    for (let offset = 8 * random.below(1000); offset < end; ) {
      const wanted = Math.min(1 + random.below(random.pick(WANTED_MAX)), end - offset);
      await ahead.load(offset, wanted, end);
      const there = Math.min(wanted, source.content.length - offset);
      const { block } = ahead;
      expect(block.holds(offset, Math.max(0, there)), name).toBe(true);
      const at = offset - block.fileOffset;
      const right = source.content.subarray(offset, block.fileEnd).equals(block.bytes.subarray(at));
      expect(right, name).toBe(true);
      if (there < wanted) break;
      offset += random.below(3) === 0 ? wanted : random.below(wanted + 1) + random.below(300_000);
    }
  }
});

test('small steps read every byte about once', async () => {
  const source = file(randomFor(92), 8 * MIB);
  const ahead = new ReadAhead(source);
  for (let offset = 0; offset + 1100 <= 8 * MIB; offset += 1000) await ahead.load(offset, 1100, 8 * MIB);
  expect(source.reads).toBe(8);
});

test('a read that fails is told to whoever wants what it reads, and to nobody else', async () => {
  const failing = {
    read: async (into: Uint8Array, position: number) => {
      if (position > 0) throw new Error('no more');
      return into.byteLength;
    },
  };
  const ahead = new ReadAhead(failing);
  await ahead.load(0, 100, 3 * MIB);
  await ahead.load(MIB - 100, 100, 3 * MIB);
  await expect(ahead.load(MIB, 100, 3 * MIB)).rejects.toThrow('no more');
});
