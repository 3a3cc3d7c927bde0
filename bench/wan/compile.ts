import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { PROJECT } from '../kit/built.js';

/** The emulator, compiled when it is first needed and again when a source of it has changed. */

const COMPILER = process.env.CXX ?? 'g++';
const OPTIONS = ['-std=c++17', '-O2', '-Wall', '-Wextra', '-Werror', '-pthread'];
const SOURCES = join('bench', 'wan');
const TARGET = join('build', 'wan');

/** The program's path, or why there is none. */
export function compileLink(): { program: string } | { missing: string } {
  const sources = readdirSync(join(PROJECT, SOURCES)).filter((name) => /[.](cc|h)$/.test(name));
  const paths = sources.sort().map((name) => join(SOURCES, name));
  const hash = createHash('sha256').update([COMPILER, ...OPTIONS].join(' '));
  for (const path of paths) hash.update(`${path}\0`).update(readFileSync(join(PROJECT, path)));
  const program = join(PROJECT, TARGET, `link-${hash.digest('hex').slice(0, 16)}`);
  if (existsSync(program)) return { program };
  mkdirSync(join(PROJECT, TARGET), { recursive: true });
  // Two processes may compile it at the same time; each renames a whole program.
  const made = `${program}.${process.pid}`;
  const args = [...OPTIONS, '-o', made, ...paths.filter((path) => path.endsWith('.cc'))];
  const { status, stderr, error } = spawnSync(COMPILER, args, { cwd: PROJECT, encoding: 'utf8' });
  if (status !== 0) return { missing: `${COMPILER} did not compile it: ${error?.message ?? stderr.split('\n')[0]}` };
  renameSync(made, program);
  return { program };
}
