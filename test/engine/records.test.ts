import { describe, expect, test } from 'vitest';
import { encode, type RawRecord, randomRecords } from '../../fuzz/journal-records.js';
import { NO_KEY, RECORD, RECORD_HEADER_BYTES, STATE, STOP } from '../../src/engine/record-layout.js';
import { InvalidArgumentError } from '../../src/errors.js';
import { randomFor, rounds, SEED } from '../support/seed.js';
import { engines } from './engines.js';

const SEGMENT_SEED = 0x1234_5678_9abc_def0n;
const CHAIN = 0xfeed_beefn;
const GUARD = 24;

const text = (value: string): Buffer => Buffer.from(value);
const THREE: RawRecord[] = [
  { sequence: 41, epoch: 2, key: undefined, payload: text('first') },
  { sequence: 42, epoch: 2, key: text('a/path'), payload: text('the second one, of a length that fills no word') },
  { sequence: 43, epoch: 3, key: text(''), payload: text('') },
];

const sealState = (): BigUint64Array => BigUint64Array.of(SEGMENT_SEED, CHAIN);
const checkState = (sequence = 41, epoch = 2): BigUint64Array =>
  BigUint64Array.of(SEGMENT_SEED, CHAIN, BigInt(sequence), 99n, BigInt(epoch));

describe.each(engines)('records, %s', (_, kernels) => {
  const { checksum64, sealRecords, checkRecords } = kernels;

  function sealed(records: readonly RawRecord[]): { bytes: Buffer; starts: number[]; state: BigUint64Array } {
    const { bytes, starts } = encode(records);
    const state = sealState();
    expect(sealRecords(bytes, 0, bytes.byteLength, state)).toBe(records.length);
    return { bytes, starts, state };
  }

  function check(bytes: Uint8Array, state = checkState(), foundMax = 100) {
    const found = new Float64Array(foundMax);
    const count = checkRecords(bytes, 0, bytes.byteLength, state, found);
    return { starts: [...found.subarray(0, count)], stop: Number(state[STATE.stop]), state };
  }

  test('the checksums are those that the layout describes', () => {
    const { bytes, starts, state } = sealed(THREE);
    let chain = CHAIN;
    for (const [index, { key, payload }] of THREE.entries()) {
      const header = bytes.subarray(starts[index], (starts[index] as number) + RECORD_HEADER_BYTES);
      const keySum = checksum64(key ?? new Uint8Array(0), 0n);
      expect(header.readBigUInt64LE(RECORD.payloadChecksum)).toBe(checksum64(payload, keySum));
      chain = checksum64(header.subarray(0, RECORD.chain), chain);
      expect(header.readBigUInt64LE(RECORD.chain)).toBe(chain);
      const headerSum = checksum64(header.subarray(0, RECORD.headerChecksum), SEGMENT_SEED);
      expect(header.readBigUInt64LE(RECORD.headerChecksum)).toBe(headerSum);
    }
    expect([...state]).toEqual([SEGMENT_SEED, chain]);
  });

  test('golden: the bytes of two records', () => {
    expect(
      sealed(THREE.slice(0, 2))
        .bytes.toString('hex')
        .match(/.{1,64}/g),
    ).toMatchInlineSnapshot(`
      [
        "2900000000000000020000000000000029401e18240a0600ffffffffffffffff",
        "19deace25d3ca47005000000ffff2900590ce9305038e1826d97d0401306c404",
        "66697273740000002a0000000000000002000000000000002a401e18240a0600",
        "fffffffffffffffff98abfef41a186752e00000006002a00187815aebf3b347b",
        "fdef98054b7a1cd7612f70617468746865207365636f6e64206f6e652c206f66",
        "2061206c656e67746820746861742066696c6c73206e6f20776f726400000000",
      ]
    `);
  });

  test('what is sealed is sound', () => {
    const { bytes, starts, state } = sealed(THREE);
    const checked = check(bytes);
    expect(checked).toMatchObject({ starts, stop: STOP.end });
    expect([...checked.state]).toEqual([SEGMENT_SEED, state[STATE.chain], 44n, 0n, 3n]);
  });

  test('nothing between start and end is no record', () => {
    expect(sealRecords(Buffer.alloc(8), 8, 8, sealState())).toBe(0);
    expect(check(Buffer.alloc(0))).toMatchObject({ starts: [], stop: STOP.end });
  });

  test('a full list of findings ends it, and the next call goes on', () => {
    const { bytes, starts } = sealed(THREE);
    const state = checkState();
    expect(check(bytes, state, 2)).toMatchObject({ starts: starts.slice(0, 2), stop: STOP.end });
    const found = new Uint32Array(5);
    expect(checkRecords(bytes, starts[2] as number, bytes.byteLength, state, found)).toBe(1);
    expect(found[0]).toBe(starts[2]);
    expect(check(bytes, checkState(), 0)).toMatchObject({ starts: [], stop: STOP.end });
  });

  const SECOND = encode(THREE).starts[1] as number;
  const flip = (bytes: Buffer, at: number): void => {
    bytes[at] = (bytes[at] as number) ^ 0x10;
  };
  const damages: [string, number, (bytes: Buffer) => unknown, sound: number][] = [
    ['a header that is cut off', STOP.cutOff, (bytes) => bytes.subarray(0, SECOND + 63), 1],
    ['a payload that is cut off', STOP.cutOff, (bytes) => bytes.subarray(0, SECOND + 72), 1],
    ['padding that is cut off', STOP.cutOff, (bytes) => bytes.subarray(0, SECOND - 1), 0],
    ['a flipped bit of the header', STOP.headerChecksum, (bytes) => flip(bytes, SECOND + RECORD.kind), 1],
    ['a flipped bit of the chain', STOP.headerChecksum, (bytes) => flip(bytes, SECOND + RECORD.chain), 1],
    ['a flipped bit of the checksum', STOP.headerChecksum, (bytes) => flip(bytes, SECOND + RECORD.headerChecksum), 1],
    ['a flipped bit of the key', STOP.payloadChecksum, (bytes) => flip(bytes, SECOND + RECORD_HEADER_BYTES), 1],
    ['a flipped bit of the payload', STOP.payloadChecksum, (bytes) => flip(bytes, SECOND + RECORD_HEADER_BYTES + 9), 1],
    ['zeros', STOP.headerChecksum, (bytes) => bytes.fill(0, SECOND), 1],
  ];
  test.each(damages)('%s is told as %d', (_name, stop, damage, sound) => {
    const { bytes, starts } = sealed(THREE);
    const result = damage(bytes);
    const checked = check(Buffer.isBuffer(result) ? result : bytes);
    expect(checked).toMatchObject({ starts: starts.slice(0, sound), stop });
    expect(checked.state[STATE.sequence]).toBe(BigInt(41 + sound));
  });

  test('other numbers, epochs, chains and segments are told', () => {
    const { bytes } = sealed(THREE);
    expect(check(bytes, checkState(40))).toMatchObject({ starts: [], stop: STOP.sequence });
    expect(check(bytes, checkState(41, 3))).toMatchObject({ starts: [], stop: STOP.epoch });
    const otherChain = checkState();
    otherChain[STATE.chain] = 1n;
    expect(check(bytes, otherChain)).toMatchObject({ starts: [], stop: STOP.chain });
    const otherSegment = checkState();
    otherSegment[STATE.segmentSeed] = 1n;
    expect(check(bytes, otherSegment)).toMatchObject({ starts: [], stop: STOP.headerChecksum });
    const reversed = sealed([THREE[2] as RawRecord, { ...(THREE[0] as RawRecord), sequence: 44 }]);
    expect(check(reversed.bytes, checkState(43, 0))).toMatchObject({ starts: [0], stop: STOP.epoch });
  });

  test(`bytes outside start and end are left alone, wherever they lie (seed ${SEED})`, () => {
    const random = randomFor(2);
    for (let round = 0; round < rounds(100); round++) {
      const { bytes } = encode(randomRecords(random, random.below(20), 1));
      const start = random.below(GUARD);
      const whole = random.bytes(start + bytes.byteLength + GUARD);
      whole.set(bytes, start);
      const before = Buffer.from(whole);
      const end = start + bytes.byteLength;
      sealRecords(whole, start, end, sealState());
      expect(whole.subarray(0, start).equals(before.subarray(0, start)), `round ${round}`).toBe(true);
      expect(whole.subarray(end).equals(before.subarray(end)), `round ${round}`).toBe(true);
    }
  });

  describe('malformed records are refused and leave the state alone', () => {
    const cases: [string, (bytes: Buffer) => Buffer | number][] = [
      ['less than a header', (bytes) => bytes.subarray(0, 63)],
      ['a header without its padding', (bytes) => bytes.subarray(0, 71)],
      ['a payload of 4 GiB', (bytes) => bytes.fill(0xff, RECORD.payloadLength, RECORD.payloadLength + 4)],
      ['a key of 65534 bytes', (bytes) => bytes.writeUInt16LE(NO_KEY - 1, RECORD.keyLength)],
      ['a tail after the last', (bytes) => Buffer.concat([bytes, Buffer.alloc(8)])],
    ];
    test.each(cases)('%s', (_name, damage) => {
      const { bytes } = encode(THREE);
      const damaged = damage(bytes);
      const given = Buffer.isBuffer(damaged) ? damaged : bytes;
      const state = sealState();
      expect(() => sealRecords(given, 0, given.byteLength, state)).toThrow(InvalidArgumentError);
      expect([...state]).toEqual([...sealState()]);
    });
  });
});
