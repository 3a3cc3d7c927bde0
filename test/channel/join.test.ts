import { expect, test } from 'vitest';
import { decodeJoin, encodeJoin, type Join, PATHS_MAX } from '../../src/channel/join.js';
import { ProtocolError } from '../../src/errors.js';

const join: Join = { session: 0xfedc_ba98_7654_3210n, token: Buffer.alloc(16, 7), path: PATHS_MAX - 1, spare: true };

test.each([join, { ...join, path: 0, spare: false }])('comes back as it was', (one) => {
  expect(decodeJoin(encodeJoin(one))).toEqual(one);
});

const body = encodeJoin(join);
const changed = (at: number, value: number): Buffer => {
  const copy = Buffer.from(body);
  copy[at] = value;
  return copy;
};

test.each<[string, Buffer]>([
  ['nothing', Buffer.alloc(0)],
  ['half of one', body.subarray(0, 20)],
  ['one with something behind it', Buffer.concat([body, Buffer.of(0)])],
  ['a path that cannot be', changed(24, PATHS_MAX)],
  ['a flag that is none', changed(25, 2)],
])('%s is refused', (_name, bytes) => {
  expect(() => decodeJoin(bytes)).toThrow(ProtocolError);
});
