import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { rounds, SEED } from '../support/seed.js';
import { newDirectory } from '../support/temp.js';

/** The kernels are free of Node, so they run alone, with a sanitizer that sees every byte read out of bounds. */

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = (name: string): string => dirname(createRequire(import.meta.url).resolve(`${name}/package.json`));
const xxhash = join(folder('xxhash-addon'), 'xxHash');
const blake3 = join(folder('@c4312/blake3-native'), 'c');
const compiler = process.env.CXX ?? 'g++';
const cCompiler = process.env.CC ?? 'gcc';
const ROUNDS = 3000;
const ZSTD_ROUNDS = 1000;
const FLAGS = ['-std=c++17', '-g', '-O1', '-Wall', '-Wextra', '-Werror', '-fsanitize=address,undefined'];

function compile(args: string[]): { status: number | null; stderr: string } {
  return spawnSync(compiler, [...FLAGS, '-fno-sanitize-recover=all', ...args], { cwd: root, encoding: 'utf8' });
}

/** BLAKE3 in plain C, so that the sanitizer sees what it reads and writes; its code has no part in what is tested. */
function compileLibrary(dir: string): string[] {
  const plain = ['SSE2', 'SSE41', 'AVX2', 'AVX512'].map((name) => `-DBLAKE3_NO_${name}`);
  return ['blake3', 'blake3_dispatch', 'blake3_portable'].map((name) => {
    const object = join(dir, `${name}.o`);
    const args = ['-x', 'c', '-O2', '-fsanitize=address', ...plain, '-DBLAKE3_USE_NEON=0'];
    const made = spawnSync(compiler, [...args, '-c', join(blake3, `${name}.c`), '-o', object], { encoding: 'utf8' });
    expect(made).toMatchObject({ status: 0 });
    return object;
  });
}

/** Why the kernels cannot be compiled with sanitizers here; undefined where they can. */
function missing(): string | undefined {
  if (process.platform !== 'linux') return `no sanitizers are tried on ${process.platform}`;
  const probe = join(newDirectory(), 'probe');
  const { status } = compile(['-x', 'c++', '-o', probe, '-include', 'cstddef', '/dev/null', '-shared', '-fPIC']);
  return status === 0 ? undefined : `${compiler} with AddressSanitizer is not here`;
}

test(`the kernels stand damage and noise under AddressSanitizer (seed ${SEED})`, (context) => {
  const reason = missing();
  if (reason !== undefined) {
    console.warn(`skipped: ${reason}`);
    context.skip(reason);
  }
  const dir = newDirectory();
  const program = join(dir, 'kernels');
  const sources = ['fuzz/native/kernels.cc', 'fuzz/native/content.cc'];
  const kernels = ['records', 'durable', 'delta', 'digest', 'gear'].map((name) => `native/${name}.cc`);
  const library = compileLibrary(dir);
  const args = ['-I', xxhash, '-I', blake3, '-o', program, ...sources, ...kernels, ...library];
  expect(compile(args)).toMatchObject({ status: 0, stderr: '' });
  const count = rounds(ROUNDS);
  const run = spawnSync(program, [String(SEED), String(count), join(dir, 'file')], { encoding: 'utf8' });
  expect(run).toMatchObject({ status: 0, stderr: '', stdout: `${count} rounds\n` });
}, 120_000);

/** The decoder's sources are looked at as ours are, the others only make its input: without the slower strategies. */
const SLOW_STRATEGIES = ['DFAST', 'GREEDY', 'LAZY', 'LAZY2', 'BTLAZY2', 'BTOPT', 'BTULTRA'];
const ZSTD_FLAGS = ['-O1', '-w', '-DZSTD_DISABLE_ASM', ...SLOW_STRATEGIES.map(exclude)];

function exclude(strategy: string): string {
  return `-DZSTD_EXCLUDE_${strategy}_BLOCK_COMPRESSOR`;
}

/** Compiles in a directory, beside other things; rejects with what the compiler said. */
async function compiled(dir: string, command: string, args: string[]): Promise<void> {
  const child = spawn(command, args, { cwd: dir, stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (data) => {
    said += data;
  });
  const [status] = await once(child, 'close');
  if (status !== 0 || said !== '') throw new Error(said);
}

test(`the codec stands damage and noise under AddressSanitizer (seed ${SEED})`, async (context) => {
  const reason = missing();
  if (reason !== undefined) {
    console.warn(`skipped: ${reason}`);
    context.skip(reason);
  }
  const dir = newDirectory();
  const list = (...args: string[]): string[] =>
    execFileSync(process.execPath, ['native/zstd_sources.cjs', ...args], { cwd: root, encoding: 'utf8' })
      .trim()
      .split('\n')
      .map((path) => join(root, path));
  const [headers = ''] = list('include');
  const library = list();
  const decoder = library.filter((path) => path.includes('/decompress/'));
  const others = library.filter((path) => !path.includes('/decompress/'));
  const ours = [
    'fuzz/native/zstd.cc',
    ...['call', 'decoder', 'encoder', 'pieces'].map((name) => `native/zstd_${name}.cc`),
  ];
  await Promise.all([
    compiled(dir, cCompiler, [...ZSTD_FLAGS, '-g', '-fsanitize=address', '-c', ...decoder]),
    compiled(dir, cCompiler, [...ZSTD_FLAGS, '-c', ...others]),
    compiled(dir, compiler, [
      ...FLAGS,
      '-fno-sanitize-recover=all',
      '-I',
      headers,
      '-c',
      ...ours.map((path) => join(root, path)),
    ]),
  ]);
  const program = join(dir, 'zstd');
  const objects = [...library, ...ours].map((path) => join(dir, basename(path).replace(/[.]cc?$/, '.o')));
  expect(compile(['-o', program, ...objects])).toMatchObject({ status: 0, stderr: '' });
  const count = rounds(ZSTD_ROUNDS);
  const run = spawnSync(program, [String(SEED), String(count)], { encoding: 'utf8' });
  expect(run).toMatchObject({ status: 0, stderr: '', stdout: `${count} rounds\n` });
}, 180_000);
