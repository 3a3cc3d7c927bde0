import { describe, expect, test } from 'vitest';
import { FRAME_HEADER_BYTES, FRAME_OFFSETS, type Frame } from '../../src/channel/frame.js';
import { FrameParser } from '../../src/channel/parser.js';
import { checksum64 } from '../../src/engine/checksum.js';
import { ProtocolError } from '../../src/errors.js';
import { frameBytes } from './sockets.js';

function all(parser: FrameParser, chunks: Buffer[]): Frame[] {
  const frames: Frame[] = [];
  for (const chunk of chunks) {
    parser.push(chunk);
    for (let frame = parser.next(); frame !== undefined; frame = parser.next()) frames.push(frame);
  }
  return frames;
}

/** Changes a header field and makes the header's checksum right again. */
function forge(frame: Buffer, field: keyof typeof FRAME_OFFSETS, value: number): Buffer {
  const forged = Buffer.from(frame);
  forged.writeUInt8(value, FRAME_OFFSETS[field]);
  forged.writeBigUInt64LE(checksum64(forged.subarray(0, FRAME_OFFSETS.headerChecksum)), FRAME_OFFSETS.headerChecksum);
  return forged;
}

const bodies = [Buffer.from('first'), Buffer.alloc(0), Buffer.alloc(3000, 7)];
const stream = Buffer.concat(bodies.map((body, frameNumber) => frameBytes({ frameNumber }, body)));

describe('a valid stream', () => {
  test.each([1, 2, 47, 48, 49, 100, stream.byteLength])('in pieces of %d bytes gives the same frames', (pieceBytes) => {
    const count = Math.ceil(stream.byteLength / pieceBytes);
    const pieces = Array.from({ length: count }, (_, i) => stream.subarray(i * pieceBytes, (i + 1) * pieceBytes));
    const parser = new FrameParser();
    expect(all(parser, pieces).map((frame) => frame.body)).toEqual(bodies);
    expect(parser.withinFrame).toBe(false);
  });

  test('allocates each body once, and only after its header', () => {
    const sizes: number[] = [];
    const allocate = (bytes: number): Buffer => {
      sizes.push(bytes);
      return Buffer.alloc(bytes);
    };
    all(
      new FrameParser({ allocate }),
      [...stream].map((byte) => Buffer.of(byte)),
    );
    expect(sizes).toEqual(bodies.map((body) => body.byteLength));
  });

  test('gives bodies that do not share memory with the chunk', () => {
    const chunk = frameBytes({}, Buffer.from('mine'));
    const [frame] = all(new FrameParser(), [chunk]);
    chunk.fill(0);
    expect(frame?.body.toString()).toBe('mine');
  });

  test('tells of each chunk once nothing of it is needed any more', () => {
    const used: Buffer[] = [];
    const parser = new FrameParser({ onUsed: (chunk) => used.push(chunk) });
    const chunks = [stream.subarray(0, 50), stream.subarray(50, 150), stream.subarray(150)];
    const counts = chunks.map((chunk) => {
      all(parser, [chunk]);
      return used.length;
    });
    expect(counts).toEqual([1, 2, 3]);
    expect(used).toEqual(chunks);
  });

  test.each([1, 47, 48, 50])('that stops %d bytes into a frame is within a frame', (bytes) => {
    const parser = new FrameParser();
    expect(all(parser, [stream.subarray(0, bytes)])).toEqual([]);
    expect(parser.withinFrame).toBe(true);
  });

  test('is held to the limit of the moment a header is read', () => {
    const parser = new FrameParser({ frameBytesMax: 100 });
    parser.push(Buffer.concat([frameBytes({}, Buffer.alloc(52)), frameBytes({}, Buffer.alloc(53))]));
    expect(parser.next()?.bodyLength).toBe(52);
    parser.frameBytesMax = 101;
    expect(parser.next()?.bodyLength).toBe(53);
  });
});

describe('refused, with nothing allocated:', () => {
  const valid = frameBytes({}, Buffer.from('body'));
  const cases: Array<[string, Buffer]> = [
    ['another magic', Buffer.from(`GET / HTTP/1.1\r\nHost: somewhere.example\r\n\r\n${' '.repeat(20)}`)],
    ['a header checksum that is wrong', frameBytes({}).fill(1, 40, 48)],
    ['flags', forge(valid, 'flags', 1)],
    ['reserved bytes', forge(valid, 'reserved', 1)],
    ['a length over the limit', frameBytes({ bodyLength: 0xffff_ffff })],
    ['a frame number above 2^53', frameBytes({ frameNumber: 2 ** 53 })],
  ];
  test.each(cases)('%s', (_name, bytes) => {
    const allocate = (): Buffer => expect.fail('allocated');
    const parser = new FrameParser({ frameBytesMax: 1000, allocate });
    parser.push(bytes);
    expect(() => parser.next()).toThrow(ProtocolError);
  });
});

test('a damaged body is refused, and the parser stays broken', () => {
  const parser = new FrameParser();
  parser.push(
    Buffer.concat([frameBytes({}, Buffer.from('good')), frameBytes({ bodyChecksum: 1n }, Buffer.from('bad'))]),
  );
  expect(parser.next()?.body.toString()).toBe('good');
  expect(() => parser.next()).toThrow(ProtocolError);
  parser.push(frameBytes({}));
  expect(() => parser.next()).toThrow(ProtocolError);
});

test('header and body together may have exactly the limit', () => {
  const parser = new FrameParser({ frameBytesMax: FRAME_HEADER_BYTES + 10 });
  expect(all(parser, [frameBytes({}, Buffer.alloc(10))])).toHaveLength(1);
  expect(() => all(parser, [frameBytes({}, Buffer.alloc(11))])).toThrow(ProtocolError);
});
