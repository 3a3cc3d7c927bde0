import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ownAddonPath } from '../src/engine/load.js';
import { addonFileOf, ownPlatform, PLATFORMS, type Platform } from '../src/engine/platform-package.js';

/**
 * Addons as they come from the machines that built them: a folder with `longhaul.PLATFORM.node` for each, and beside it,
 * with `.sources` behind the name, a digest of what it was built from.
 */
export interface Artifact {
  platform: Platform;
  path: string;
}

/** Puts the addon that was built here into the folder. */
export function collectOwn(root: string, dir: string): Artifact {
  const platform = ownPlatform();
  if (!isPlatform(platform)) throw new Error(`${platform} is none of ${PLATFORMS.join(', ')}`);
  mkdirSync(dir, { recursive: true });
  const path = join(dir, addonFileOf(platform));
  copyFileSync(ownAddonPath(), path);
  writeFileSync(`${path}.sources`, `${sourcesBuilt(root)}\n`);
  return { platform, path };
}

/** All that lie in the folder. Raises an error for one that is not of the sources of this checkout, as they were built. */
export function artifactsIn(root: string, dir: string): Artifact[] {
  const sources = sourcesBuilt(root);
  const files = readdirSync(dir).filter((name) => name.endsWith('.node'));
  const unknown = files.find((name) => !PLATFORMS.some((platform) => addonFileOf(platform) === name));
  if (unknown !== undefined) throw new Error(`${join(dir, unknown)} is the addon of none of ${PLATFORMS.join(', ')}`);
  return PLATFORMS.filter((platform) => files.includes(addonFileOf(platform))).map((platform) => {
    const path = join(dir, addonFileOf(platform));
    const theirs = existsSync(`${path}.sources`) ? readFileSync(`${path}.sources`, 'utf8').trim() : 'nobody knows what';
    if (theirs !== sources) throw new Error(`${path} was built from ${theirs}, and this checkout is ${sources}`);
    return { platform, path };
  });
}

/** The versions of the system's libraries that an addon for Linux asks for, the highest of each. */
export function requirementsOf(path: string): string[] {
  const highest = new Map<string, string>();
  for (const [, library = '', version = ''] of readFileSync(path, 'latin1').matchAll(
    /\b(GLIBC|GLIBCXX)_(\d+[\d.]*)\0/g,
  )) {
    const before = highest.get(library);
    if (before === undefined || before.localeCompare(version, 'en', { numeric: true }) < 0)
      highest.set(library, version);
  }
  return [...highest].map(([library, version]) => `${library} ${version}`).sort();
}

function isPlatform(name: string): name is Platform {
  return (PLATFORMS as readonly string[]).includes(name);
}

/** The build leaves it: the digest of all that the addon is made of comes first. */
function sourcesBuilt(root: string): string {
  const [sources = ''] = readFileSync(join(root, 'build', 'native.inputs'), 'utf8').split(' ');
  return sources;
}
