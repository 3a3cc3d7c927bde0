// `npm test`: every check in one command, cheapest first; the first stage that fails is the last one that runs.
// The last line of the output is `N passed, N failed`: each test of vitest counts as one, and so does each other stage.
// Arguments go to vitest (`npm test -- test/journal`). Plain JavaScript because the compiler itself is the first stage.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const reports = mkdtempSync(join(tmpdir(), 'longhaul-test-'));
const report = join(reports, 'vitest.json');
const total = { passed: 0, failed: 0, skipped: 0 };

/** Runs a command of node_modules/.bin or npm, with its output going straight through; true when it succeeded. */
function run(command, args) {
  const { status, error } = spawnSync(command, args, {
    stdio: ['ignore', 'inherit', 'inherit'],
    shell: process.platform === 'win32',
  });
  if (error) console.error(`cannot run ${command}: ${error.message}`);
  return status === 0;
}

function script(name) {
  console.log(`\n== ${name}`);
  const passed = run('npm', ['run', '--silent', name]);
  total[passed ? 'passed' : 'failed'] += 1;
  return passed;
}

function vitest() {
  console.log('\n== vitest');
  const args = ['run', '--config', 'test/vitest.config.ts', '--reporter=default', '--reporter=json'];
  const succeeded = run('vitest', [...args, `--outputFile.json=${report}`, ...process.argv.slice(2)]);
  try {
    const result = JSON.parse(readFileSync(report, 'utf8'));
    total.passed += result.numPassedTests;
    total.failed += result.numFailedTests;
    total.skipped += result.numPendingTests + result.numTodoTests;
  } catch (error) {
    console.error(`vitest left no report: ${error.message}`);
  }
  // A file that does not load, an error outside any test and a missing report fail the run without a failed test.
  if (!succeeded && total.failed === 0) total.failed += 1;
}

// npm puts node_modules/.bin on the path of a script; a direct `node test/run.mjs` has to do it itself.
process.chdir(fileURLToPath(new URL('..', import.meta.url)));
process.env.PATH = join(process.cwd(), 'node_modules', '.bin') + delimiter + process.env.PATH;
process.env.LONGHAUL_BUILT = '1';
try {
  if (script('build') && script('lint') && script('layers')) vitest();
} finally {
  rmSync(reports, { recursive: true, force: true });
}
if (total.skipped > 0) console.log(`${total.skipped} skipped`);
process.exitCode = total.failed === 0 ? 0 : 1;
console.log(`${total.passed} passed, ${total.failed} failed`);
