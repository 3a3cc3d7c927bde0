import { expect, test } from 'vitest';
import { decodeEnd, encodeEnd } from '../../src/channel/end.js';
import { ProtocolError } from '../../src/errors.js';

const end = { dataFrames: 300, controlFrames: Number.MAX_SAFE_INTEGER };

test.each([end, { dataFrames: 0, controlFrames: 0 }])('comes back as it was', (one) => {
  expect(decodeEnd(encodeEnd(one))).toEqual(one);
});

test.each<[string, Buffer]>([
  ['nothing', Buffer.alloc(0)],
  ['half of one', encodeEnd(end).subarray(0, 2)],
  ['one with something behind it', Buffer.concat([encodeEnd(end), Buffer.of(0)])],
])('%s is refused', (_name, bytes) => {
  expect(() => decodeEnd(bytes)).toThrow(ProtocolError);
});
