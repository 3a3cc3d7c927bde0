import { execFileSync } from 'node:child_process';
import { createHash, type Hash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { ownPackageDirectory } from '../src/engine/own-package.js';
import type { NativeTarget } from './native-target.js';
import type { Toolchain } from './toolchain.js';

/** The sources that native targets are made of, each with the flags that it is compiled with. */

export interface Unit {
  /** Tells it from all others, and from itself with other content or flags. */
  id: string;
  compiler: string;
  args: string[];
}

export const root = ownPackageDirectory();
const require = createRequire(import.meta.url);
const folder = (name: string): string => dirname(require.resolve(`${name}/package.json`));
const xxhash = join(folder('xxhash-addon'), 'xxHash');
const blake3 = join(folder('@c4312/blake3-native'), 'c');
const PACKAGES = ['@c4312/blake3-native', 'xxhash-addon', 'zstd-napi'];

const SANITIZERS = ['-fsanitize=address,undefined', '-fno-sanitize-recover=all'];
const OWN = ['-std=c++17', '-g', '-O1', '-Wall', '-Wextra', '-Werror'];
// With line numbers alone, and without its second copy for newer processors, it compiles in half the time.
const ZSTD = ['-w', '-g1', '-DZSTD_DISABLE_ASM', '-DDYNAMIC_BMI2=0'];
// zstd computes addresses for prefetching that it does not read from, and says so.
const ZSTD_DECODER = ['-O1', '-fno-sanitize=pointer-overflow'];
// Encoders only make what decoders are fed with: nothing looks on, and the slower strategies are left out.
const SLOW_STRATEGIES = ['DFAST', 'GREEDY', 'LAZY', 'LAZY2', 'BTLAZY2', 'BTOPT', 'BTULTRA'];
const ZSTD_ENCODER = ['-O1', ...SLOW_STRATEGIES.map((name) => `-DZSTD_EXCLUDE_${name}_BLOCK_COMPRESSOR`)];
// In plain C, so that what it reads and writes is seen; its code has no part in what is tested.
const SIMD = ['SSE2', 'SSE41', 'AVX2', 'AVX512'].map((name) => `-DBLAKE3_NO_${name}`);
const BLAKE3 = ['-O2', '-fsanitize=address', ...SIMD, '-DBLAKE3_USE_NEON=0'];

/** What the linker is told, besides the objects. */
export function linkFlags(toolchain: Toolchain): string[] {
  return toolchain.guided ? [...SANITIZERS, '-fsanitize=fuzzer'] : SANITIZERS;
}

export function unitsOf(toolchain: Toolchain, target: NativeTarget): Unit[] {
  const watched = [...SANITIZERS, ...(toolchain.guided ? coverageOf(target) : [])];
  const { decoder, encoder } = zstdSources();
  const own = [
    ...target.sources.map((name) => `fuzz/native/${name}.cc`),
    ...target.kernels.map((name) => `native/${name}.cc`),
  ];
  const units = own.map((path) => ownUnit(toolchain, path, watched));
  // Without sanitizers, which have it compile for longer than all the rest. What it shares with the target is inline, and
  // the linker takes the first that it meets.
  if (!toolchain.guided) units.push(ownUnit(toolchain, 'fuzz/native/standalone.cc', []));
  if (target.libraries.includes('blake3')) {
    const sources = ['blake3', 'blake3_dispatch', 'blake3_portable'].map((name) => join(blake3, `${name}.c`));
    units.push(...sources.map((path) => libraryUnit(toolchain, path, BLAKE3)));
  }
  if (target.libraries.includes('zstd')) {
    units.push(...decoder.map((path) => libraryUnit(toolchain, path, [...ZSTD, ...watched, ...ZSTD_DECODER])));
    units.push(...encoder.map((path) => libraryUnit(toolchain, path, [...ZSTD, ...ZSTD_ENCODER])));
  }
  return units;
}

/** libFuzzer takes the numbers that are compared into its inputs, where that is any use. */
function coverageOf({ hot }: NativeTarget): string[] {
  return ['-fsanitize=fuzzer-no-link', ...(hot === true ? ['-fno-sanitize-coverage=trace-cmp'] : [])];
}

function ownUnit(toolchain: Toolchain, path: string, watched: string[]): Unit {
  const flags = [...OWN, ...watched, ...[xxhash, blake3, zstdSources().headers].flatMap((dir) => ['-I', dir])];
  const hash = ownHeaders().update(readFileSync(join(root, path)));
  return unit(toolchain, toolchain.cxx, path.replace('/', '-'), path, flags, hash);
}

function libraryUnit(toolchain: Toolchain, path: string, flags: string[]): Unit {
  return unit(toolchain, toolchain.c, basename(path), path, flags, packageVersions());
}

function unit(toolchain: Toolchain, compiler: string, name: string, path: string, flags: string[], hash: Hash): Unit {
  const args = [...flags, '-c', path];
  const digest = hash.update(JSON.stringify([toolchain.version, compiler, args])).digest('hex');
  return { id: `${name.replaceAll('/', '-')}.${digest.slice(0, 16)}`, compiler, args };
}

function packageVersions(): Hash {
  const hash = createHash('sha256');
  for (const name of PACKAGES) hash.update(`${name} ${require(`${name}/package.json`).version}\n`);
  return hash;
}

function ownHeaders(): Hash {
  const hash = packageVersions();
  for (const dir of ['native', 'fuzz/native']) {
    const headers = readdirSync(join(root, dir)).filter((name) => name.endsWith('.h'));
    for (const name of headers.sort()) hash.update(`${dir}/${name}\0`).update(readFileSync(join(root, dir, name)));
  }
  return hash;
}

interface ZstdSources {
  headers: string;
  /** With what it shares with the encoder: most of that reads input too. */
  decoder: string[];
  encoder: string[];
}

let listed: ZstdSources | undefined;

function zstdSources(): ZstdSources {
  listed ??= listZstd();
  return listed;
}

function listZstd(): ZstdSources {
  const list = (...args: string[]): string[] =>
    execFileSync(process.execPath, ['native/zstd_sources.cjs', ...args], { cwd: root, encoding: 'utf8' })
      .trim()
      .split('\n');
  const all = list();
  const isEncoder = (path: string): boolean => path.includes('/compress/');
  return {
    headers: list('include').join(),
    decoder: all.filter((path) => !isEncoder(path)),
    encoder: all.filter(isEncoder),
  };
}
