import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The package that this code belongs to, a checkout or an installation. */

/** Its directory, wherever in it this file lies. */
export function ownPackageDirectory(): string {
  let dir = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(dir, 'package.json')) && dir !== dirname(dir)) dir = dirname(dir);
  return dir;
}

/** The version in a `package.json`. */
export function versionIn(path: string): string {
  return String((JSON.parse(readFileSync(path, 'utf8')) as { version?: unknown }).version);
}
