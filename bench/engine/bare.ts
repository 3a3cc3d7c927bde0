import { type ChildProcessByStdio, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { PROJECT } from '../kit/built.js';

/** The kernels in a program of their own, from the same sources and as optimised as those of the addon. */

export const RIVAL = 'bare C';

const COMPILER = process.env.CXX ?? 'g++';
const KERNELS = ['gear', 'digest', 'delta', 'match'];
const PLAIN_C = ['blake3', 'blake3_dispatch', 'blake3_portable'];
const ASSEMBLY = ['sse2', 'sse41', 'avx2', 'avx512'].map((name) => `blake3_${name}_x86-64_unix.S`);

const folder = (name: string): string => dirname(createRequire(import.meta.url).resolve(`${name}/package.json`));

/** Compiles the program into `dir` and returns its path, or why there is none. */
export function compileBare(dir: string): { program: string } | { missing: string } {
  if (process.platform === 'win32') return { missing: 'no compiler is tried on Windows' };
  const blake3 = join(folder('@c4312/blake3-native'), 'c');
  const more = process.arch === 'x64' ? ASSEMBLY : process.arch === 'arm64' ? ['blake3_neon.c'] : [];
  const library = [...PLAIN_C.map((name) => `${name}.c`), ...more].map((name) => join(blake3, name));
  const objects = library.map((_, index) => join(dir, `library-${index}.o`));
  const program = join(dir, 'bare');
  const commands = library.map((source, index) => {
    const language = source.endsWith('.S') ? 'assembler-with-cpp' : 'c';
    return ['-O3', '-x', language, '-c', source, '-o', objects[index] as string];
  });
  const sources = [join('bench', 'engine', 'bare.cc'), ...KERNELS.map((name) => join('native', `${name}.cc`))];
  const includes = ['-I', blake3, '-I', join(folder('xxhash-addon'), 'xxHash')];
  commands.push(['-O3', '-std=c++17', ...includes, '-o', program, ...sources, ...objects]);
  for (const args of commands) {
    const { status, stderr, error } = spawnSync(COMPILER, args, { cwd: PROJECT, encoding: 'utf8' });
    if (status !== 0)
      return { missing: `${COMPILER} did not compile them: ${error?.message ?? stderr.split('\n')[0]}` };
  }
  return { program };
}

/** The running program, which makes a pass over the file whenever it is asked. */
export class Bare {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: AsyncIterator<string>;

  constructor(program: string, data: string, settings: string) {
    this.#child = spawn(program, [data, settings], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#lines = createInterface(this.#child.stdout)[Symbol.asyncIterator]();
  }

  /** Seconds of one pass of a kernel. */
  async secondsOf(kernel: string): Promise<number> {
    this.#child.stdin.write(`${kernel}\n`);
    const { value, done } = await this.#lines.next();
    if (done === true) throw new Error(`the program in C++ ended when asked for ${kernel}`);
    return Number(value);
  }

  async close(): Promise<void> {
    const { exitCode, signalCode } = this.#child;
    this.#child.stdin.end();
    if (exitCode === null && signalCode === null) await once(this.#child, 'close');
  }
}
