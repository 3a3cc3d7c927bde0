import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
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
const ROUNDS = 3000;
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
