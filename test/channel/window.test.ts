import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ARRIVED_RANGES_MAX, decodeWindow, encodeWindow } from '../../src/channel/window.js';
import { ByteWriter } from '../../src/engine/bytes.js';
import { ProtocolError } from '../../src/errors.js';

const FAR = Number.MAX_SAFE_INTEGER;

test('comes back as it was', () => {
  const steps = fc.array(fc.tuple(fc.integer({ min: 1, max: 1e6 }), fc.nat(1e6)), { maxLength: ARRIVED_RANGES_MAX });
  const number = fc.nat({ max: 2 ** 40 });
  fc.assert(
    fc.property(number, number, fc.maxSafeNat(), steps, (dataNext, controlNext, creditBytes, distances) => {
      let end = dataNext;
      const arrived = distances.map(([missing, more]) => {
        const from = end + missing;
        end = from + more + 1;
        return { from, to: end - 1 };
      });
      const window = { dataNext, controlNext, creditBytes, arrived };
      expect(decodeWindow(encodeWindow(window))).toEqual(window);
    }),
  );
});

test('has room for so many ranges, and leaves the others for the next one', () => {
  const arrived = Array.from({ length: 100 }, (_, index) => ({ from: 1 + index * 2, to: 1 + index * 2 }));
  const body = encodeWindow({ dataNext: 0, controlNext: 0, creditBytes: 0, arrived });
  expect(decodeWindow(body).arrived).toEqual(arrived.slice(0, ARRIVED_RANGES_MAX));
});

describe('what is no WINDOW is refused', () => {
  const head = () => new ByteWriter().varint(1).varint(1).varint(1);
  const cases: [string, Buffer][] = [
    ['nothing', Buffer.alloc(0)],
    [
      'half of one',
      encodeWindow({ dataNext: 1, controlNext: 1, creditBytes: 1, arrived: [{ from: 3, to: 4 }] }).subarray(0, 5),
    ],
    ['one with something behind it', Buffer.concat([head().varint(0).take(), Buffer.of(0)])],
    [
      'too many ranges',
      head()
        .varint(ARRIVED_RANGES_MAX + 1)
        .raw(Buffer.alloc(200))
        .take(),
    ],
    ['fewer ranges than it says', head().varint(2).varint(1).varint(1).take()],
    ['ranges beyond all numbers', head().varint(1).varint(FAR).varint(0).take()],
    ['a range without an end', head().varint(1).varint(0).varint(FAR).take()],
  ];
  test.each(cases)('%s', (_name, body) => {
    expect(() => decodeWindow(body)).toThrow(ProtocolError);
  });
});
