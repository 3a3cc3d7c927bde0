import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import { encodeFrameHeader, FRAME_HEADER_BYTES, type Frame } from '../src/channel/frame.js';
import { FrameParser } from '../src/channel/parser.js';
import { checksum64 } from '../src/engine/checksum.js';
import { ProtocolError } from '../src/errors.js';
import { changed } from './changes.js';
import type { Random } from './random.js';
import type { FuzzTarget } from './target.js';

const FRAME_BYTES_MAX = 8 * 1024;

/** A valid stream gives the same frames however it is cut. */
export const validFrames: FuzzTarget = {
  name: 'frames-valid',
  run(random) {
    const frames = Array.from({ length: random.between(0, 8) }, () => randomFrame(random));
    const stream = Buffer.concat(frames.flatMap(encode));
    const { taken, parser } = parse(random.slices(stream, random.pick([1, 7, 60, 1000, 100_000])));
    assert.deepEqual(taken, frames);
    assert.equal(parser.withinFrame, false);
  },
};

/** A damaged stream gives a prefix of the frames, then ProtocolError or nothing; no body is over the limit. */
export const mutatedFrames: FuzzTarget = {
  name: 'frames-mutated',
  run(random) {
    const frames = Array.from({ length: random.between(1, 6) }, () => randomFrame(random));
    const whole = Buffer.concat(frames.flatMap(encode));
    const { taken } = parse(random.slices(changed(random, whole), random.pick([1, 50, 5000])));
    for (const [index, frame] of taken.entries()) {
      const known = frames.some((original) => isDeepStrictEqual(original, frame));
      assert.ok(known, `frame ${index} was never sent`);
    }
  },
};

/** Headers that check out but say anything at all, and noise. */
export const hostileFrames: FuzzTarget = {
  name: 'frames-hostile',
  run(random) {
    const header = encodeFrameHeader({
      ...randomFrame(random),
      bodyLength: random.pick([random.u32(), random.below(20_000)]),
    });
    const stream = Buffer.concat([random.chance(0.7) ? header : random.bytes(48), random.bytes(random.below(20_000))]);
    parse(random.slices(stream, random.pick([1, 50, 30_000])));
  },
};

function randomFrame(random: Random): Frame {
  const body = random.bytes(
    random.pick([0, 1, random.below(100), random.below(FRAME_BYTES_MAX - FRAME_HEADER_BYTES + 1)]),
  );
  const session = random.chance(0.5) ? 0n : random.u64();
  return {
    type: random.below(256),
    flags: session === 0n ? 0 : random.below(4),
    generation: random.u32(),
    bodyLength: body.byteLength,
    session,
    frameNumber: random.pick([
      0,
      random.u32(),
      Number.MAX_SAFE_INTEGER,
      random.below(2 ** 21) * 2 ** 32 + random.u32(),
    ]),
    bodyChecksum: checksum64(body),
    body,
  };
}

const encode = (frame: Frame): Buffer[] => [encodeFrameHeader(frame), frame.body];

/** Feeds the pieces one by one; anything but ProtocolError escapes. */
function parse(pieces: Buffer[]): { taken: Frame[]; parser: FrameParser } {
  const taken: Frame[] = [];
  const allocate = (bytes: number): Buffer => {
    assert.ok(bytes <= FRAME_BYTES_MAX - FRAME_HEADER_BYTES, `allocated ${bytes} bytes`);
    return Buffer.allocUnsafe(bytes);
  };
  const parser = new FrameParser({ frameBytesMax: FRAME_BYTES_MAX, allocate });
  try {
    for (const piece of pieces) {
      parser.push(piece);
      for (let frame = parser.next(); frame !== undefined; frame = parser.next()) taken.push(frame);
    }
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    assert.throws(() => parser.next(), error, 'a parser that failed must stay so');
  }
  return { taken, parser };
}
