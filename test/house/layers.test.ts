import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';

/** The rows of the table in the architecture page, written out a second time on purpose. */
const MAY_USE: Record<string, string[]> = {
  engine: [],
  journal: ['engine'],
  reduce: ['engine', 'journal'],
  channel: ['engine'],
  replication: ['engine', 'journal', 'reduce', 'channel'],
  volume: ['engine', 'journal', 'replication'],
  cluster: ['replication', 'volume'],
  scope: ['engine', 'journal', 'reduce', 'channel', 'replication', 'volume', 'cluster'],
  cli: ['index'],
};
const ROOMS = [...Object.keys(MAY_USE), 'index'];

/** Every way to couple two files that TypeScript knows. */
const STYLES: Record<string, (to: string) => string> = {
  static: (to) => `import { a } from '${to}';\nexport const b = a;\n`,
  'side effect': (to) => `import '${to}';\n`,
  namespace: (to) => `import * as all from '${to}';\nexport const b = all.a;\n`,
  'type-only': (to) => `import type { A } from '${to}';\nexport type B = A;\n`,
  'inline type': (to) => `import { type A } from '${to}';\nexport type B = A;\n`,
  'import type expression': (to) => `export type B = import('${to}').A;\n`,
  're-export': (to) => `export { a } from '${to}';\n`,
  'star re-export': (to) => `export * from '${to}';\n`,
  'type re-export': (to) => `export type { A } from '${to}';\n`,
  dynamic: (to) => `export const b = await import('${to}');\n`,
  'dynamic template': (to) => `export const b = await import(\`${to}\`);\n`,
};
const OTHER_REFUSED: Record<string, [file: string, text: string, rule: string]> = {
  'a test': ['src/journal/uses-test.ts', `import '../../test/helper.js';\n`, 'src-uses-src-only'],
  'a bench': ['src/journal/uses-bench.ts', `import '../../bench/helper.js';\n`, 'src-uses-src-only'],
  'a fuzzer': ['src/journal/uses-fuzz.ts', `import '../../fuzz/helper.js';\n`, 'src-uses-src-only'],
  'a development dependency': ['src/journal/uses-dev.ts', `import 'fast-check';\n`, 'src-uses-runtime-dependencies'],
  'an undeclared package': ['src/journal/uses-none.ts', `import 'no-such-package';\n`, 'resolvable'],
  'the published package from within': ['src/journal/uses-self.ts', `import 'longhaul';\n`, 'src-uses-src-only'],
  'a file that is not there': ['src/journal/uses-gone.ts', `import './gone.js';\n`, 'resolvable'],
  'a room without a row': ['src/attic/file.ts', `import '../errors.js';\n`, 'room-unknown'],
  'an import from a room without a row': ['src/index.ts', `import './attic/file.js';\n`, 'room-unknown'],
  'a room from errors': [
    'src/errors.ts',
    `import type { A } from './engine/file.js';\nexport type E = A;\n`,
    'common-stands-alone',
  ],
  'a later part of the journal': ['src/journal/disk/up.ts', `import '../write/file.js';\n`, 'journal-disk'],
  'the face of the journal from a part': ['src/journal/repair/face.ts', `import '../file.js';\n`, 'journal-repair'],
  'an unknown part of the journal': ['src/journal/file-too.ts', `import './attic/file.js';\n`, 'journal-part-unknown'],
  'a circle': ['src/journal/one.ts', `import './two.js';\n`, 'no-circular'],
  'a circle of types': [
    'src/journal/type-one.ts',
    `import type { B } from './type-two.js';\nexport type A = B;\n`,
    'no-circular',
  ],
};

const fileOf = (room: string) => (room === 'index' ? 'src/index.ts' : `src/${room}/file.ts`);
const fileNamed = (room: string, name: string) => `src/${room}/${name.replaceAll(' ', '-')}.ts`;
const pathTo = (room: string) => fileOf(room).replace(/^src/, '..').replace(/ts$/, 'js');
const PACKAGE = {
  name: 'longhaul',
  type: 'module',
  exports: { '.': './dist/src/index.js' },
  dependencies: { 'xxhash-wasm': '1.0.0' },
  devDependencies: { 'fast-check': '1.0.0' },
};
const project = resolve(import.meta.dirname, '../..');
const tree = mkdtempSync(join(tmpdir(), 'longhaul-layers-'));
/** `file → rule`, everything the cruiser refused in the planted tree. */
let refused: Set<string>;

function plant(file: string, text: string): void {
  mkdirSync(dirname(join(tree, file)), { recursive: true });
  writeFileSync(join(tree, file), text);
}

beforeAll(() => {
  plant('package.json', JSON.stringify(PACKAGE));
  plant('tsconfig.json', JSON.stringify({ compilerOptions: { module: 'NodeNext', target: 'ES2023' } }));
  for (const name of ['fast-check', 'xxhash-wasm']) {
    plant(`node_modules/${name}/package.json`, JSON.stringify({ name, version: '1.0.0', main: 'index.js' }));
    plant(`node_modules/${name}/index.js`, 'export const a = 1;\n');
  }
  for (const file of [
    'src/options.ts',
    'dist/src/index.js',
    'bench/helper.ts',
    'fuzz/helper.ts',
    ...ROOMS.map(fileOf),
    ...['disk', 'write', 'attic'].map((part) => `src/journal/${part}/file.ts`),
    'src/journal/arguments.ts',
  ]) {
    plant(file, 'export const a = 1;\nexport type A = number;\n');
  }
  plant(
    'test/helper.ts',
    `import fc from 'fast-check';\nimport { a } from '../src/journal/file.js';\nexport { a, fc };\n`,
  );
  plant('src/journal/two.ts', `import './one.js';\n`);
  plant('src/journal/type-two.ts', `import type { A } from './type-one.js';\nexport type B = A;\n`);
  for (const [file, text] of Object.values(OTHER_REFUSED)) plant(file, text);
  for (const [style, code] of Object.entries(STYLES)) plant(fileNamed('engine', style), code('../journal/file.js'));
  for (const room of Object.keys(MAY_USE)) {
    for (const other of ROOMS) plant(fileNamed(room, `to ${other}`), `import '${pathTo(other)}';\n`);
  }
  plant(
    'src/cli/allowed.ts',
    `import 'node:fs';\nimport 'xxhash-wasm';\nimport '../errors.js';\nimport '../options.js';\n`,
  );
  plant('src/journal/write/down.ts', `import '../disk/file.js';\nimport './file.js';\n`);
  plant('src/journal/repair/arguments.ts', `import '../arguments.js';\nimport '../write/file.js';\n`);
  refused = cruise();
});

afterAll(() => rmSync(tree, { recursive: true, force: true }));

function cruise(): Set<string> {
  const cli = join(project, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs');
  const config = join(project, '.dependency-cruiser.cjs');
  const { stdout, stderr } = spawnSync(
    process.execPath,
    [cli, '--config', config, '--output-type', 'json', 'src', 'test', 'bench', 'fuzz'],
    { cwd: tree, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 },
  );
  expect(stderr).toBe('');
  const { summary } = JSON.parse(stdout) as { summary: { violations: { from: string; rule: { name: string } }[] } };
  return new Set(summary.violations.map(({ from, rule }) => `${from} → ${rule.name}`));
}

const refusalsOf = (file: string) => [...refused].filter((entry) => entry.startsWith(`${file} → `));

test.each(Object.keys(STYLES))('a forbidden import is refused: %s', (style) => {
  const file = fileNamed('engine', style);
  expect(refusalsOf(file)).toEqual([`${file} → room-engine`]);
});

test.each(Object.keys(MAY_USE))('%s may import the rooms of its row and no other', (room) => {
  const allowed = ROOMS.filter((other) => !refused.has(`${fileNamed(room, `to ${other}`)} → room-${room}`));
  expect(allowed.sort()).toEqual([room, ...(MAY_USE[room] ?? [])].sort());
});

test.each(Object.entries(OTHER_REFUSED))('refused: %s', (_, [file, , rule]) => {
  expect(refused).toContain(`${file} → ${rule}`);
});

test('what every room may use passes: node itself, run-time dependencies, errors and options', () => {
  expect(refusalsOf('src/cli/allowed.ts')).toEqual([]);
  expect(refusalsOf('test/helper.ts')).toEqual([]);
});

test('parts of the journal may import those before them, and repair the arguments', () => {
  expect(refusalsOf('src/journal/write/down.ts')).toEqual([]);
  expect(refusalsOf('src/journal/repair/arguments.ts')).toEqual([]);
});
