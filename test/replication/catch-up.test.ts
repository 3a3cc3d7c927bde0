import { expect, test } from 'vitest';
import { History } from '../../src/reduce/history.js';
import { CatchUp } from '../../src/replication/catch-up.js';

/** Records that may not wait for history go at once; it is learned beside them. */

function setUp(mayWait: boolean, shortFrom = 0) {
  const history = new History();
  const loads: { through: number; open: () => void; fail: () => void }[] = [];
  const over = new AbortController();
  const indexer = {
    async load(_: History, through: number) {
      await new Promise<void>((open, reject) => {
        loads.push({ through, open, fail: () => reject(new Error('it cannot be read')) });
      });
      history.pass(through, true);
    },
  };
  const journal = { reachingBack: () => shortFrom };
  const inner = new CatchUp({ journal, indexer, history, signal: over.signal });
  const catchUp = { before: (next: number, waits = mayWait) => inner.before(next, waits), idle: () => inner.idle() };
  return { history, loads, catchUp, load: (at: number) => loads[at] as (typeof loads)[number] };
}

async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol('pending');
  return (await Promise.race([promise, new Promise((resolve) => setImmediate(resolve, pending))])) !== pending;
}

test('who may wait does', async () => {
  const { catchUp, load, history } = setUp(true);
  const ready = catchUp.before(1000);
  expect(await isSettled(ready)).toBe(false);
  load(0).open();
  await ready;
  expect(history.through).toBe(999);
  await catchUp.before(1000);
});

test('who may not goes on, and history is learned once at a time until it is all there', async () => {
  const { catchUp, load, loads, history } = setUp(false, 500);
  await catchUp.before(1000);
  await catchUp.before(1010);
  expect(loads.map(({ through }) => through)).toEqual([999]);
  load(0).open();
  await catchUp.idle();
  expect(history.through).toBe(999);
  // What came meanwhile is a short way.
  const ready = catchUp.before(1020);
  expect(await isSettled(ready)).toBe(false);
  load(1).open();
  await ready;
  expect(history.through).toBe(1019);
  await catchUp.before(1020);
  expect(loads).toHaveLength(2);
});

test('who may wait meanwhile waits for what is being learned', async () => {
  const { catchUp, load, loads } = setUp(false, 500);
  await catchUp.before(1000);
  const ready = catchUp.before(1001, true);
  expect(await isSettled(ready)).toBe(false);
  load(0).open();
  await catchUp.idle();
  expect(await isSettled(ready)).toBe(false);
  load(1).open();
  await ready;
  expect(loads.map(({ through }) => through)).toEqual([999, 1000]);
});

test('a failure is told before the next batch', async () => {
  const { catchUp, load, loads } = setUp(false, 500);
  await catchUp.before(1000);
  expect(loads).toHaveLength(1);
  load(0).fail();
  await catchUp.idle();
  await expect(catchUp.before(1001)).rejects.toThrow('cannot be read');
});
