import { describe, expect, test } from 'vitest';
import { WINDOW_BYTES_MIN, WindowSize } from '../../src/channel/window-size.js';

const MIB = 1024 * 1024;

/** What arrives at a rate, told in small portions, for so long. */
function stream(size: WindowSize, clock: { ms: number }, bytesPerMs: number, forMs: number, roundTripMs: number): void {
  for (const end = clock.ms + forMs; clock.ms < end; clock.ms += 5) size.note(5 * bytesPerMs, roundTripMs);
}

describe('the window', () => {
  test('is four times what the link carries in a round trip', () => {
    const clock = { ms: 0 };
    const size = new WindowSize(256 * MIB, () => clock.ms);
    expect(size.bytes).toBe(WINDOW_BYTES_MIN);
    stream(size, clock, 50_000, 2000, 200);
    expect(size.bytes).toBeGreaterThan(4 * 50_000 * 200 * 0.95);
    expect(size.bytes).toBeLessThan(4 * 50_000 * 200 * 1.1);
  });

  test('grows with each round trip as long as it is what holds the stream back', () => {
    const clock = { ms: 0 };
    const size = new WindowSize(2 ** 40, () => clock.ms);
    const roundTripMs = 100;
    const seen = [size.bytes];
    for (let roundTrips = 0; roundTrips < 5; roundTrips++) {
      stream(size, clock, size.bytes / roundTripMs, roundTripMs + 5, roundTripMs);
      seen.push(size.bytes);
    }
    for (const [index, bytes] of seen.slice(1).entries()) expect(bytes).toBeGreaterThan(3.4 * (seen[index] as number));
  });

  test('does not shrink, and stays within its bound', () => {
    const clock = { ms: 0 };
    const size = new WindowSize(16 * MIB, () => clock.ms);
    stream(size, clock, 1_000_000, 1000, 200);
    expect(size.bytes).toBe(16 * MIB);
    stream(size, clock, 10, 5000, 10);
    expect(size.bytes).toBe(16 * MIB);
  });

  test('begins within the bound', () => {
    expect(new WindowSize(MIB, () => 0).bytes).toBe(MIB);
  });

  test('does not grow by a burst, or as long as nobody knows the round trip', () => {
    const clock = { ms: 0 };
    const size = new WindowSize(1024 * MIB, () => clock.ms);
    clock.ms = 1;
    size.note(100 * MIB, 10);
    expect(size.bytes).toBe(WINDOW_BYTES_MIN);
    clock.ms = 1000;
    size.note(100 * MIB, undefined);
    expect(size.bytes).toBe(WINDOW_BYTES_MIN);
  });
});
