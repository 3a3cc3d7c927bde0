import { expect, test } from 'vitest';
import { Line } from '../../src/channel/line.js';
import type { Member } from '../../src/channel/member.js';

interface Told {
  rttUs?: number;
  minRttUs?: number;
  sentBytes?: number;
  retransmittedBytes?: number;
}

const memberOf = (tcpInfo: Told | undefined): Member => ({ connection: { tcpInfo } }) as unknown as Member;

test('the least queue of those that carry something counts, and what all of them sent again', () => {
  const told = { rttUs: 35_000, minRttUs: 30_000, sentBytes: 1_000_000, retransmittedBytes: 20_000 };
  const idle = { rttUs: 30_000, minRttUs: 30_000, sentBytes: 0, retransmittedBytes: 0 };
  const longer = { rttUs: 60_000, minRttUs: 30_000, sentBytes: 1_000_000, retransmittedBytes: 0 };
  const line = new Line([memberOf(told), memberOf(idle), memberOf(longer)]);
  expect(line.measure()).toEqual({ lossPart: 0.01 / 4, queueMs: 5, sentBytes: 2_000_000, resentBytes: 20_000 });
  expect(line.loses).toBe(true);
});

test('losses are forgotten as more is sent without', () => {
  const told = { rttUs: 30_000, minRttUs: 30_000, sentBytes: 100_000, retransmittedBytes: 10_000 };
  const line = new Line([memberOf(told)]);
  line.measure();
  expect(line.loses).toBe(true);
  for (let round = 0; round < 20; round++) {
    told.sentBytes += 100_000;
    line.measure();
  }
  expect(line.loses).toBe(false);
});

test('nothing is known where the system does not tell, or nothing is sent', () => {
  expect(new Line([memberOf(undefined), memberOf({ rttUs: 1, minRttUs: 1 })]).measure()).toBeUndefined();
  expect(new Line([]).measure()).toBeUndefined();
});
