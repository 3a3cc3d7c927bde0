import { describe, expect, test } from 'vitest';
import { History } from '../../src/reduce/history.js';
import { Outliner } from '../../src/reduce/outline.js';
import { SKETCH_WORDS } from '../../src/reduce/sketch.js';
import { Yield } from '../../src/reduce/yield.js';
import { contentOf } from '../support/files.js';
import { randomFor } from '../support/seed.js';
import { ends } from './ends.js';

const outliner = new Outliner(Buffer.alloc(32, 1));

/** So that no chunk of it is as it was. */
function edited(content: Buffer, every = 1500): Buffer {
  const copy = Buffer.from(content);
  for (let at = every / 2; at < copy.byteLength; at += every) copy[at] = (copy[at] as number) ^ 1;
  return copy;
}

describe('a sketch', () => {
  test('shares a tag with that of the same content edited, and none with that of another', () => {
    const random = randomFor(40);
    const sketchOf = (payload: Buffer) => outliner.of({ sequence: 1, payload }).sketch as Uint32Array;
    const tags = (words: Uint32Array): string[] => [0, 2, 4, 6].map((at) => `${at} ${words[at]} ${words[at + 1]}`);
    let found = 0;
    for (let round = 0; round < 50; round++) {
      const content = random.bytes(random.between(4000, 100_000));
      const [own, other] = [sketchOf(content), sketchOf(random.bytes(20_000))];
      expect(own.length).toBe(SKETCH_WORDS);
      const same = new Set(tags(own));
      if (tags(sketchOf(edited(content, 400))).some((tag) => same.has(tag))) found++;
      expect(tags(other).filter((tag) => same.has(tag))).toEqual([]);
    }
    expect(found).toBeGreaterThan(45);
  });

  test('is not made of what is short, nor of a short write into the middle of something', () => {
    const sketchOf = (bytes: number, offset: number) =>
      outliner.of({ sequence: 1, offset, payload: contentOf(5, bytes) }).sketch;
    expect(sketchOf(511, 0)).toBeUndefined();
    expect(sketchOf(8192, 8192)).toBeUndefined();
    expect(sketchOf(8192, 0)).toBeDefined();
    expect(sketchOf(100_000, 8192)).toBeDefined();
  });
});

describe('history', () => {
  const content = contentOf(7, 20_000);
  const outlineOf = (sequence: number, payload: Buffer) => outliner.of({ sequence, payload });

  test('knows what a content resembles most: the newest of several, within its bounds', () => {
    const history = new History();
    history.note(outlineOf(1, content));
    history.note(outlineOf(2, contentOf(9, 20_000)));
    history.note(outlineOf(3, Buffer.concat([content, contentOf(11, 500)])));
    expect(history.resembled(outlineOf(4, edited(content)))).toMatchObject({ sequence: 3, bytes: 20_500 });
    expect(history.resembled(outlineOf(4, contentOf(13, 20_000)))).toBeUndefined();
    history.lose([{ from: 3, to: 3 }]);
    expect(history.resembled(outlineOf(4, edited(content)))).toBeUndefined();
    history.forgetLosses();
    history.rewind(3);
    expect(history.resembled(outlineOf(3, edited(content)))?.sequence).toBe(1);
    history.release(2);
    expect(history.resembled(outlineOf(3, edited(content)))).toBeUndefined();
    history.clear();
    expect(history.resembled(outlineOf(3, edited(content)))).toBeUndefined();
  });
});

describe('content under another name that shares no chunk with what is known', () => {
  test('is made of what it resembles', async () => {
    const { add, cross } = ends();
    const [small, large] = [contentOf(3, 12_000, false), contentOf(5, 900_000, false)];
    await cross([add('small', 0, small), add('large', 0, large)]);
    expect(await cross([add('other', 0, edited(small))])).toBeGreaterThan(11_000);
    expect(await cross([add('another', 0, edited(large))])).toBeGreaterThan(890_000);
  });

  test('is left to the codec when that has it in its window', async () => {
    const reach = { reaches: () => false, holds: () => true };
    const starts = {
      next: async () => undefined,
      streamed: () => {},
      passed: () => {},
      resemble: () => false,
      ...reach,
    };
    const { add, cross } = ends({ starts });
    const content = contentOf(3, 12_000, false);
    await cross([add('one', 0, content)]);
    expect(await cross([add('other', 0, edited(content))])).toBe(0);
  });
});

test('what does not pay is tried less and less', () => {
  const tries = new Yield(0.8);
  const triedOf = (batches: number, left: number): number => {
    let tried = 0;
    for (let batch = 0; batch < batches; batch++) {
      if (!tries.isTried()) continue;
      tried++;
      tries.note(1000, left);
    }
    return tried;
  };
  expect(triedOf(100, 800)).toBe(100);
  expect(triedOf(1000, 801)).toBeLessThan(10);
});
