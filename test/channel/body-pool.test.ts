import { expect, test } from 'vitest';
import { BodyPool } from '../../src/channel/body-pool.js';
import { randomFor, SEED } from '../support/seed.js';

const KIB = 1024;
const MIB = 1024 * KIB;

test('what was given back is taken again, by any body of about that size', () => {
  const pool = new BodyPool();
  const first = pool.take(100_000);
  expect(first.byteLength).toBe(100_000);
  pool.give(first);
  const second = pool.take(101_000);
  expect([second.buffer === first.buffer, second.byteLength, pool.keptBytes]).toEqual([true, 101_000, 0]);
  expect(pool.take(100_000).buffer).not.toBe(first.buffer);
});

test('a part of a body gives all of it back', () => {
  const pool = new BodyPool();
  const body = pool.take(100_000);
  pool.give(body.subarray(10, 20));
  expect(pool.take(100_000).buffer).toBe(body.buffer);
});

test('nothing is given back twice, and nothing that came from elsewhere', () => {
  const pool = new BodyPool();
  const body = pool.take(64 * KIB);
  pool.give(body);
  pool.give(body);
  pool.give(Buffer.alloc(64 * KIB));
  expect(pool.keptBytes).toBe(64 * KIB);
});

test('small bodies are none of its own', () => {
  const pool = new BodyPool();
  for (const bytes of [0, 1, 16 * KIB - 1]) {
    const body = pool.take(bytes);
    expect(body.byteLength).toBe(bytes);
    pool.give(body);
  }
  expect(pool.keptBytes).toBe(0);
});

test('it keeps no more than it may, and nothing of a body that is larger', () => {
  const pool = new BodyPool({ keptBytesMax: MIB });
  const taken = Array.from({ length: 40 }, () => pool.take(100 * KIB));
  for (const body of taken) {
    pool.give(body);
    expect(pool.keptBytes).toBeLessThanOrEqual(MIB);
  }
  const kept = pool.keptBytes;
  pool.give(Buffer.alloc(0));
  pool.give(pool.take(MIB + 1));
  expect(pool.keptBytes).toBe(kept);
});

test('what nobody asks for any more makes room for what is asked for now', () => {
  const pool = new BodyPool({ keptBytesMax: MIB });
  for (const body of Array.from({ length: 10 }, () => pool.take(100 * KIB))) pool.give(body);
  const now = pool.take(200 * KIB);
  pool.give(now);
  expect(pool.take(200 * KIB).buffer).toBe(now.buffer);
});

test(`no two bodies ever share memory (seed ${SEED})`, () => {
  const random = randomFor(1);
  const pool = new BodyPool({ keptBytesMax: 2 * MIB });
  const held = new Map<Buffer, number>();
  for (let round = 0; round < 3000; round++) {
    if (held.size < 20 && random.below(2) === 0) {
      const body = pool.take(random.below(300 * KIB));
      const mark = random.below(256);
      held.set(body.fill(mark), mark);
      continue;
    }
    const [body, mark] = random.pick([...held, [Buffer.alloc(0), 0] as const]);
    expect(body.equals(Buffer.alloc(body.byteLength, mark))).toBe(true);
    held.delete(body);
    pool.give(body);
  }
});
