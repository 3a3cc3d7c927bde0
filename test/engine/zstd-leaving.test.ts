import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { zstdHere } from './zstd-data.js';

/** What breaks addons: processes and threads that end, and memory that goes, while the codec is at work. */

/** As compiled: it starts threads of itself. `npm test` builds first. */
const program = fileURLToPath(new URL('../../dist/test/engine/zstd-leaving.js', import.meta.url));

function leave(scenario: string) {
  return spawnSync(process.execPath, ['--expose-gc', program, scenario], {
    encoding: 'utf8',
    timeout: 60_000,
    env: { ...process.env, LONGHAUL_ENGINE: 'native' },
  });
}

const cases: [scenario: string, status: number, line: string][] = [
  ['at once', 7, ''],
  ['a turn later', 7, ''],
  ['when the first is done', 7, ''],
  ['while it opens', 7, ''],
  ['in the middle of an hour', 7, ''],
  ['by an exception', 1, ''],
  ['by itself', 0, 'all compressed\n'],
  ['idle', 0, 'nothing keeps it\n'],
  ['collected', 0, 'all compressed\n'],
  ['never closed', 0, 'all freed\n'],
  ['closed and gone', 0, 'still here\n'],
  ['terminated threads', 0, 'all compressed\n'],
  ['threads that exit', 0, 'all left\n'],
  ['with threads', 7, ''],
  ['ten thousand calls', 0, 'no larger\n'],
];

test.skipIf(!zstdHere).each(cases)(
  '%s, it ends in order',
  (scenario, status, stdout) => {
    expect(leave(scenario)).toMatchObject({ status, signal: null, stdout });
  },
  70_000,
);
