import { expect, test } from 'vitest';
import { type Pattern, patterns } from '../../bench/journal/patterns.js';
import { report } from '../../bench/journal/report.js';
import { inTurn, medianOf, ratioOf } from '../../bench/journal/rounds.js';
import type { Store } from '../../bench/journal/store.js';
import { type Group, Workload } from '../../bench/journal/workload.js';

/** Counts what it is given. */
class Counter implements Store {
  alone = 0;
  groups = 0;
  underWay = 0;
  mostUnderWay = 0;

  constructor(readonly concurrent: boolean) {}

  async append(): Promise<void> {
    this.alone++;
    this.underWay++;
    this.mostUnderWay = Math.max(this.mostUnderWay, this.underWay);
    await Promise.resolve();
    this.underWay--;
  }

  appendMany(_: Group): void {
    this.groups++;
  }

  close(): void {}
}

const workload = new Workload(128, 4);
const [oneCaller, inFlight, many] = patterns(workload, 8) as [Pattern, Pattern, Pattern];

test('contenders take turns, round after round, and the first of several does not count', async () => {
  const order: string[] = [];
  const figures = await inTurn([{ name: 'a' }, { name: 'b' }], 2, async ({ name }) => order.push(name));
  expect(order).toEqual(['a', 'b', 'a', 'b', 'a', 'b']);
  expect([...figures]).toEqual([
    ['a', [3, 5]],
    ['b', [4, 6]],
  ]);
  expect([...(await inTurn([{ name: 'a' }], 1, async () => 7))]).toEqual([['a', [7]]]);
});

test('the ratio is the median of those of the rounds', () => {
  const figures = new Map([
    ['ours', [10, 30, 20]],
    ['rival', [10, 10, 40]],
  ]);
  expect(medianOf(figures, 'ours')).toBe(20);
  expect(ratioOf(figures, 'ours', 'rival')).toBe(1);
});

test('a row for each comparison, and one for what each rival reached itself', () => {
  const figures = new Map([
    ['ours', [200]],
    ['rival', [100]],
  ]);
  const rows = report({ what: 'x', payloadBytes: 8192, figures }, [{ ours: 'ours', rivals: ['rival'] }]);
  expect(rows).toEqual([
    { name: 'ours, 8 KiB, x', metric: 'rate', value: 200, unit: 'records/s', rival: 'rival', ratio: 2 },
    { name: 'ours, 8 KiB, x', metric: 'throughput', value: 1.6384, unit: 'MB/s' },
    { name: 'rival, 8 KiB, x', metric: 'rate', value: 100, unit: 'records/s' },
  ]);
});

test('without rivals there are figures all the same', () => {
  const figures = new Map([['ours', [200]]]);
  expect(report({ what: 'x', payloadBytes: 128, figures }, [{ ours: 'ours', rivals: [] }])).toEqual([
    { name: 'ours, 128 B, x', metric: 'rate', value: 200, unit: 'records/s' },
  ]);
});

test('every pattern counts what is durable', async () => {
  const store = new Counter(true);
  let calls = 0;
  expect(await oneCaller.run(store, workload.feed(), () => ++calls === 3)).toBe(3);
  expect(await many.run(store, workload.feed(), () => true)).toBe(4);
  expect(store).toMatchObject({ alone: 3, groups: 1, mostUnderWay: 1 });
});

test('many callers are under way at once where the store takes that, and groups where not', async () => {
  const store = new Counter(true);
  expect(await inFlight.run(store, workload.feed(), () => true)).toBe(8);
  expect(store).toMatchObject({ alone: 8, mostUnderWay: 8 });
  const synchronous = new Counter(false);
  expect(await inFlight.run(synchronous, workload.feed(), () => true)).toBe(4);
  expect(synchronous).toMatchObject({ alone: 0, groups: 1 });
});

test('payloads are those of the groups, one by one, and none is like another', () => {
  const [feed, groups] = [workload.feed(), workload.feed()];
  const singly = Array.from({ length: 8 }, () => Buffer.from(feed.payload()).toString('latin1'));
  const grouped = [groups.group(), groups.group()];
  expect(grouped.flatMap(({ payloads }) => payloads.map((one) => Buffer.from(one).toString('latin1')))).toEqual(singly);
  expect(Buffer.concat(grouped.map(({ bytes }) => bytes)).toString('latin1')).toBe(singly.join(''));
  expect(new Set(singly).size).toBe(singly.length);
  expect(singly.every((one) => one.length === 128)).toBe(true);
});
