import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { CACHE as BENCH_CACHE } from '../kit/cache.js';

/** Releases of packages, fetched once with npm and kept beside what is built. */

const CACHE = join(BENCH_CACHE, 'packages');

/** The directory of a release, such as `typescript@5.4.5`; undefined where npm cannot fetch it. */
export function releaseOf(name: string): string | undefined {
  const dir = join(CACHE, name.replaceAll('/', '-'));
  if (existsSync(dir)) return dir;
  mkdirSync(CACHE, { recursive: true });
  const made = mkdtempSync(join(CACHE, 'fetching-'));
  try {
    const packed = spawnSync('npm', ['pack', '--silent', name], { cwd: made, encoding: 'utf8' });
    const file = packed.stdout.trim().split('\n').at(-1) ?? '';
    if (packed.status !== 0 || spawnSync('tar', ['xzf', file], { cwd: made }).status !== 0) return undefined;
    renameSync(join(made, 'package'), dir);
    return dir;
  } finally {
    rmSync(made, { recursive: true, force: true });
  }
}
