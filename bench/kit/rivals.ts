import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { PROJECT } from './built.js';

/** Packages that only comparisons need: they have a folder of their own and are installed on request. */

const FOLDER = join(PROJECT, 'bench', 'rivals');
export const INSTALL = 'npm run bench:rivals';

const require = createRequire(join(FOLDER, 'package.json'));

export interface RivalPackage {
  version: string;
  exports: unknown;
}

/** Undefined when it is not installed. One that is installed and does not load is an error. */
export function loadRival(name: string): RivalPackage | undefined {
  const manifest = join(FOLDER, 'node_modules', name, 'package.json');
  if (!existsSync(manifest)) return undefined;
  const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version: string };
  return { version, exports: require(name) };
}
