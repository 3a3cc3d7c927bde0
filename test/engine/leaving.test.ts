import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { newDirectory } from '../support/temp.js';
import { nativeBuilt } from './engines.js';

/** What breaks addons: processes and threads that end, and memory that goes, while their work is under way. */

/** As compiled: it starts threads of itself. `npm test` builds first. */
const program = fileURLToPath(new URL('../../dist/test/engine/leaving.js', import.meta.url));

function leave(scenario: string, engine: string) {
  return spawnSync(process.execPath, ['--expose-gc', program, scenario, newDirectory()], {
    encoding: 'utf8',
    timeout: 25_000,
    env: { ...process.env, LONGHAUL_ENGINE: engine },
  });
}

const cases: [scenario: string, status: number, line: string][] = [
  ['at once', 7, ''],
  ['a turn later', 7, ''],
  ['when the first is done', 7, ''],
  ['by an exception', 1, ''],
  ['by itself', 0, 'all written\n'],
  ['idle', 0, 'nothing keeps it\n'],
  ['collected', 0, 'all written\n'],
  ['given away', 0, 'still here\n'],
  ['closed meanwhile', 0, 'still here\n'],
  ['terminated threads', 0, 'all written\n'],
  ['threads that exit', 0, 'all left\n'],
  ['with threads', 7, ''],
];

test.skipIf(!nativeBuilt).each(cases)('native: %s, it ends in order', (scenario, status, stdout) => {
  expect(leave(scenario, 'native')).toMatchObject({ status, signal: null, stdout });
});
