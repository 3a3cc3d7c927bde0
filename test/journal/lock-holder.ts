import { DirectoryLock } from '../../src/journal/journal.js';

/** Takes the lock of a directory and says so; leaves without a word when its input ends, as if it had crashed. */

const [dir = ''] = process.argv.slice(2);
try {
  await DirectoryLock.take(dir);
  process.stdout.write('held\n');
  process.stdin.resume().on('end', () => process.exit(1));
} catch (error) {
  process.stdout.write(`${(error as { code?: string }).code}\n`);
}
