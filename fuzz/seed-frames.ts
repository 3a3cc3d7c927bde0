import { ZstdEncoder, type ZstdEncoderOptions } from '../src/engine/zstd-encoder.js';
import { compressPiece } from '../src/engine/zstd-piece.js';
import { Random } from './random.js';

/** Inputs for zstd-hostile-native: frames of our own encoder, and some that were a finding. */

interface Frame {
  windowLog: number;
  prefix: Uint8Array;
  bytes: Buffer;
}

const WINDOW_LOG_MIN = 10;
const WORDS = 'the journal of records that a replica has not seen yet goes on where the last page of it ended'.split(
  ' ',
);
const NOTHING = new Uint8Array(0);

export async function frameSeeds(): Promise<Record<string, Buffer>> {
  return Object.fromEntries(Object.entries(await frames()).map(([name, frame]) => [name, inputOf(frame)]));
}

async function frames(): Promise<Record<string, Frame>> {
  const random = new Random(1);
  const [old, long] = [text(random, 700), text(random, 4000)];
  const changed = Buffer.concat([old.subarray(0, 300), text(random, 40), old.subarray(310)]);
  const noise = random.bytes(200);
  const mixed = Buffer.concat([noise, Buffer.alloc(5000), old, noise]);
  return {
    'text-level-1': await streamed([long.subarray(0, 1500)], { level: 1, windowLog: 17 }),
    'text-level-19': await streamed([long.subarray(0, 1500)], { level: 19, windowLog: 20, checksum: true }),
    'small-window': await streamed([long, old], { level: 2, windowLog: 10, longDistance: false }),
    flushes: await streamed(random.slices(long.subarray(0, 1200), 90), { level: 3, windowLog: 14 }),
    nothing: await streamed([], { level: 1, windowLog: 10 }),
    byte: await streamed([Buffer.of(97)], { level: 1, windowLog: 10, checksum: true }),
    zeros: await streamed([Buffer.alloc(200_000)], { level: 1, windowLog: 18, checksum: true }),
    mixed: await streamed([mixed], { level: 5, windowLog: 15 }),
    prefix: await streamed([changed], { level: 6, windowLog: 16, prefix: old }),
    piece: await piece(changed, old),
    'piece-alone': await piece(mixed, NOTHING),
    // Taken for sound, depending on where they were cut.
    'shorter-than-it-says': alone(Buffer.from('28b52ffd20ff010000', 'hex')),
    'frame-in-a-header': alone(Buffer.from('28b52ffd2328b52ffd20010b000061', 'hex')),
    'piece-of-blocks': await piece(Buffer.concat([Buffer.alloc(200_000), old]), NOTHING),
  };
}

async function streamed(
  calls: readonly Uint8Array[],
  options: ZstdEncoderOptions & { windowLog: number; prefix?: Uint8Array },
): Promise<Frame> {
  const encoder = await ZstdEncoder.open(options);
  const parts: Buffer[] = [];
  for (const call of calls) parts.push(await encoder.compress(call));
  const bytes = Buffer.concat([...parts, await encoder.end()]);
  return { windowLog: options.windowLog, prefix: options.prefix ?? NOTHING, bytes };
}

function alone(bytes: Buffer): Frame {
  return { windowLog: 18, prefix: NOTHING, bytes };
}

async function piece(content: Uint8Array, prefix: Uint8Array): Promise<Frame> {
  return { windowLog: 18, prefix, bytes: await compressPiece(content, prefix) };
}

/** As fuzz/native/zstd_hostile.cc reads it. */
function inputOf({ windowLog, prefix, bytes }: Frame): Buffer {
  const head = Buffer.of(windowLog - WINDOW_LOG_MIN, bytes.byteLength % 18, 0, 0, 0);
  head.writeUInt16LE(prefix.byteLength, 3);
  return Buffer.concat([head, prefix, bytes]);
}

function text(random: Random, length: number): Buffer {
  const words: string[] = [];
  for (let bytes = 0; bytes < length; bytes += (words.at(-1) as string).length + 1) {
    words.push(random.chance(0.2) ? random.u32().toString(36) : random.pick(WORDS));
  }
  return Buffer.from(words.join(' ')).subarray(0, length);
}
