import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  root: fileURLToPath(new URL('..', import.meta.url)),
  test: {
    include: ['test/**/*.test.ts'],
    setupFiles: ['test/support/spoil-bodies.ts'],
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
