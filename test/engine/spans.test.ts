import { closeSync, openSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { randomFor, SEED } from '../support/seed.js';
import { atEnd, newDirectory } from '../support/temp.js';
import { engines } from './engines.js';

function newFile(bytes: Uint8Array): { path: string; fd: number } {
  const path = join(newDirectory(), 'file');
  writeFileSync(path, bytes);
  const fd = openSync(path, 'r');
  atEnd(() => closeSync(fd));
  return { path, fd };
}

describe.each(engines)('many places of a file, %s', (_, { readSpans }) => {
  test(`in any order, overlapping and empty, one behind the other (seed ${SEED})`, async () => {
    const random = randomFor(61);
    const whole = random.bytes(300_000);
    const { fd } = newFile(whole);
    for (let round = 0; round < 20; round++) {
      const list = Array.from({ length: random.below(100) }, () => {
        const start = random.below(whole.byteLength + 1);
        return { start, length: random.below(Math.min(20_000, whole.byteLength - start) + 1) };
      });
      const expected = Buffer.concat(list.map(({ start, length }) => whole.subarray(start, start + length)));
      const memory = new Uint8Array(expected.byteLength + 2).fill(7);
      const into = memory.subarray(1, -1);
      const spans = Float64Array.from(list.flatMap(({ start, length }) => [start, length]));
      expect(await readSpans(fd, spans, into)).toBe(true);
      expect(expected.equals(into), `seed ${random.seed}, round ${round}`).toBe(true);
      expect([memory[0], memory.at(-1)]).toEqual([7, 7]);
    }
  });

  test('many calls at a time', async () => {
    const whole = randomFor(62).bytes(100_000);
    const { fd } = newFile(whole);
    const read = Array.from({ length: 40 }, async (__, index) => {
      const into = new Uint8Array(1500);
      const done = await readSpans(fd, Float64Array.of(2000 * index, 1000, 2000 * index + 1500, 500), into);
      const expected = [whole.subarray(2000 * index, 2000 * index + 1000), whole.subarray(2000 * index + 1500)];
      return done && Buffer.concat(expected).subarray(0, 1500).equals(into);
    });
    expect(await Promise.all(read)).toEqual(Array(40).fill(true));
  });

  test('a file that ends before that says so', async () => {
    const { path, fd } = newFile(Buffer.alloc(10_000, 1));
    const read = (...spans: number[]) => {
      const bytes = spans.reduce((sum, value, index) => sum + (index % 2 === 0 ? 0 : value), 0);
      return readSpans(fd, Float64Array.from(spans), new Uint8Array(bytes));
    };
    expect(await read(9_990, 10)).toBe(true);
    expect(await read(9_990, 11)).toBe(false);
    expect(await read(0, 10, 20_000, 1, 100, 5)).toBe(false);
    expect(await read(20_000, 0)).toBe(true);
    truncateSync(path, 5000);
    expect(await read(4000, 2000)).toBe(false);
  });

  test('a failure is an error as Node makes it', async () => {
    const directory = openSync(newDirectory(), 'r');
    atEnd(() => closeSync(directory));
    const read = readSpans(directory, Float64Array.of(0, 10), new Uint8Array(10));
    await expect(read).rejects.toMatchObject({ code: 'EISDIR', syscall: 'read' });
  });
});
