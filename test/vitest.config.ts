import { dirname, join, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const root = fileURLToPath(new URL('..', import.meta.url));
const COMPILED = ['src', 'bench', 'fuzz'].map((name) => join(root, name) + sep);
const isCompiled = (path: string): boolean => COMPILED.some((dir) => path.startsWith(dir));
/** They load modules anew, which only sources can be. */
const RESETS = ['test/engine/zstd-portable.test.ts', 'test/journal/lock.test.ts'].map((name) => join(root, name));

/**
 * Right after a build, tests take what it made: it is loaded in half the time, and it is what is released. Otherwise, as
 * when somebody asks vitest for one file, they take the sources as they are.
 */
const compiled = {
  name: 'compiled',
  enforce: 'pre' as const,
  resolveId(source: string, importer: string | undefined) {
    if (importer === undefined || RESETS.includes(importer) || isCompiled(importer)) return undefined;
    const path = resolve(dirname(importer), source);
    if (!source.startsWith('.') || !isCompiled(path)) return undefined;
    return { id: join(root, 'dist', path.slice(root.length)), external: true };
  },
};

export default defineConfig({
  root,
  plugins: process.env.LONGHAUL_BUILT === '1' ? [compiled] : [],
  test: {
    include: ['test/**/*.test.ts'],
    server: { deps: { external: [/[/]dist[/]/] } },
    setupFiles: ['test/support/spoil-bodies.ts', 'test/support/equal-bytes.ts'],
    // Forks, not threads: tests start child processes, change signals and measure their own event loop.
    pool: 'forks',
    // Buffers come and go by the thousand, and each few start a marking that in small steps costs twice what it does at once.
    execArgv: ['--no-incremental-marking'],
    // As many as there are processors; by default one of two would be idle.
    maxWorkers: '100%',
    testTimeout: 30_000,
    hookTimeout: 30_000,
    teardownTimeout: 10_000,
  },
});
