import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import {
  decodeFrameHeader,
  encodeFrameHeader,
  FLAG_AGAIN,
  FLAG_MORE,
  FRAME_HEADER_BYTES,
  FRAME_MAGIC,
  FRAME_OFFSETS,
  FRAME_PING,
  FRAME_PONG,
} from '../../src/channel/frame.js';
import { ProtocolError } from '../../src/errors.js';

const header = {
  type: 0xfe,
  flags: FLAG_MORE | FLAG_AGAIN,
  generation: 0xfffffffe,
  bodyLength: 0x123456,
  session: 0xfedc_ba98_7654_3210n,
  frameNumber: Number.MAX_SAFE_INTEGER - 1,
  bodyChecksum: 0x0123_4567_89ab_cdefn,
};

test('the offsets are those of the table in docs/protocol.md', () => {
  const page = readFileSync(new URL('../../docs/protocol.md', import.meta.url), 'utf8');
  const section = page.slice(page.indexOf('## Frames'));
  const rows = [...section.matchAll(/^\| (\d+) \| (\d+) \| (\w+) \| (.*) \|$/gm)].slice(
    0,
    Object.keys(FRAME_OFFSETS).length,
  );
  expect(Object.fromEntries(rows.map(([, offset, , name]) => [name, Number(offset)]))).toEqual(FRAME_OFFSETS);
  const end = rows.reduce((at, [, offset, bytes]) => {
    expect(Number(offset)).toBe(at);
    return at + Number(bytes);
  }, 0);
  expect(end).toBe(FRAME_HEADER_BYTES);
  expect(rows[0]?.[4]).toContain(`0x${FRAME_MAGIC.toString(16)}`);
  expect(rows[1]?.[4]).toContain(`${FRAME_PING} PING, ${FRAME_PONG} PONG`);
});

test('a header comes back as it was', () => {
  expect(decodeFrameHeader(encodeFrameHeader(header), 1 << 24)).toEqual(header);
});

test('the magic reads LHF1', () => {
  expect(encodeFrameHeader(header).toString('latin1', 0, 4)).toBe('LHF1');
});

test('each flipped bit of a header is noticed', () => {
  const bytes = encodeFrameHeader(header);
  for (let bit = 0; bit < FRAME_HEADER_BYTES * 8; bit++) {
    const damaged = Buffer.from(bytes);
    damaged[bit >> 3] = (damaged[bit >> 3] as number) ^ (1 << (bit & 7));
    expect(() => decodeFrameHeader(damaged, 1 << 24), `bit ${bit}`).toThrow(ProtocolError);
  }
});

test.each([1, 2, 3])('flags 0x%d belong to frames of a session', (flags) => {
  const bytes = encodeFrameHeader({ ...header, flags, session: 1n });
  expect(decodeFrameHeader(bytes, 1 << 24).flags).toBe(flags);
  const stray = encodeFrameHeader({ ...header, flags, session: 0n });
  expect(() => decodeFrameHeader(stray, 1 << 24)).toThrow(ProtocolError);
});

test.each([4, 128])('flag 0x%d means nothing, and is refused', (flags) => {
  const bytes = encodeFrameHeader({ ...header, flags });
  expect(() => decodeFrameHeader(bytes, 1 << 24)).toThrow(ProtocolError);
});
