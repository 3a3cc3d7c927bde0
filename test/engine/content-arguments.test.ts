import { describe, expect, test } from 'vitest';
import type { ContentKernels } from '../../src/engine/content-kernels.js';
import { GEAR, GEAR_STATE } from '../../src/engine/content-layout.js';
import { loadEngine } from '../../src/engine/load.js';
import { InvalidArgumentError } from '../../src/errors.js';
import { KEY, smallGear } from './content.js';
import { engines, nativeBuilt } from './engines.js';

const bytes = new Uint8Array(128);
const gear = smallGear();
const state = new Uint32Array(2);
const cuts = new Uint32Array(4);
const tags = new BigUint64Array(4);
const features = new Uint32Array(12);
const ranges = Uint32Array.of(0, 64, 64, 128);

const shared = new Uint8Array(new SharedArrayBuffer(128));
const detached = new Uint8Array(128);
structuredClone(detached, { transfer: [detached.buffer] });

const NUMBERS = [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, '1', null, undefined, 1n, {}];
const NOTHING = [undefined, null, 'text', 7, {}, [1, 2], new ArrayBuffer(128), new DataView(new ArrayBuffer(128))];
const NO_BYTES = [...NOTHING, new Uint16Array(64), shared, detached];
const NO_OFFSETS = [
  ...NOTHING,
  new Int32Array(300),
  new Float64Array(300),
  new Uint32Array(new SharedArrayBuffer(4 * 259)),
];
const NO_SUMS = [
  ...NOTHING,
  new BigInt64Array(4),
  new BigUint64Array(1),
  new BigUint64Array(new SharedArrayBuffer(64)),
];
const NO_DIGESTS = [...NO_SUMS, new Uint8Array(31), shared, detached];

const gearWith = (field: number, value: number): Uint32Array => {
  const changed = gear.slice();
  changed[field] = value;
  return changed;
};
const NO_GEARS = [
  ...NO_OFFSETS,
  gear.subarray(1),
  new Uint32Array(260).fill(100),
  gearWith(GEAR.minBytes, 31),
  gearWith(GEAR.maxBytes, 63),
];
const openLonger = new Uint32Array(2);
openLonger[GEAR_STATE.open] = gear[GEAR.maxBytes] as number;
const within = (offset: number): Uint8Array => bytes.subarray(offset, offset + 64);

/** The arguments of a call that is fine, each in turn replaced by what it must not be. */
function replaced(good: unknown[], bad: unknown[][]): unknown[][] {
  return bad.flatMap((list, index) => list.map((given) => good.with(index, given)));
}

const refusals: Record<keyof ContentKernels, unknown[][]> = {
  cutChunks: [
    ...replaced(
      [bytes, 0, 128, gear, state, cuts],
      [
        NO_BYTES,
        NUMBERS,
        [...NUMBERS, 129],
        NO_GEARS,
        [...NO_OFFSETS, new Uint32Array(1), openLonger],
        [...NO_OFFSETS, new Uint32Array(0)],
      ],
    ),
    [bytes, 65, 64, gear, state, cuts],
  ],
  digestChunks: [
    ...replaced(
      [bytes, 0, 128, gear, KEY, cuts, tags, 0],
      [
        NO_BYTES,
        NUMBERS,
        [...NUMBERS, 129],
        NO_GEARS,
        [...NO_BYTES, new Uint8Array(31), new Uint8Array(33)],
        [...NO_OFFSETS, new Uint32Array(0), new Uint32Array(5)],
        [...NO_DIGESTS, new Uint8Array(63)],
        [...NUMBERS, 129],
      ],
    ),
    [bytes, 65, 64, gear, KEY, cuts, tags, 0],
    [bytes, 0, 128, gear, KEY, cuts, new BigUint64Array(4), 1],
  ],
  sketch: [
    ...replaced(
      [bytes, 0, 128, gear, features],
      [NO_BYTES, NUMBERS, [...NUMBERS, 129], NO_GEARS, [...NO_OFFSETS, new Uint32Array(11)]],
    ),
    [bytes, 65, 64, gear, features],
  ],
  digestRanges: replaced(
    [bytes, ranges, KEY, tags],
    [
      NO_BYTES,
      [...NO_OFFSETS, Uint32Array.of(0), Uint32Array.of(9, 8), Uint32Array.of(0, 4, 1, 129)],
      [...NO_BYTES, new Uint8Array(31)],
      NO_DIGESTS,
    ],
  ),
  checksumRanges: replaced(
    [bytes, ranges, 0n, tags],
    [
      NO_BYTES,
      [...NO_OFFSETS, Uint32Array.of(0), Uint32Array.of(9, 8), Uint32Array.of(0, 4, 1, 129)],
      [undefined, null, 1, '1', {}],
      NO_SUMS,
    ],
  ),
  xorBytes: [
    ...replaced(
      [bytes, new Uint8Array(128), new Uint8Array(128)],
      [NO_BYTES, NO_BYTES, [...NO_BYTES, new Uint8Array(127)]],
    ),
    [within(0), new Uint8Array(64), within(1)],
    [new Uint8Array(64), within(40), within(0)],
  ],
  firstNonZero: [...replaced([bytes, 0, 128], [NO_BYTES, NUMBERS, [...NUMBERS, 129]]), [bytes, 65, 64]],
  zeroRuns: [
    ...replaced(
      [bytes, 0, 128, 1, cuts],
      [NO_BYTES, NUMBERS, [...NUMBERS, 129], [...NUMBERS, 0, 2 ** 32], [...NO_OFFSETS, new Uint32Array(1)]],
    ),
    [bytes, 65, 64, 1, cuts],
  ],
  matchBytes: replaced(
    [bytes, new Uint8Array(128), 0, cuts],
    [NO_BYTES, NO_BYTES, [...NUMBERS, 129], [...NO_OFFSETS, new Uint32Array(2)]],
  ),
};

type Call = (...args: unknown[]) => unknown;
const cases = Object.entries(refusals) as [keyof ContentKernels, unknown[][]][];

describe.each(engines)('arguments, %s', (_, kernels) => {
  test.each(cases)('%s refuses what it cannot take', (name, list) => {
    for (const [index, args] of list.entries()) {
      expect(() => (kernels[name] as Call)(...args), `${name}, refusal ${index}`).toThrow(InvalidArgumentError);
    }
  });
});

describe.skipIf(!nativeBuilt)('the addon itself', () => {
  const native = (): ContentKernels => loadEngine('native').kernels;

  /** What only the TypeScript side refuses; the addon may take it, and must survive. */
  test.each(cases)('%s survives the same arguments, and refuses or takes them', (name, list) => {
    for (const args of list) {
      try {
        (native()[name] as Call)(...args);
      } catch (error) {
        expect(error).toBeInstanceOf(TypeError);
      }
    }
  });

  test('ranges that its own results overwrite are refused when their turn comes', () => {
    const memory = new ArrayBuffer(64);
    const own = new Uint32Array(memory);
    own.set([0, 128, 0, 128, 0, 128]);
    expect(() => native().digestRanges(bytes, own.subarray(0, 6), KEY, new Uint8Array(memory))).toThrow(TypeError);
    own.set([0, 128, 0, 128, 0, 128]);
    expect(() => native().checksumRanges(bytes, own.subarray(0, 6), 0n, new BigUint64Array(memory, 8))).toThrow(
      TypeError,
    );
  });
});
