import { readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { describe, expect, test } from 'vitest';
import { Catalog } from '../../src/volume/catalog.js';
import type { Entry } from '../../src/volume/entry.js';
import { comparePaths } from '../../src/volume/path.js';
import { randomFor, rounds, SEED } from '../support/seed.js';
import { newDirectory } from '../support/temp.js';

function entryAt(path: string, size: number): Entry {
  const digest = Buffer.alloc(16, size);
  return { path, kind: 'file', attributes: { mode: 0o644, mtime: size, uid: 0, gid: 0 }, size, digest };
}

async function contents(catalog: Catalog): Promise<Entry[]> {
  const entries: Entry[] = [];
  for await (const entry of catalog.entries()) entries.push(entry);
  return entries;
}

test('random puts, removals, flushes and reopenings say what a map says', async () => {
  for (let round = 1; round <= rounds(5); round++) {
    const random = randomFor(500 + round);
    const dir = newDirectory();
    let catalog = await Catalog.open(dir);
    let [model, durable] = [new Map<string, Entry>(), new Map<string, Entry>()];
    let through = 0;
    for (let step = 0; step < 150; step++) {
      for (let i = random.between(0, 40); i > 0; i--) {
        const path = `${random.pick(['a', 'a/b', 'z', '\xff', 'a b'])}/${random.below(60)}`;
        if (random.chance(0.3)) {
          catalog.remove(path);
          model.delete(path);
        } else {
          const entry = entryAt(path, random.below(1000));
          catalog.put(entry);
          model.set(path, entry);
        }
      }
      if (random.chance(0.4)) {
        through += random.between(1, 9);
        await catalog.flush(through);
        durable = new Map(model);
      }
      if (random.chance(0.1)) {
        // As after a crash: what was not flushed is gone, and `through` says since when.
        catalog = await Catalog.open(dir);
        model = new Map(durable);
      }
      const expected = [...model.values()].sort((a, b) => comparePaths(a.path, b.path));
      const found = await contents(catalog);
      // What an assertion takes for so many entries, it takes only where there is something to tell.
      if (!isDeepStrictEqual(found, expected))
        expect(found, `LONGHAUL_SEED=${SEED}, round ${round}, step ${step}`).toEqual(expected);
      for (const path of ['a/1', 'a/b/7', 'a b/59', 'z/3', '\xff/0', 'zz', ''])
        expect(await catalog.get(path), `${path}, step ${step}`).toEqual(model.get(path));
      expect(catalog.through).toBe(through);
      expect(readdirSync(dir).length, 'files in the directory').toBeLessThan(10);
    }
  }
}, 600_000);

test('single entries are found in runs of many blocks, the newest first', async () => {
  const dir = newDirectory();
  const catalog = await Catalog.open(dir);
  const name = (i: number): string => `a directory of some length/${String(i).padStart(5, '0')}`;
  for (let i = 0; i < 10_000; i += 2) catalog.put(entryAt(name(i), 1));
  await catalog.flush(1);
  for (let i = 0; i < 10_000; i += 5) catalog.put(entryAt(name(i), 2));
  for (let i = 0; i < 10_000; i += 7) catalog.remove(name(i));
  await catalog.flush(2);
  const random = randomFor(600);
  for (let question = 0; question < 2000; question++) {
    const i = random.below(10_001);
    const expected = i >= 10_000 || i % 7 === 0 ? undefined : i % 5 === 0 ? 2 : i % 2 === 0 ? 1 : undefined;
    expect((await catalog.get(name(i)))?.size, `LONGHAUL_SEED=${SEED}, ${i}`).toBe(expected);
  }
});

test('a listing shows one moment, whatever happens meanwhile', async () => {
  const catalog = await Catalog.open(newDirectory());
  for (let i = 0; i < 3000; i++) catalog.put(entryAt(`f${String(i).padStart(4, '0')}`, i));
  await catalog.flush(1);
  const seen: number[] = [];
  for await (const { size } of catalog.entries()) {
    seen.push(size);
    if (seen.length % 100 !== 0) continue;
    catalog.remove('f2999');
    catalog.put(entryAt('f2500', 99_999));
    await catalog.flush(1 + seen.length);
  }
  expect(seen).toEqual(Array.from({ length: 3000 }, (_, i) => i));
});

test('what is on its way is kept with it', async () => {
  const dir = newDirectory();
  const catalog = await Catalog.open(dir);
  const transfer = { path: 'a\xff', size: 10, sparse: true, offset: 5, inode: 1, changed: 2, mtime: -3 };
  catalog.transfer = transfer;
  catalog.stashed = 2;
  await catalog.flush(7);
  const again = await Catalog.open(dir);
  expect(again).toMatchObject({ transfer, stashed: 2, through: 7 });
  await again.clear(9);
  expect(await Catalog.open(dir)).toMatchObject({ transfer: undefined, stashed: 0, through: 9 });
});

describe('damage', () => {
  async function damaged(change: (path: string) => void, which: RegExp): Promise<Promise<unknown>> {
    const dir = newDirectory();
    const catalog = await Catalog.open(dir);
    for (let i = 0; i < 5000; i++) catalog.put(entryAt(`file ${i}`, i));
    await catalog.flush(1);
    const name = readdirSync(dir).find((file) => which.test(file)) ?? '';
    change(join(dir, name));
    return Catalog.open(dir).then((opened) => contents(opened));
  }
  const edit = (path: string, change: (bytes: Buffer) => void): void => {
    const bytes = readFileSync(path);
    change(bytes);
    writeFileSync(path, bytes);
  };

  test.each<[string, (path: string) => void]>([
    ['one bit', (path) => edit(path, (bytes) => bytes.writeUInt8(bytes.readUInt8(1000) ^ 1, 1000))],
    ['a length', (path) => edit(path, (bytes) => bytes.writeUInt32LE(0x7fff_ffff, 8))],
    ['its beginning', (path) => edit(path, (bytes) => bytes.fill(0, 0, 4))],
    ['its end', (path) => truncateSync(path, readFileSync(path).byteLength - 20)],
    ['everything', (path) => truncateSync(path, 0)],
  ])('in a run: %s is told with the file and what to do', async (_, change) => {
    await expect(damaged(change, /\.run$/)).rejects.toMatchObject({
      code: 'STATE_DAMAGED',
      path: expect.stringMatching(/\.run$/),
      message: expect.stringContaining('--adopt'),
    });
  });

  test('a run of another release is told as such', async () => {
    const change = (path: string): void => edit(path, (bytes) => bytes.writeUInt32LE(99, 4));
    await expect(damaged(change, /\.run$/)).rejects.toMatchObject({ code: 'FORMAT_VERSION', found: 99 });
  });

  test.each([
    ['no JSON', '{'],
    ['another shape', '[]'],
    ['fields missing', '{"version":1}'],
    ['a run with a path in its name', '{"version":1,"through":0,"stashed":0,"counter":0,"runs":["../../etc/passwd"]}'],
    ['a number that is none', '{"version":1,"through":"x","stashed":0,"counter":0,"runs":[]}'],
  ])('in the manifest: %s', async (_, text) => {
    await expect(damaged((path) => writeFileSync(path, text), /manifest/)).rejects.toMatchObject({
      code: 'STATE_DAMAGED',
    });
  });

  test('a manifest of another release is told as such', async () => {
    await expect(damaged((path) => writeFileSync(path, '{"version":7}'), /manifest/)).rejects.toMatchObject({
      code: 'FORMAT_VERSION',
    });
  });

  test('files that no manifest names are cleared away', async () => {
    const dir = newDirectory();
    const catalog = await Catalog.open(dir);
    catalog.put(entryAt('a', 1));
    await catalog.flush(1);
    writeFileSync(join(dir, '00000099.run'), 'cut off in the making');
    const again = await Catalog.open(dir);
    expect(await contents(again)).toHaveLength(1);
    expect(readdirSync(dir)).not.toContain('00000099.run');
  });
});
