import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Platform, packageNameOf } from '../src/engine/platform-package.js';
import { writeJson } from './main-package.js';
import { napiManifest, readManifest } from './manifest.js';
import { notices } from './notices.js';
import { npm } from './npm.js';

/** Pinned here and in no lock, because the release alone uses it. */
const NAPI_CLI = '@napi-rs/cli@3.10.12';

/**
 * Makes the package of each platform from its addon, in a directory of its own, which is where `@napi-rs/cli` also
 * leaves what it works with. Returns the packages' directories.
 */
export async function makePlatformPackages(
  root: string,
  workspace: string,
  artifactsDir: string,
  platforms: readonly Platform[],
): Promise<string[]> {
  mkdirSync(workspace, { recursive: true });
  writeJson(join(workspace, 'package.json'), napiManifest(readManifest(root), platforms));
  const napi = (...args: string[]): Promise<unknown> =>
    npm(['exec', '--yes', `--package=${NAPI_CLI}`, '--', 'napi', ...args, '--cwd', workspace], { cwd: root });
  await napi('create-npm-dirs');
  await napi('artifacts', '--output-dir', artifactsDir);
  await napi('version');
  const dirs = platforms.map((platform) => join(workspace, 'npm', platform));
  for (const [index, dir] of dirs.entries()) {
    writeFileSync(join(dir, 'README.md'), readme(platforms[index] as Platform));
    writeFileSync(join(dir, 'LICENSE'), notices(root));
  }
  await napi('pre-publish', '--dry-run', '--no-gh-release');
  return dirs;
}

function readme(platform: Platform): string {
  return [
    `# ${packageNameOf(platform)}`,
    '',
    `The native engine of \`longhaul\`, compiled for ${platform}. npm installs it where it fits, as an optional dependency`,
    'of `longhaul`, which does the same more slowly without it. There is nothing else in it to use.',
    '',
  ].join('\n');
}
