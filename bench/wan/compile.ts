import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PROJECT } from '../kit/built.js';

/** The emulator, compiled when it is first needed and again when a source of it has changed. */

const COMPILER = process.env.CXX ?? 'g++';
const OPTIONS = ['-std=c++17', '-O2', '-Wall', '-Wextra', '-Werror', '-pthread'];
const SOURCES = join('bench', 'wan');
const TARGET = join(PROJECT, 'build', 'wan');
const PROGRAM = join(TARGET, 'link');
/** Of what the program was made. */
const STAMP = join(TARGET, 'link.inputs');

/** The program's path, or why there is none. */
export function compileLink(): { program: string } | { missing: string } {
  const sources = readdirSync(join(PROJECT, SOURCES)).filter((name) => /[.](cc|h)$/.test(name));
  const paths = sources.sort().map((name) => join(SOURCES, name));
  const hash = createHash('sha256').update([COMPILER, ...OPTIONS].join(' '));
  for (const path of paths) hash.update(`${path}\0`).update(readFileSync(join(PROJECT, path)));
  const wanted = hash.digest('hex');
  if (existsSync(PROGRAM) && existsSync(STAMP) && readFileSync(STAMP, 'utf8') === wanted) return { program: PROGRAM };
  mkdirSync(TARGET, { recursive: true });
  // Two processes may compile it at the same time; each puts a whole program in its place.
  const made = `${PROGRAM}.${process.pid}`;
  const args = [...OPTIONS, '-o', made, ...paths.filter((path) => path.endsWith('.cc'))];
  const { status, stderr, error } = spawnSync(COMPILER, args, { cwd: PROJECT, encoding: 'utf8' });
  if (status !== 0) return { missing: `${COMPILER} did not compile it: ${error?.message ?? stderr.split('\n')[0]}` };
  renameSync(made, PROGRAM);
  writeFileSync(STAMP, wanted);
  return { program: PROGRAM };
}
