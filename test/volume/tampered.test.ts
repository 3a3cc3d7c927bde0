import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { contentOf, keepTime, listTree } from '../support/files.js';
import { Pair } from '../support/pair.js';
import { newDirectory } from '../support/temp.js';

/** Somebody else has been at work in the replica: verify finds it and brings it back, and touches nothing else. */

let pair: Pair;
let outside: string;
const copy = (path: string): string => join(pair.into, path);

beforeEach(async () => {
  pair = Pair.at();
  outside = newDirectory();
  for (const name of ['one', 'two', 'sub/three']) {
    mkdirSync(join(outside, name, '..'), { recursive: true });
    writeFileSync(join(outside, name), `outside ${name}`);
  }
  mkdirSync(join(pair.source, 'd/sub'), { recursive: true });
  mkdirSync(join(pair.source, 'empty'));
  for (const name of ['a', 'b', 'd/one', 'd/two', 'd/sub/three']) {
    writeFileSync(join(pair.source, name), contentOf(name.length + name.charCodeAt(0), 50_000));
  }
  symlinkSync('a', join(pair.source, 'link'));
  await pair.openReceiver();
  await pair.openSender();
  await pair.sync();
});

const TAMPERINGS: Record<string, () => void> = {
  'a file removed': () => rmSync(copy('a')),
  'a file changed': () => appendFileSync(copy('a'), 'x'),
  'a file changed in secret': () =>
    keepTime(Buffer.from(copy('a')), () => writeFileSync(copy('a'), contentOf(9, 50_000))),
  'a file replaced in secret': () => {
    keepTime(Buffer.from(copy('a')), () => {
      rmSync(copy('a'));
      writeFileSync(copy('a'), contentOf(9, 50_000));
    });
  },
  'a file touched': () => utimesSync(copy('a'), 5, 5),
  'a mode changed': () => chmodSync(copy('a'), 0o777),
  'a mode of a directory changed': () => chmodSync(copy('d'), 0o700),
  'a directory touched': () => utimesSync(copy('d/sub'), 5, 5),
  'the root touched': () => utimesSync(pair.into, 5, 5),
  'a file added': () => writeFileSync(copy('d/extra'), 'x'),
  'directories added': () => {
    mkdirSync(copy('new/deep/er'), { recursive: true });
    writeFileSync(copy('new/deep/er/file'), 'x');
  },
  'a link added': () => symlinkSync(outside, copy('extra')),
  'a link changed': () => {
    rmSync(copy('link'));
    symlinkSync(outside, copy('link'));
  },
  'a directory removed': () => rmSync(copy('d'), { recursive: true }),
  'two files that changed places': () => {
    renameSync(copy('a'), copy('x'));
    renameSync(copy('b'), copy('a'));
    renameSync(copy('x'), copy('b'));
  },
  'a file turned into a directory': () => {
    rmSync(copy('a'));
    mkdirSync(copy('a/b'), { recursive: true });
  },
  'a file turned into a link out': () => {
    rmSync(copy('d/one'));
    symlinkSync(join(outside, 'one'), copy('d/one'));
  },
  'a directory turned into a file': () => {
    rmSync(copy('d'), { recursive: true });
    writeFileSync(copy('d'), 'x');
  },
  'a directory turned into a link out': () => {
    rmSync(copy('d'), { recursive: true });
    symlinkSync(outside, copy('d'));
  },
  'an empty directory turned into a link out': () => {
    rmSync(copy('empty'), { recursive: true });
    symlinkSync(outside, copy('empty'));
  },
  everything: () => {
    for (const name of ['a', 'b', 'd', 'empty', 'link']) rmSync(copy(name), { recursive: true });
  },
};

const facts = (): string[] =>
  listTree(outside).map(({ path, stats }) => `${path} ${stats.ino} ${stats.mode} ${stats.mtimeNs} ${stats.ctimeNs}`);

describe('is found and brought back', () => {
  test.each(Object.entries(TAMPERINGS))('%s', async (_, tamper) => {
    const before = facts();
    tamper();
    await pair.volume.verify();
    expect(pair.differences()).toEqual([]);
    expect(facts()).toEqual(before);
    expect(await pair.replica.verify()).toMatchObject({ drifted: 0, examples: [] });
    expect(await pair.volume.verify({ deep: true })).toMatchObject({ repaired: 0 });
  });

  test.each(Object.entries(TAMPERINGS))('while the receiver was not running: %s', async (_, tamper) => {
    const before = facts();
    await pair.closeReceiver();
    tamper();
    await pair.openReceiver();
    await pair.volume.verify();
    expect(pair.differences()).toEqual([]);
    expect(facts()).toEqual(before);
  });

  test.each(Object.entries(TAMPERINGS))('after the source has gone on in the same place: %s', async (_, tamper) => {
    const before = facts();
    tamper();
    const at = (path: string): string => join(pair.source, path);
    writeFileSync(at('d/one'), 'new');
    writeFileSync(at('d/new'), 'new');
    renameSync(at('d/two'), at('d/sub/two'));
    rmSync(at('d/sub/three'));
    chmodSync(at('empty'), 0o711);
    mkdirSync(at('empty/new'));
    await pair.sync();
    expect(pair.differences()).toEqual([]);
    expect(facts()).toEqual(before);
  });
});

test('the replica says itself what is not as it was left', async () => {
  rmSync(copy('a'));
  writeFileSync(copy('d/extra'), 'x');
  // The directories that hold them have another time now.
  expect(await pair.replica.verify()).toMatchObject({ drifted: 4, examples: ['.', 'a', 'd', 'd/extra'] });
  await pair.volume.verify();
  expect(pair.differences()).toEqual([]);
});

test('a deep verification finds content that changed beneath the file system', async () => {
  // What no attribute shows: as if the disk had done it. The catalog believes what it saw, a thorough look does not.
  await pair.closeReceiver();
  keepTime(Buffer.from(copy('a')), () => writeFileSync(copy('a'), contentOf(9, 50_000)));
  await pair.openReceiver();
  const { repaired } = await pair.volume.verify({ deep: true });
  expect(repaired).toBe(1);
  expect(pair.differences()).toEqual([]);
  expect(readFileSync(copy('a')).equals(readFileSync(join(pair.source, 'a')))).toBe(true);
});
