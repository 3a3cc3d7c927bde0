import { createRequire } from 'node:module';
import { describe, expect, test } from 'vitest';
import { ownAddonPath } from '../../src/engine/load.js';
import { ZstdDecoder } from '../../src/engine/zstd-decoder.js';
import { ZstdEncoder } from '../../src/engine/zstd-encoder.js';
import { compressPiece, decompressPiece, PIECE_BYTES_MAX } from '../../src/engine/zstd-piece.js';
import { InvalidArgumentError } from '../../src/errors.js';
import { atEnd } from '../support/temp.js';
import { zstdHere } from './zstd-data.js';

const detached = new Uint8Array(8);
structuredClone(detached, { transfer: [detached.buffer] });
const NO_BYTES: unknown[] = [
  undefined,
  null,
  'text',
  7,
  {},
  [1, 2],
  [new Uint8Array(1), undefined],
  new Array(2 ** 32 - 1),
  new ArrayBuffer(8),
  new Uint16Array(8),
  new DataView(new ArrayBuffer(8)),
  new Uint8Array(new SharedArrayBuffer(8)),
  detached,
];
const NO_INTEGERS: unknown[] = [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, '1', null, 1n, {}];
const bytes = Buffer.from('bytes');

type Call = () => Promise<unknown>;
/** Whatever types say, somebody passes it. */
const any = (given: unknown) => given as never;

async function refusals(): Promise<Record<string, Call[]>> {
  const [encoder, decoder] = [await ZstdEncoder.open({ windowLog: 17 }), await ZstdDecoder.open()];
  atEnd(() => encoder.close());
  atEnd(() => decoder.close());
  return {
    'an encoder’s options': [
      ...[...NO_INTEGERS, 0, 20].map((level) => () => ZstdEncoder.open({ level: any(level) })),
      ...[...NO_INTEGERS, 9, 31].map((windowLog) => () => ZstdEncoder.open({ windowLog: any(windowLog) })),
      ...[1, 'yes', null].map((longDistance) => () => ZstdEncoder.open({ longDistance: any(longDistance) })),
      ...[1, 'yes', null].map((checksum) => () => ZstdEncoder.open({ checksum: any(checksum) })),
      ...NO_BYTES.slice(2).map((prefix) => () => ZstdEncoder.open({ prefix: any(prefix) })),
      () => ZstdEncoder.open({ windowLog: 10, prefix: [bytes, new Uint8Array(1020)] }),
    ],
    'a decoder’s options': [
      ...[...NO_INTEGERS, 9, 31].map((windowLogMax) => () => ZstdDecoder.open({ windowLogMax: any(windowLogMax) })),
      ...NO_BYTES.slice(2).map((prefix) => () => ZstdDecoder.open({ prefix: any(prefix) })),
      () => ZstdDecoder.open({ windowLogMax: 10, prefix: new Uint8Array(1025) }),
    ],
    'a call of a stream': [
      ...NO_BYTES.map((given) => () => encoder.compress(any(given))),
      ...NO_BYTES.map((given) => () => decoder.decompress(any(given), 10)),
      ...[...NO_INTEGERS, undefined, 2 ** 30 + 1].map((given) => () => decoder.decompress(bytes, any(given))),
    ],
    'a piece': [
      ...NO_BYTES.map((given) => () => compressPiece(any(given), bytes)),
      ...NO_BYTES.map((given) => () => compressPiece(bytes, any(given))),
      ...[...NO_INTEGERS, 0, 20].map((level) => () => compressPiece(bytes, bytes, any(level))),
      () => compressPiece(new Uint8Array(PIECE_BYTES_MAX + 1), bytes),
      () => compressPiece(bytes, new Uint8Array(PIECE_BYTES_MAX + 1)),
      ...NO_BYTES.map((given) => () => decompressPiece(any(given), bytes, 10)),
      ...NO_BYTES.map((given) => () => decompressPiece(bytes, any(given), 10)),
      ...[...NO_INTEGERS, undefined, 2 ** 30 + 1].map((given) => () => decompressPiece(bytes, bytes, any(given))),
    ],
  };
}

const GROUPS = ['an encoder’s options', 'a decoder’s options', 'a call of a stream', 'a piece'];

test.skipIf(!zstdHere).each(GROUPS)('%s: what it cannot take is refused in words', async (group) => {
  const calls = (await refusals())[group] ?? [];
  expect(calls.length).toBeGreaterThan(10);
  for (const [index, call] of calls.entries()) {
    const outcome = await call().catch((error) => error);
    expect(outcome, `${group}, refusal ${index}`).toBeInstanceOf(InvalidArgumentError);
  }
});

describe.skipIf(!zstdHere)('the addon itself', () => {
  type Native = Record<string, (...args: unknown[]) => unknown>;
  const native = (): Native => createRequire(import.meta.url)(ownAddonPath()).zstd as Native;
  const JUNK: unknown[] = [
    ...NO_BYTES.slice(0, 8),
    ...NO_INTEGERS,
    [],
    [bytes],
    [bytes, 'x'],
    [bytes, bytes],
    bytes,
    -0,
    true,
  ];

  test('answers whatever is passed with an exception or a promise', async () => {
    const codec = native();
    const encoder = await codec.openEncoder?.(1, 17, false, false, []);
    const decoder = await codec.openDecoder?.(17, []);
    const values = [...JUNK, encoder, decoder, Object.create(encoder as object), new Proxy(encoder as object, {})];
    const tasks: Promise<unknown>[] = [];
    const strange: unknown[] = [];
    for (const [name, call] of Object.entries(codec)) {
      if (typeof call !== 'function' || name === 'close') continue;
      expect(() => call()).toThrow(TypeError);
      for (const first of values) {
        for (const second of values) {
          for (const third of [10, ...JUNK]) {
            try {
              tasks.push(Promise.resolve(call(first, second, third, false, [])).catch(() => {}));
            } catch (error) {
              if (!(error instanceof TypeError)) strange.push(error);
            }
          }
        }
      }
    }
    await Promise.all(tasks);
    expect(strange).toEqual([]);
  });

  test('tells one kind of stream from another', async () => {
    const codec = native();
    const encoder = await codec.openEncoder?.(1, 17, false, false, []);
    const decoder = await codec.openDecoder?.(17, []);
    for (const call of [
      () => codec.compress?.(decoder, [bytes]),
      () => codec.end?.(decoder),
      () => codec.decompress?.(encoder, [bytes], 10),
      () => codec.close?.({}),
      () => codec.memoryBytes?.(new Proxy(encoder as object, {})),
    ]) {
      expect(call).toThrow(/expected a stream/);
    }
  });

  test('has read its list before anything else can happen to it', async () => {
    const codec = native();
    const encoder = await codec.openEncoder?.(1, 17, false, false, []);
    const first = new Uint8Array(100_000);
    const list = [first, bytes];
    Object.defineProperty(list, 1, {
      get: () => {
        structuredClone(first, { transfer: [first.buffer] });
        return bytes;
      },
    });
    expect(await codec.compress?.(encoder, list)).toBeInstanceOf(Buffer);
  });
});
