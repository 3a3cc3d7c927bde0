import { spawnSync } from 'node:child_process';
import { chmodSync, linkSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { Random } from '../../fuzz/random.js';
import { at, bytesOf, contentOf, type TreePath, touchAll, utf8, writeHoles } from './files.js';

/** Trees to replicate: one with everything that a file system allows, and random ones. */

const MIB = 1024 * 1024;

/** Names that break code which takes them for text, for words of a command line, or for short. */
export const NASTY_NAMES: readonly TreePath[] = [
  ' leading and trailing ',
  'new\nline',
  'tab\tand\rreturn',
  '-rf',
  '--help',
  '...',
  '.hidden',
  'quote"\'`$HOME\\',
  '*?[a]{b}~',
  '\x01\x1b[31mred\x7f',
  utf8('żółć ßøæ'),
  utf8('e\u0301 and \u00e9'),
  utf8('日本語🐢'),
  utf8('\u202eright to left'),
  '\xff\xfe not text',
  '\xc3\x28',
  '\xed\xa0\x80',
  'n'.repeat(255),
  utf8('ä'.repeat(127)),
];

/** Modification times as `touch` takes them: microseconds, before 1970, at the edges of 32 bits, far ahead. */
export const NASTY_TIMES: readonly string[] = [
  '0',
  '0.000001',
  '-0.000001',
  '-0.999999',
  '-1',
  '-1.5',
  '-86400.123456',
  '-2147483648.654321',
  '-1234567890.000001',
  '1.999999',
  '1234567890.123456',
  '1700000000.000001',
  '1700000000.999999',
  '2147483647.999999',
  '2147483648.000001',
  '4102444800.123457',
  '4294967295.999999',
  '4294967296.000001',
  '5000000000.333333',
  '6000000000.777777',
  '6543210987.654321',
];

/** Builds the tree; returns the paths of what Longhaul does not carry (a pipe and a socket). */
export async function makeNastyTree(root: string): Promise<TreePath[]> {
  const file = (path: TreePath, content: Uint8Array | string = ''): void => writeFileSync(at(root, path), content);
  const dir = (path: TreePath): void => void mkdirSync(at(root, path), { recursive: true });

  for (const path of ['empty', 'a/b/c/d/e', 'a/empty', 'modes', 'times', 'links', 'holes', 'names', 'sizes']) dir(path);
  const deep = Array.from({ length: 60 }, (_, i) => `level ${i} ${'x'.repeat(40)}`).join('/');
  dir(`deep/${deep}`);
  file(`deep/${deep}/bottom`, 'here');

  const sizes = [0, 1, 2, 511, 4095, 4096, 4097, 65_535, 65_536, MIB - 1, MIB, MIB + 1, 2 * MIB, 3 * MIB + 17];
  for (const [i, size] of sizes.entries()) file(`sizes/${size}`, contentOf(i, size));
  file('sizes/zeros', Buffer.alloc(300_000));

  for (const [i, name] of NASTY_NAMES.entries()) {
    file(`names/${name}`, `file ${i}`);
    dir(`names/in ${i}/${name}`);
    file(`names/in ${i}/${name}/x`, contentOf(i, 100));
    symlinkSync(bytesOf(name), at(root, `names/in ${i}/link`));
  }

  makeHoles(root);
  makeLinks(root);
  makeModes(root);
  const specials = await makeSpecials(root);
  const times: [TreePath, string][] = [];
  for (const [i, time] of NASTY_TIMES.entries()) {
    file(`times/file ${i}`, `at ${time}`);
    dir(`times/dir ${i}`);
    symlinkSync('nowhere', at(root, `times/link ${i}`));
    for (const kind of ['file', 'dir', 'link']) times.push([`times/${kind} ${i}`, time]);
  }
  touchAll(root, [...times, ['times', '-98765.432109'], ['', '987654321.123456']]);
  return specials;
}

function makeHoles(root: string): void {
  const data = contentOf(1, 10_000);
  const holes: [string, number, [number, Buffer][]][] = [
    ['all', 3 * MIB, []],
    ['small', 100_000, []],
    ['first', 2 * MIB, [[2 * MIB - 5000, data.subarray(0, 5000)]]],
    ['last', 5 * MIB, [[0, data]]],
    [
      'odd',
      8 * MIB + 12_345,
      [
        [777, data],
        [MIB - 1, data],
        [3 * MIB + 4096, data],
        [8 * MIB, data],
      ],
    ],
    ['just over a part', MIB + 1, [[MIB, Buffer.from('!')]]],
    [
      'written zeros',
      2 * MIB,
      [
        [0, Buffer.alloc(MIB)],
        [MIB + 300_000, data],
      ],
    ],
    ['huge', 40 * MIB, [[39 * MIB, data]]],
  ];
  for (const [name, length, pieces] of holes) writeHoles(at(root, `holes/${name}`), length, pieces);
}

function makeLinks(root: string): void {
  const targets: [TreePath, TreePath][] = [
    ['links/dangling', 'no/such/thing'],
    ['links/itself', 'itself'],
    ['links/ping', 'pong'],
    ['links/pong', 'ping'],
    ['links/to directory', '../a/b'],
    ['links/to file', '../sizes/4096'],
    ['links/absolute', '/etc/passwd'],
    ['links/up and away', '../../../../../../../../etc'],
    ['links/to root', '..'],
    ['links/dot', '.'],
    ['links/not text', '\xff\xfe/\x80'],
    ['links/long', `${'t'.repeat(250)}/`.repeat(16)],
  ];
  for (const [path, target] of targets) symlinkSync(bytesOf(target), at(root, path));
  writeFileSync(at(root, 'links/one'), contentOf(3, 70_000));
  for (const path of ['links/two', 'a/three', 'a/b/four']) linkSync(at(root, 'links/one'), at(root, path));
}

function makeModes(root: string): void {
  // What its owner may not read cannot be copied either, unless by root.
  const unreadable = process.geteuid?.() === 0 ? [0o000, 0o200] : [];
  const modes = [...unreadable, 0o400, 0o444, 0o600, 0o644, 0o777, 0o4755, 0o2711, 0o6777, 0o1644];
  for (const mode of modes) {
    writeFileSync(at(root, `modes/file ${mode.toString(8)}`), `mode ${mode}`);
    chmodSync(at(root, `modes/file ${mode.toString(8)}`), mode);
  }
  for (const mode of [
    ...(unreadable.length > 0 ? [0o400] : []),
    0o500,
    0o555,
    0o700,
    0o711,
    0o777,
    0o1777,
    0o2775,
    0o3777,
  ]) {
    const dir = `modes/dir ${mode.toString(8)}`;
    mkdirSync(at(root, `${dir}/inner`), { recursive: true });
    writeFileSync(at(root, `${dir}/inner/file`), `below ${mode}`);
    chmodSync(at(root, dir), mode);
  }
}

async function makeSpecials(root: string): Promise<TreePath[]> {
  spawnSync('mkfifo', [join(root, 'a/pipe')]);
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(join(root, 'a/socket'), resolve));
  // The name goes with the server, a copy of it does not.
  spawnSync('cp', ['-a', join(root, 'a/socket'), join(root, 'a/left socket')]);
  await new Promise((resolve) => server.close(resolve));
  return ['a/pipe', 'a/left socket'];
}

export interface RandomTreeShape {
  entries: number;
  fileBytesMax: number;
}

/** A tree of directories, files of mixed sizes and links. */
export function makeRandomTree(root: string, random: Random, { entries, fileBytesMax }: RandomTreeShape): void {
  const directories: TreePath[] = [''];
  for (let i = 0; i < entries; i++) {
    const parent = random.pick(directories);
    const path = `${parent === '' ? '' : `${parent}/`}${randomName(random)}${i}`;
    const roll = random.fraction();
    if (roll < 0.2) {
      mkdirSync(at(root, path));
      directories.push(path);
    } else if (roll < 0.27) symlinkSync(bytesOf(random.pick(directories) || '.'), at(root, path));
    else writeFileSync(at(root, path), randomContent(random, fileBytesMax));
  }
}

export function randomName(random: Random): TreePath {
  return random.pick(['f', 'data', 'a b', '\xff', utf8('ö'), 'x.log', '-', '.h']);
}

/** Mostly small, sometimes empty, seldom as large as allowed. */
export function randomContent(random: Random, bytesMax: number): Buffer {
  const scale = random.pick([0, 10, 1000, 50_000, bytesMax, bytesMax]);
  return contentOf(random.u32(), random.between(0, Math.min(scale, bytesMax)));
}
