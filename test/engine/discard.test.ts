import { describe, expect, test } from 'vitest';
import { engines } from './engines.js';

describe.each(engines)('memory that is discarded, %s', (name, { discard }) => {
  const can = name !== 'portable';

  test('is gone, with all views of it, where the engine can do that', () => {
    const bytes = Buffer.allocUnsafeSlow(100_000).fill(1);
    const view = bytes.subarray(10, 20);
    expect(discard(bytes)).toBe(can);
    expect([bytes.byteLength, view.byteLength]).toEqual(can ? [0, 0] : [100_000, 10]);
  });

  test('is none that others may have a part of', () => {
    const memory = Buffer.allocUnsafeSlow(100).fill(1);
    for (const part of [memory.subarray(1), memory.subarray(0, 99), Buffer.allocUnsafe(10), new Uint8Array(0)]) {
      expect(discard(part)).toBe(false);
    }
    expect(memory.equals(Buffer.alloc(100, 1))).toBe(true);
  });
});
