import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Compilers that the native targets can be built with. */

export interface Toolchain {
  name: 'clang' | 'gcc';
  c: string;
  cxx: string;
  version: string;
  /** Whether coverage steers what is tried next. Otherwise inputs are noise, and seeds with changes. */
  guided: boolean;
}

export interface Missing {
  missing: string;
}

const NEWEST_CLANG = 24;
const OLDEST_CLANG = 14;
const TARGET = 'extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }';
const PROGRAM = 'int main() {}';

/** The newest clang whose libFuzzer and sanitizers are there, under its plain name or with its version. */
export function findClang(): Toolchain | Missing {
  if (process.platform !== 'linux') return { missing: `clang is not tried on ${process.platform}` };
  const suffixes = Array.from({ length: NEWEST_CLANG - OLDEST_CLANG + 1 }, (_, back) => `-${NEWEST_CLANG - back}`);
  for (const suffix of ['', ...suffixes]) {
    const toolchain = { name: 'clang', c: `clang${suffix}`, cxx: `clang++${suffix}`, guided: true } as const;
    const version = versionOf(toolchain.cxx);
    if (version !== undefined && works(toolchain.cxx, '-fsanitize=fuzzer,address,undefined', TARGET)) {
      return { ...toolchain, version };
    }
  }
  return { missing: 'clang with libFuzzer and its sanitizers is not here' };
}

/** The compiler that builds the addon too, with sanitizers but without libFuzzer. */
export function findGcc(): Toolchain | Missing {
  if (process.platform !== 'linux') return { missing: `gcc is not tried on ${process.platform}` };
  const { CC: c = 'gcc', CXX: cxx = 'g++' } = process.env;
  const version = versionOf(cxx);
  if (version === undefined || !works(cxx, '-fsanitize=address,undefined', PROGRAM)) {
    return { missing: `${cxx} with AddressSanitizer is not here` };
  }
  return { name: 'gcc', c, cxx, version, guided: false };
}

function versionOf(compiler: string): string | undefined {
  const { status, stdout } = spawnSync(compiler, ['--version'], { encoding: 'utf8' });
  return status === 0 ? stdout.split('\n', 1)[0] : undefined;
}

/** Whether what it makes of a source also runs. */
function works(compiler: string, flag: string, source: string): boolean {
  const dir = mkdtempSync(join(tmpdir(), 'longhaul-'));
  const probe = join(dir, 'probe');
  try {
    const made = spawnSync(compiler, [flag, '-x', 'c++', '-', '-o', probe], { input: source, stdio: 'pipe' });
    return made.status === 0 && spawnSync(probe, ['-runs=1'], { stdio: 'ignore' }).status === 0;
  } finally {
    rmSync(dir, { recursive: true });
  }
}
