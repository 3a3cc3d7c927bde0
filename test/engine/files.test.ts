import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { checksum64, checksumOfParts } from '../../src/engine/checksum.js';
import { Digest, digestOf } from '../../src/engine/digest.js';
import { createFile, readJson, replaceFile, storageError } from '../../src/engine/files.js';
import { prefetched } from '../../src/engine/prefetch.js';
import { randomFor } from '../support/seed.js';
import { newDirectory } from '../support/temp.js';

describe('small files of the state', () => {
  test('are replaced whole, and leave nothing beside them', async () => {
    const path = join(newDirectory(), 'state.json');
    await replaceFile(path, '{"a":1}');
    await replaceFile(path, Buffer.from('{"a":2}'));
    expect(readFileSync(path, 'utf8')).toBe('{"a":2}');
    expect(readdirSync(join(path, '..'))).toEqual(['state.json']);
  });

  test('that must not be there yet are made once, with their mode, by one of many', async () => {
    const path = join(newDirectory(), 'key');
    const made = await Promise.all(['a', 'b', 'c', 'd'].map((content) => createFile(path, content, 0o600)));
    expect(made.filter(Boolean)).toHaveLength(1);
    expect(readFileSync(path, 'utf8')).toBe('abcd'[made.indexOf(true)]);
    expect(await createFile(path, 'e', 0o600)).toBe(false);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(join(path, '..'))).toEqual(['key']);
    await expect(createFile(join(path, 'below'), 'x', 0o600)).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
  });

  test('are objects, or damaged', async () => {
    const path = join(newDirectory(), 'state.json');
    expect(await readJson(path)).toBeUndefined();
    for (const text of ['', '{', '[]', '7', 'null', '"x"']) {
      writeFileSync(path, text);
      await expect(readJson(path), text).rejects.toMatchObject({ code: 'STATE_DAMAGED', path });
    }
    writeFileSync(path, '{"a":{"b":[1]}}');
    expect(await readJson(path)).toEqual({ a: { b: [1] } });
  });

  test('that cannot be written are told with the operation and the path', async () => {
    const path = join(newDirectory(), 'none', 'state.json');
    await expect(replaceFile(path, 'x')).rejects.toMatchObject({ code: 'STORAGE_FAILED', path });
    expect(storageError('writing', 'x', Object.assign(new Error('full'), { code: 'ENOSPC' }))).toMatchObject({
      code: 'DISK_FULL',
      recoverable: true,
    });
    expect(storageError('writing', 'x', Object.assign(new Error('quota'), { code: 'EDQUOT' })).code).toBe('DISK_FULL');
  });
});

describe('digests and checksums', () => {
  test('are the published ones', () => {
    // XXH64 with seed 0, and SHA-256 cut to 16 bytes, of nothing and of "abc".
    expect(checksum64(Buffer.alloc(0))).toBe(0xef46_db37_51d8_e999n);
    expect(checksum64(Buffer.from('abc'))).toBe(0x44bc_2cf5_ad77_0999n);
    expect(digestOf(Buffer.alloc(0)).toString('hex')).toBe('e3b0c44298fc1c149afbf4c8996fb924');
    expect(digestOf(Buffer.from('abc')).toString('hex')).toBe('ba7816bf8f01cfea414140de5dae2223');
  });

  test('of bytes in pieces are those of the whole', () => {
    const random = randomFor(900);
    for (const length of [0, 1, 31, 32, 33, 1000, 70_001]) {
      const bytes = random.bytes(length);
      const digest = new Digest();
      const pieces = [...random.slices(bytes, 5000)];
      for (const piece of pieces) digest.update(piece);
      expect(digest.finish().equals(digestOf(bytes))).toBe(true);
      expect(checksumOfParts(pieces)).toBe(checksum64(bytes));
    }
  });
});

describe('items fetched ahead', () => {
  async function* numbers(count: number, ended: () => void): AsyncGenerator<number> {
    try {
      for (let i = 0; i < count; i++) yield i;
    } finally {
      ended();
    }
  }

  test('come once and in order, and what gives them is ended', async () => {
    const ended = vi.fn();
    const seen: number[] = [];
    for await (const item of prefetched(numbers(5, ended), () => {})) seen.push(item);
    expect(seen).toEqual([0, 1, 2, 3, 4]);
    expect(ended).toHaveBeenCalledTimes(1);
  });

  test('are given up in the middle, also while the next one never comes', async () => {
    const stop = new AbortController();
    const ended = vi.fn();
    async function* stuck(): AsyncGenerator<number> {
      try {
        yield 1;
        await new Promise((_, reject) => stop.signal.addEventListener('abort', () => reject(new Error('stopped'))));
      } finally {
        ended();
      }
    }
    for await (const item of prefetched(stuck(), () => stop.abort())) {
      expect(item).toBe(1);
      break;
    }
    expect(ended).toHaveBeenCalledTimes(1);
  });

  test('that fail do so when their turn has come', async () => {
    async function* failing(): AsyncGenerator<number> {
      yield 1;
      throw new Error('broken');
    }
    const seen: number[] = [];
    const reading = (async () => {
      for await (const item of prefetched(failing(), () => {})) {
        await new Promise(setImmediate);
        seen.push(item);
      }
    })();
    await expect(reading).rejects.toThrow('broken');
    expect(seen).toEqual([1]);
  });
});
