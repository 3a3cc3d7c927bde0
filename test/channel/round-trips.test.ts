import { expect, test } from 'vitest';
import type { Member } from '../../src/channel/member.js';
import { RoundTrips } from '../../src/channel/round-trips.js';

interface Told {
  rttUs?: number;
  minRttUs?: number;
  ackedBytes?: number;
  retransmittedBytes?: number;
}

const memberOf = (tcpInfo: Told | undefined, path = 0): Member =>
  ({ connection: { tcpInfo }, path }) as unknown as Member;
const told = (rttMs: number, ackedBytes: number, minRttMs = 20): Required<Told> => ({
  rttUs: rttMs * 1000,
  minRttUs: minRttMs * 1000,
  ackedBytes,
  retransmittedBytes: 0,
});

test('connections count by what was acknowledged on them, and one without anything new says nothing', () => {
  const [busy, slow] = [told(30, 3000), told(50, 1000)];
  const roundTrips = new RoundTrips([memberOf(busy), memberOf(slow)]);
  expect(roundTrips.isTold).toBe(false);
  expect(roundTrips.look(0, false)).toEqual({ baseMs: 20, queueMs: 15, segmentBytes: 1460 });
  expect(roundTrips.isTold).toBe(true);
  expect(roundTrips.look(5, false)).toBeUndefined();
  slow.ackedBytes += 1000;
  expect(roundTrips.look(10, false)).toEqual({ baseMs: 20, queueMs: 30, segmentBytes: 1460 });
});

test('each path has its own base, and the longest queue counts', () => {
  const roundTrips = new RoundTrips([memberOf(told(105, 1000, 100), 0), memberOf(told(30, 1000, 20), 1)]);
  expect(roundTrips.look(0, false)).toEqual({ baseMs: 20, queueMs: 10, segmentBytes: 1460 });
});

test('a shortest round trip of another time is not taken for one of now', () => {
  const only = told(80, 1000, 20);
  const roundTrips = new RoundTrips([memberOf(only)]);
  for (let at = 0; at <= 31_000; at += 100) {
    only.ackedBytes += 1000;
    roundTrips.look(at, true);
  }
  only.ackedBytes += 1000;
  expect(roundTrips.look(32_000, true)).toEqual({ baseMs: 80, queueMs: 0, segmentBytes: 1460 });
});

test('as long as something is lost, or more than next to nothing sent, a long queue stays one', () => {
  const only = told(80, 1000, 20);
  const roundTrips = new RoundTrips([memberOf(only)]);
  for (let at = 0; at <= 120_000; at += 100) {
    only.ackedBytes += 1000;
    if (at < 60_000 && at % 20_000 === 0) only.retransmittedBytes += 1460;
    roundTrips.look(at, at < 60_000);
  }
  only.ackedBytes += 1000;
  expect(roundTrips.look(120_100, false)).toEqual({ baseMs: 20, queueMs: 60, segmentBytes: 1460 });
});

test('nothing is told where the system does not', () => {
  const roundTrips = new RoundTrips([memberOf(undefined), memberOf({ rttUs: 1, minRttUs: 1 })]);
  expect(roundTrips.look(0, false)).toBeUndefined();
  expect(roundTrips.isTold).toBe(false);
});
