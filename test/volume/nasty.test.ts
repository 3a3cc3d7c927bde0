import { expect, test } from 'vitest';
import { Pair } from '../support/pair.js';
import { makeNastyTree } from '../support/tree.js';

test('the first copy of a tree with everything in it is exact', async () => {
  const pair = Pair.at();
  await makeNastyTree(pair.source);
  await pair.openReceiver();
  await pair.openSender();
  const { entries, repaired } = await pair.sync();
  expect(pair.differences()).toEqual([]);
  expect(entries).toBeGreaterThan(200);
  expect(repaired).toBe(0);

  const before = pair.sender.status().appended;
  const again = await pair.sync();
  expect(again).toMatchObject({ sent: 0, moved: 0, removed: 0, touched: 0, sourceBytes: 0, repaired: 0 });
  expect(pair.sender.status().appended).toBe(before);
});
