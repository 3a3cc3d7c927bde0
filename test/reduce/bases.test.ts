import { expect, test } from 'vitest';
import { PAYLOAD_BYTES_MAX } from '../../src/options.js';
import { BASE_BYTES_MAX } from '../../src/reduce/batch.js';
import { Outliner } from '../../src/reduce/outline.js';
import { contentOf } from '../support/files.js';
import { ends } from './ends.js';

const BLOCK_BYTES = 4096;

test('writes that replace more than a batch may refer to are sent, the last of them without references', async () => {
  const { add, cross } = ends();
  const large = contentOf(1, PAYLOAD_BYTES_MAX, false);
  await cross([add('large', 0, large)]);
  await cross([add('small', 0, Buffer.from(large.subarray(0, PAYLOAD_BYTES_MAX / 2)))]);
  const changed = Buffer.from(large);
  for (let at = 0; at < changed.byteLength; at += 4000) changed[at] = (changed[at] as number) ^ 7;
  // Each over the border of two blocks, both of which are its base.
  const borders = Array.from({ length: 4000 }, (_, index) => ((index % 2000) + 1) * BLOCK_BYTES - 100);
  const small = borders.map((offset) => add('small', offset, Buffer.from(changed.subarray(offset, offset + 200))));
  const bytes = await cross([...small, add('large', 0, changed)]);
  expect(bytes).toBeLessThanOrEqual(BASE_BYTES_MAX);
  expect(bytes).toBeGreaterThan(BASE_BYTES_MAX / 2);
});

test('the last chunk of a payload is no base of its own when it is a crumb', async () => {
  const { add, cross } = ends();
  const content = contentOf(3, 300_000, false);
  const { ends: cuts } = new Outliner(Buffer.alloc(32, 1)).of({ sequence: 1, payload: content });
  expect(cuts.length).toBeGreaterThan(5);
  for (const [index, cut] of cuts.slice(1, -1).entries()) {
    const payload = content.subarray(0, cut + 15);
    await cross([add(`old ${index}`, 0, payload)]);
    const changed = Buffer.from(payload);
    for (let at = 0; at < cut - 100; at += 1000) changed[at] = (changed[at] as number) ^ 1;
    await cross([add(`new ${index}`, 0, changed)]);
  }
});
