import { closeSync, constants, fstatSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { ContentKernels } from '../../src/engine/content-kernels.js';
import type { Kernels } from '../../src/engine/kernels.js';
import type { SocketKernels } from '../../src/engine/socket-kernels.js';
import { InvalidArgumentError } from '../../src/errors.js';
import { randomFor, SEED } from '../support/seed.js';
import { atEnd, newDirectory } from '../support/temp.js';
import { engines } from './engines.js';

function newFile(parent?: string): { path: string; fd: number } {
  const path = join(newDirectory(parent), 'file');
  const fd = openSync(path, 'w+');
  atEnd(() => closeSync(fd));
  return { path, fd };
}

function openAs(path: string, flags: number): number {
  const fd = openSync(path, flags);
  atEnd(() => closeSync(fd));
  return fd;
}

/** A number that was a descriptor a moment ago and that nothing here will get. */
const CLOSED_FD = 1_000_000;

describe.each(engines)('durable writes, %s', (name, { writeDurable, bypassCache, allocatePages, preallocate }) => {
  test.each([true, false])('what is written is there, from its position on (sync: %j)', async (sync) => {
    const { path, fd } = newFile();
    await writeDurable(fd, [Buffer.from('one, '), new Uint8Array(0), Buffer.from('two')], 4, sync);
    expect(readFileSync(path, 'latin1')).toBe('\0\0\0\0one, two');
    await writeDurable(fd, [Buffer.from('ONE')], 4, sync);
    await writeDurable(fd, [], 0, sync);
    await writeDurable(fd, [new Uint8Array(0)], 1 << 20, sync);
    expect(readFileSync(path, 'latin1')).toBe('\0\0\0\0ONE, two');
  });

  test(`more buffers than one call of the system takes (seed ${SEED})`, async () => {
    const random = randomFor(4);
    const { path, fd } = newFile();
    const whole = random.bytes(400_000);
    const buffers = random.slices(whole, 200);
    expect(buffers.length).toBeGreaterThan(3000);
    await writeDurable(fd, buffers, 10, true);
    expect(readFileSync(path).subarray(10).equals(whole)).toBe(true);
  });

  test('many at a time, in one file and in others', async () => {
    const files = [newFile(), newFile(), newFile()];
    const piece = (index: number): Buffer => Buffer.alloc(1000, index);
    const indexes = Array.from({ length: 60 }, (_, index) => index);
    await Promise.all(
      indexes.map((index) => writeDurable(files[index % 3]?.fd as number, [piece(index)], 1000 * index, true)),
    );
    for (const index of indexes) {
      const content = readFileSync(files[index % 3]?.path as string);
      expect(content.subarray(1000 * index, 1000 * index + 1000).equals(piece(index))).toBe(true);
    }
  });

  test('the list of buffers may change meanwhile', async () => {
    const { path, fd } = newFile();
    const buffers = [Buffer.from('kept')];
    const written = writeDurable(fd, buffers, 0, true);
    buffers.length = 0;
    await written;
    expect(readFileSync(path, 'latin1')).toBe('kept');
  });

  test.each<[string, () => number, object]>([
    ['a descriptor that is not open', () => CLOSED_FD, { code: 'EBADF', errno: -9, syscall: 'write' }],
    ['one for reading', () => openAs(newFile().path, constants.O_RDONLY), { code: 'EBADF', syscall: 'write' }],
    ['a full disk', () => openAs('/dev/full', constants.O_WRONLY), { code: 'ENOSPC', errno: -28, syscall: 'write' }],
    ['what cannot be synced', () => openAs('/dev/null', constants.O_WRONLY), { code: 'EINVAL', syscall: 'fdatasync' }],
  ])("%s fails with Node's own error", async (_, open, expected) => {
    const failure = await writeDurable(open(), [Buffer.alloc(100)], 0, true).then(
      () => undefined,
      (error) => error,
    );
    expect(failure).toBeInstanceOf(Error);
    expect(failure).toMatchObject(expected);
    expect(failure.message).toMatch(/^E[A-Z]+: [a-z ]+, (write|fdatasync)$/);
  });

  test('a failure stops neither the call before nor the one after', async () => {
    const { path, fd } = newFile();
    const outcomes = await Promise.allSettled([
      writeDurable(fd, [Buffer.from('a')], 0, true),
      writeDurable(CLOSED_FD, [Buffer.from('b')], 1, true),
      writeDurable(fd, [Buffer.from('c')], 1, true),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(readFileSync(path, 'latin1')).toBe('ac');
  });

  describe('past the page cache', () => {
    test('whole pages go there and whole pages are what others read', async () => {
      const { path, fd } = newFile();
      const pages = allocatePages(3 * 4096);
      expect(pages.byteLength).toBe(3 * 4096);
      const content = randomFor(5).bytes(3 * 4096);
      content.copy(pages);
      expect(bypassCache(fd)).toBe(name === 'native' && process.platform === 'linux');
      await writeDurable(fd, [pages.subarray(0, 4096), pages.subarray(4096)], 4096, true);
      expect(readFileSync(path).subarray(4096).equals(content)).toBe(true);
      // Read and therefore cached, written once more, and read again.
      pages.fill(7, 4096, 8192);
      await writeDurable(fd, [pages.subarray(4096, 8192)], 8192, true);
      expect(readFileSync(path).subarray(4096).equals(pages)).toBe(true);
    });

    test.each<[string, (pages: Buffer) => Uint8Array[], number]>([
      ['memory that starts anywhere', (pages) => [pages.subarray(1, 4097)], 0],
      ['a length that is no page', (pages) => [pages.subarray(0, 4096), pages.subarray(4096, 5000)], 0],
      ['a place that is no page', (pages) => [pages.subarray(0, 4096)], 100],
    ])('%s goes through the cache as ever', async (_, piecesOf, position) => {
      const { path, fd } = newFile();
      bypassCache(fd);
      const pages = allocatePages(2 * 4096);
      randomFor(6)
        .bytes(2 * 4096)
        .copy(pages);
      const pieces = piecesOf(pages);
      await writeDurable(fd, pieces, position, true);
      await writeDurable(fd, [Buffer.from('more')], position, false);
      const expected = Buffer.concat(pieces);
      expected.write('more');
      expect(readFileSync(path).subarray(position).equals(expected)).toBe(true);
    });

    test('a descriptor that is not open cannot', () => {
      expect(bypassCache(CLOSED_FD)).toBe(false);
    });
  });

  describe('preallocation', () => {
    test('gives blocks and length, and leaves what is there', async () => {
      const { path, fd } = newFile();
      writeSync(fd, 'here');
      const before = fstatSync(fd).blocks;
      expect(await preallocate(fd, 1 << 20)).toBe(name === 'native' && process.platform !== 'win32');
      fsyncSync(fd);
      if (name === 'native') {
        expect(fstatSync(fd)).toMatchObject({ size: 1 << 20 });
        expect(fstatSync(fd).blocks * 512).toBeGreaterThanOrEqual(1 << 20);
        expect(await preallocate(fd, 4096)).toBe(true);
        expect(fstatSync(fd).size).toBe(1 << 20);
      } else {
        expect(fstatSync(fd)).toMatchObject({ size: 4, blocks: before });
      }
      expect(readFileSync(path, 'latin1').slice(0, 5).replace('\0', '')).toBe('here');
    });

    test.skipIf(name !== 'native' || process.platform !== 'linux')('fails as Node would', async () => {
      const readOnly = openAs(newFile().path, constants.O_RDONLY);
      await expect(preallocate(readOnly, 4096)).rejects.toMatchObject({ code: 'EBADF', syscall: 'fallocate' });
      await expect(preallocate(newFile().fd, Number.MAX_SAFE_INTEGER)).rejects.toMatchObject({ code: /EFBIG|ENOSPC/ });
    });
  });
});

describe.each(engines)('arguments, %s', (_, kernels) => {
  const bytes = new Uint8Array(128);
  const state = new BigUint64Array(5);
  const found = new Float64Array(4);
  const shared = new Uint8Array(new SharedArrayBuffer(128));
  const detached = new Uint8Array(128);
  structuredClone(detached, { transfer: [detached.buffer] });
  const NUMBERS = [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, '1', null, undefined, 1n, {}];
  const NO_BYTES = [
    undefined,
    null,
    'text',
    {},
    [1, 2],
    new ArrayBuffer(8),
    new Uint16Array(8),
    new DataView(new ArrayBuffer(8)),
    shared,
    detached,
  ];

  type Call = (...args: never[]) => unknown;
  const [call, refusals] = [
    (name: keyof Kernels, args: unknown[]): unknown => (kernels[name] as unknown as Call)(...(args as never[])),
    {
      checksum64: [
        ...NO_BYTES.map((given) => [given, 0n]),
        ...[undefined, null, 1, '1', {}].map((given) => [bytes, given]),
      ],
      checksumParts: [
        ...[undefined, null, bytes, 'text', { length: 1 }].map((given) => [given, 0n]),
        ...NO_BYTES.map((given) => [[bytes, given], 0n]),
        ...[undefined, null, 1, '1', {}].map((given) => [[bytes], given]),
      ],
      discard: NO_BYTES.map((given) => [given]),
      sealRecords: [
        ...NO_BYTES.map((given) => [given, 0, 0, state]),
        ...NUMBERS.map((given) => [bytes, given, 128, state]),
        ...[...NUMBERS, 129].map((given) => [bytes, 0, given, state]),
        [bytes, 65, 64, state],
        ...[undefined, new Float64Array(5), new BigInt64Array(5), new BigUint64Array(1), [0n, 0n]].map((given) => [
          bytes,
          0,
          128,
          given,
        ]),
        [bytes, 0, 128, new BigUint64Array(new SharedArrayBuffer(64))],
      ],
      checkRecords: [
        ...NO_BYTES.map((given) => [given, 0, 0, state, found]),
        ...NUMBERS.map((given) => [bytes, given, 128, state, found]),
        [bytes, 0, 128, new BigUint64Array(4), found],
        ...[undefined, new Float32Array(4), new BigUint64Array(4), [0]].map((given) => [bytes, 0, 128, state, given]),
        [bytes, 0, 128, state, new Float64Array(new SharedArrayBuffer(64))],
      ],
      writeDurable: [
        ...[...NUMBERS, 2 ** 31].map((given) => [given, [bytes], 0, true]),
        ...[undefined, null, bytes, 'text', { length: 1 }].map((given) => [1, given, 0, true]),
        ...NO_BYTES.map((given) => [CLOSED_FD, [bytes, given], 0, true]),
        ...NUMBERS.map((given) => [CLOSED_FD, [bytes], given, true]),
        [CLOSED_FD, [bytes], Number.MAX_SAFE_INTEGER, true],
        ...[undefined, 1, 'yes'].map((given) => [CLOSED_FD, [bytes], 0, given]),
      ],
      preallocate: [...NUMBERS.map((given) => [given, 10]), ...[...NUMBERS, 0].map((given) => [CLOSED_FD, given])],
      bypassCache: [...NUMBERS, 2 ** 31].map((given) => [given]),
      allocatePages: [...NUMBERS, 2 ** 30 + 1].map((given) => [given]),
      writeZeros: [
        ...NUMBERS.map((given) => [given, 0, 4096]),
        ...[...NUMBERS, 1].map((given) => [CLOSED_FD, given, 8192]),
        ...[...NUMBERS, 4097].map((given) => [CLOSED_FD, 0, given]),
        [CLOSED_FD, 8192, 4096],
      ],
      readSpans: [
        ...[...NUMBERS, 2 ** 31].map((given) => [given, Float64Array.of(0, 256), bytes]),
        ...NO_BYTES.map((given) => [CLOSED_FD, Float64Array.of(0, 1), given]),
        ...[undefined, null, [0, 256], Uint32Array.of(0, 256), Float64Array.of(0, 256, 1)].map((given) => [
          CLOSED_FD,
          given,
          bytes,
        ]),
        [CLOSED_FD, new Float64Array(new SharedArrayBuffer(16)), bytes.subarray(0, 0)],
        ...[-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 257].map((given) => [
          CLOSED_FD,
          Float64Array.of(0, given),
          bytes,
        ]),
        ...[-1, 0.5, Number.NaN, Number.MAX_SAFE_INTEGER].map((given) => [
          CLOSED_FD,
          Float64Array.of(given, 256),
          bytes,
        ]),
        [CLOSED_FD, Float64Array.of(0, 200, 300, 57), bytes],
        [CLOSED_FD, Float64Array.of(0, 255), bytes],
      ],
    } satisfies Record<Exclude<keyof Kernels, keyof ContentKernels | keyof SocketKernels>, unknown[][]>,
  ];

  test.each(Object.entries(refusals))('%s refuses what it cannot take', async (name, list) => {
    for (const [index, args] of list.entries()) {
      // An exception and a rejection are the same to whoever awaits.
      const outcome = await Promise.resolve()
        .then(() => call(name as keyof Kernels, args))
        .then(
          () => 'taken',
          (error) => error,
        );
      expect(outcome, `${name}, refusal ${index}`).toBeInstanceOf(InvalidArgumentError);
    }
  });
});
