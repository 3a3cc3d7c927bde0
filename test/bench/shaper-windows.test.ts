import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Piece, windowExtremes } from '../../bench/shaper/windows.js';

const pieces = fc
  .array(fc.record({ afterMs: fc.nat(4), bytes: fc.integer({ min: 1, max: 9 }) }), { minLength: 1, maxLength: 40 })
  .map((list) => {
    let atMs = 0;
    return list.map(({ afterMs, bytes }): Piece => {
      atMs += afterMs;
      return { atMs, bytes };
    });
  });

/** Of each piece: the closed window that begins with it, and the open one that begins after it. */
function slowly(all: readonly Piece[], lengthMs: number): { most: number; least: number } | undefined {
  const last = all.at(-1)?.atMs ?? 0;
  const sums = all.flatMap(({ atMs }, index) => {
    if (atMs + lengthMs > last) return [];
    const sum = (end: (at: number) => boolean, from: number): number =>
      all.slice(from).reduce((bytes, piece) => bytes + (end(piece.atMs) ? piece.bytes : 0), 0);
    const closed = sum((at) => at <= atMs + lengthMs, index);
    return [{ closed, open: sum((at) => at < atMs + lengthMs, index + 1) }];
  });
  if (sums.length === 0) return undefined;
  return { most: Math.max(...sums.map(({ closed }) => closed)), least: Math.min(...sums.map(({ open }) => open)) };
}

test('the most and the least of all windows', () => {
  fc.assert(
    fc.property(pieces, fc.integer({ min: 1, max: 30 }), (all, lengthMs) => {
      expect(windowExtremes(all, lengthMs)).toEqual(slowly(all, lengthMs));
    }),
  );
});
