import { expect, test } from 'vitest';
import { Background } from '../../src/channel/background.js';
import type { Members } from '../../src/channel/members.js';

/** Four connections on a line of 20 ms that nobody else uses, and what each is held to. */
function open() {
  const tcpInfo = { rttUs: 20_000, minRttUs: 20_000, ackedBytes: 0, retransmittedBytes: 0 };
  const paces = [0, 0, 0, 0];
  const members = paces.map((_, index) => ({
    connection: {
      tcpInfo,
      pace: (bytesPerSecond: number) => {
        paces[index] = bytesPerSecond;
      },
    },
    isUsable: true,
    underWayBytes: 0,
    rank: 0,
    path: 0,
  }));
  let now = 0;
  const background = new Background({
    members: Object.assign(new Set(members), { active: () => members }) as unknown as Members,
    bytesMax: 1024 * 1024,
    now: () => now,
  });
  const run = (ms: number): void => {
    for (const end = now + ms; now < end; now += 5) {
      tcpInfo.ackedBytes += 1000;
      background.full();
      background.note(background.bytes / 4, 20, background.bytes);
    }
  };
  return { background, members, paces, run };
}

test('connections share a pace that spreads the window over the round trip', () => {
  const { background, paces, run } = open();
  run(30);
  // So little keeps one of them busy.
  const whole = (background.yields?.rateBytesPerSecond ?? 0) * 1.25;
  expect(Math.abs((paces[0] ?? 0) / whole - 1)).toBeLessThan(1 / 16);
  run(10_000);
  expect(background.bytes).toBe(1024 * 1024);
  const part = (background.bytes / 0.02 / 4) * 1.25;
  for (const pace of paces) expect(Math.abs(pace / part - 1)).toBeLessThan(1 / 16);
});

test('what a connection carries already goes out in time, however small the window has become', () => {
  const { members, paces, run } = open();
  for (const member of members) member.underWayBytes = 1_000_000;
  run(30);
  for (const pace of paces) expect(Math.abs(pace / (1_000_000 / 0.2) - 1)).toBeLessThan(1 / 16);
});

test('the pace is lifted at the end', () => {
  const { background, paces, run } = open();
  run(1000);
  background.end();
  expect(paces).toEqual(Array(4).fill(Number.POSITIVE_INFINITY));
});
