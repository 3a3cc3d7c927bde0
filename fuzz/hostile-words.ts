import { encodeEnd } from '../src/channel/end.js';
import { encodeJoin } from '../src/channel/join.js';
import {
  encodeAck,
  encodeHello,
  encodeMiss,
  encodeQuery,
  encodeRefusal,
  encodeReply,
  encodeStart,
  encodeWelcome,
  FrameType,
  ID_BYTES,
  PROTOCOL_VERSION,
  TOKEN_BYTES,
} from '../src/channel/messages.js';
import { encodeWindow } from '../src/channel/window.js';
import type { Random } from './random.js';
import { randomWindow } from './windows.js';

/** A message of a type and body, as either end of a conversation might say it. */
export interface Words {
  type: number;
  body: Buffer;
}

const NUMBER_MAX = Number.MAX_SAFE_INTEGER;
const CODES = ['BUSY', 'PROTOCOL_VERSION', 'PROTOCOL_VIOLATION', 'DISK_FULL', 'APPLY_FAILED', '', 'x'.repeat(1024)];
const QUESTIONS = ['session.finish', 'volume.verify', 'volume.listing', 'nothing', ''];

/** A number that may be about the right one, or as far off as there are numbers. */
export function numberNear(random: Random, near: number): number {
  const number = random.pick([near, near, near - 1, near + 1, 0, 1, random.below(100), random.u32(), NUMBER_MAX]);
  return Math.min(NUMBER_MAX, Math.max(0, number));
}

export const randomId = (random: Random): string => random.bytes(ID_BYTES).toString('hex');

/** Any message at all, of either end. */
export function anyWords(random: Random, near: number): Words {
  const text = random.pick(CODES);
  const number = () => numberNear(random, near);
  const flag = () => random.chance(0.5);
  const bytes = () => random.bytes(random.pick([0, 8, random.below(300)]));
  const makers: [number, () => Buffer][] = [
    [FrameType.hello, () => encodeHello(anyHello(random, near))],
    [FrameType.welcome, () => encodeWelcome(anyWelcome(random, near))],
    [FrameType.refuse, () => encodeRefusal({ code: text, message: text, recoverable: flag() })],
    [FrameType.notice, () => encodeRefusal({ code: text, message: text, recoverable: flag() })],
    [FrameType.start, () => encodeStart({ from: number(), chain: random.u64(), reset: flag(), windowBytes: number() })],
    [FrameType.ready, () => Buffer.alloc(0)],
    [FrameType.joined, () => Buffer.alloc(0)],
    [FrameType.batch, bytes],
    [FrameType.ack, () => encodeAck({ logged: number(), applied: number() })],
    [FrameType.query, () => encodeQuery({ id: number(), name: random.pick(QUESTIONS), body: bytes() })],
    [
      FrameType.reply,
      () => encodeReply({ id: random.below(9), status: random.pick(['data', 'end', 'failed']), body: bytes() }),
    ],
    [FrameType.miss, () => encodeMiss(anyMiss(random, near))],
    [FrameType.join, () => encodeJoin(anyJoin(random))],
    [FrameType.window, () => encodeWindow(randomWindow(random))],
    [FrameType.end, () => encodeEnd({ dataFrames: random.below(9), controlFrames: random.below(9) })],
    [1, () => random.bytes(random.pick([8, 8, 0, 9]))],
    [2, () => random.bytes(random.pick([8, 8, 0, 9]))],
    [random.below(256), bytes],
  ];
  const [type, make] = random.pick(makers);
  return { type, body: make() };
}

export function anyHello(random: Random, near: number) {
  return {
    versionMin: random.pick([PROTOCOL_VERSION, 0, 2, 0xffff]),
    versionMax: random.pick([PROTOCOL_VERSION, 0, 2, 0xffff]),
    node: randomId(random),
    volume: randomId(random),
    epoch: numberNear(random, 0),
    last: numberNear(random, near),
    adopt: random.chance(0.3),
  };
}

export function anyWelcome(random: Random, near: number) {
  const zstd = random.chance(0.5);
  return {
    version: random.pick([PROTOCOL_VERSION, PROTOCOL_VERSION, 0, 2, 0xffff]),
    node: randomId(random),
    ...(random.chance(0.5) ? { volume: randomId(random) } : {}),
    epoch: numberNear(random, 0),
    first: numberNear(random, near),
    historyBytes: numberNear(random, 1 << 20),
    last: numberNear(random, near),
    chain: random.u64(),
    applied: numberNear(random, near),
    adopt: random.chance(0.3),
    holdsContent: random.chance(0.3),
    restores: { lz4: random.chance(0.5), zstd, windowLogMax: zstd ? random.between(10, 30) : 0 },
    session: random.pick([0n, 1n, random.u64()]),
    token: random.bytes(TOKEN_BYTES),
    windowBytes: numberNear(random, 1 << 20),
  };
}

export function anyMiss(random: Random, near: number) {
  const lost = Array.from({ length: random.below(5) }, () => {
    const from = Math.max(1, numberNear(random, near));
    return { from, to: Math.min(NUMBER_MAX, from + random.below(9)) };
  });
  return { generation: random.pick([0, 0, 0, 1, 2, random.u32()]), next: numberNear(random, near), lost };
}

export function anyJoin(random: Random) {
  return { session: random.u64(), token: random.bytes(TOKEN_BYTES), path: random.below(8), spare: random.chance(0.3) };
}
