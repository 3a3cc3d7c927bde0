import { describe, expect, test } from 'vitest';
import { InFlight } from '../../src/channel/in-flight.js';
import type { LineState } from '../../src/channel/line.js';

const KIB = 1024;
const MIB = 1024 * KIB;
const FRAME = 16 * KIB;

interface LineModel {
  bytesPerMs: number;
  roundTripMs: number;
  /** Every so many frames comes two round trips late; 0: none does. */
  lateEach?: number;
  state?: Pick<LineState, 'lossPart' | 'queueMs'>;
}

/** A sender that always has more to send, on a line with a queue that never drops. */
function saturate(line: LineModel, forMs: number, bytesMax = 64 * MIB): { window: InFlight; meanDelayMs: number } {
  let now = 0;
  const window = new InFlight({ bytesMax, now: () => now, line: () => line.state });
  const underWay: { atMs: number; sentMs: number; bytes: number }[] = [];
  let outBytes = 0;
  let freeAtMs = 0;
  let count = 0;
  const delays: number[] = [];
  for (; now < forMs; now++) {
    while (outBytes + FRAME <= window.bytes) {
      freeAtMs = Math.max(freeAtMs, now) + FRAME / line.bytesPerMs;
      count++;
      const late = (line.lateEach ?? 0) > 0 && count % (line.lateEach ?? 1) === 0 ? 2 * line.roundTripMs : 0;
      underWay.push({ atMs: freeAtMs + line.roundTripMs + late, sentMs: now, bytes: FRAME });
      outBytes += FRAME;
    }
    window.full();
    for (const frame of underWay.filter(({ atMs }) => atMs <= now)) {
      underWay.splice(underWay.indexOf(frame), 1);
      window.note(frame.bytes, now - frame.sentMs, outBytes);
      outBytes -= frame.bytes;
      if (now > forMs / 2) delays.push(now - frame.sentMs);
    }
  }
  return { window, meanDelayMs: delays.reduce((sum, ms) => sum + ms, 0) / delays.length };
}

describe('what may be under way', () => {
  test.each([
    [12_500, 30],
    [12_500, 200],
    [2500, 80],
    [125_000, 20],
  ])('fills a line of %d bytes a millisecond and %d ms, and little more', (bytesPerMs, roundTripMs) => {
    const { window, meanDelayMs } = saturate({ bytesPerMs, roundTripMs }, 20_000);
    expect(window.bytes).toBeGreaterThan(bytesPerMs * roundTripMs * 0.95);
    expect(meanDelayMs).toBeGreaterThanOrEqual(roundTripMs);
    expect(meanDelayMs).toBeLessThan(roundTripMs + 40 + (256 * KIB) / bytesPerMs / 2);
  });

  test('is not taken for a queue where frames are late because of losses', () => {
    const losing = { bytesPerMs: 12_500, roundTripMs: 200, lateEach: 2 };
    const told = saturate({ ...losing, state: { lossPart: 0.01, queueMs: 3 } }, 10_000).window.bytes;
    expect(told).toBeGreaterThan(4 * MIB);
    // Where the system does not tell, how far the frames are apart does.
    expect(saturate(losing, 10_000).window.bytes).toBeGreaterThan(4 * MIB);
  });

  test('is a whole number of bytes, and stays within its bound', () => {
    const { window } = saturate({ bytesPerMs: 12_500, roundTripMs: 200 }, 5000, 2 * MIB);
    expect(window.bytes).toBe(2 * MIB);
    expect(Number.isInteger(saturate({ bytesPerMs: 1234, roundTripMs: 77 }, 5000).window.bytes)).toBe(true);
  });

  test('does not grow for a stream that has less to send', () => {
    let now = 0;
    const window = new InFlight({ bytesMax: 64 * MIB, now: () => now, line: () => undefined });
    const before = window.bytes;
    for (; now < 5000; now += 10) window.note(1000, 30, 1000);
    expect(window.bytes).toBe(before);
  });

  test.each([
    ['found', { lossPart: 0, queueMs: 1000 }],
    ['that loses', { lossPart: 0.01, queueMs: 0 }],
    ['being found', { lossPart: 0, queueMs: 0 }],
  ])('stays a number on a way that takes no time, %s', (_, line) => {
    let now = 0;
    const window = new InFlight({ bytesMax: 64 * MIB, now: () => now, line: () => line });
    for (; now < 2000; now += 5) {
      window.full();
      window.note(now % 3 === 0 ? 0 : FRAME, 0, FRAME);
      expect(window.bytes).toBeGreaterThanOrEqual(64 * KIB);
    }
  });
});
