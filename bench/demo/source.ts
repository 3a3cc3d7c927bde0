import { appendFile, chmod, cp, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** The directory that the demo replicates: a real package out of node_modules, then a real change to it. */

const require = createRequire(import.meta.url);
const packageFolder = (name: string): string => dirname(require.resolve(`${name}/package.json`));

export const PACKAGE = 'typescript';
export const PACKAGE_ON_TOP = '@types/node';

export async function makeSource(into: string): Promise<void> {
  await mkdir(into, { recursive: true });
  await cp(packageFolder(PACKAGE), into, { recursive: true, preserveTimestamps: true });
}

/** Another package on top, edits in small and large files, renames, deletions, other permissions. */
export async function changeSource(source: string): Promise<void> {
  const lib = join(source, 'lib');
  await cp(packageFolder(PACKAGE_ON_TOP), source, { recursive: true, preserveTimestamps: true });
  for (const name of ['typescript.js', 'lib.dom.d.ts', '_tsserver.js']) await editMiddle(join(lib, name));
  await appendFile(join(lib, 'typescript.d.ts'), '\n// One line at the end.\n');
  await rename(join(lib, 'lib.webworker.d.ts'), join(lib, 'lib.worker.d.ts'));
  await rename(join(lib, 'de'), join(lib, 'de-DE'));
  for (const name of ['ja', 'ko']) await rm(join(lib, name), { recursive: true });
  await rm(join(source, 'ThirdPartyNoticeText.txt'));
  await chmod(join(source, 'SECURITY.md'), 0o600);
}

/** Puts a line into the middle, so that everything behind it moves. */
async function editMiddle(path: string): Promise<void> {
  const text = await readFile(path, 'utf8');
  const at = text.indexOf('\n', text.length / 2) + 1;
  await writeFile(path, `${text.slice(0, at)}// One more line in the middle.\n${text.slice(at)}`);
}
