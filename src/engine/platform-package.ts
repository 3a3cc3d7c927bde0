import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { ownPackageDirectory, versionIn } from './own-package.js';

/** The package that brings the addon ready-made for a platform; npm installs the one that fits, as an optional dependency. */

/** The platforms that there can be one for, each as processor and C library make them differ. */
export const PLATFORMS = [
  'linux-x64-gnu',
  'linux-x64-musl',
  'linux-arm64-gnu',
  'linux-arm64-musl',
  'darwin-x64',
  'darwin-arm64',
] as const;

export type Platform = (typeof PLATFORMS)[number];

/** This platform's name, whether it is one of them or not. */
export function ownPlatform(): string {
  const { platform, arch } = process;
  return platform === 'linux' ? `${platform}-${arch}-${usesGlibc() ? 'gnu' : 'musl'}` : `${platform}-${arch}`;
}

export const packageNameOf = (platform: string): string => `@longhaul/native-${platform}`;

/** The addon's file in it. */
export const addonFileOf = (platform: string): string => `longhaul.${platform}.node`;

/**
 * Where this platform's package has the addon; undefined where the package is not installed. Raises an error when it is
 * of another version. `from` is a file of the package that depends on it.
 */
export function installedAddon(
  platform: string,
  from: string = join(ownPackageDirectory(), 'package.json'),
): string | undefined {
  const manifest = resolved(`${packageNameOf(platform)}/package.json`, from);
  if (manifest === undefined) return undefined;
  const [theirs, ours] = [versionIn(manifest), versionIn(from)];
  if (theirs !== ours) throw new Error(`${manifest} is of version ${theirs}, and longhaul of ${ours}`);
  return join(dirname(manifest), addonFileOf(platform));
}

function resolved(specifier: string, from: string): string | undefined {
  try {
    return createRequire(from).resolve(specifier);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'MODULE_NOT_FOUND') return undefined;
    throw error;
  }
}

/** Newer than the types that the compiler is given. */
type Report = NodeJS.ProcessReport & { excludeNetwork?: boolean };

/** Node's own report says which C library it runs on; one that has no glibc has musl. */
function usesGlibc(): boolean {
  const report: Report = process.report;
  // Names of peers would be looked up, which may take seconds in a process that has connections already.
  const { excludeNetwork } = report;
  report.excludeNetwork = true;
  try {
    const { header } = report.getReport() as { header?: { glibcVersionRuntime?: string } };
    return header?.glibcVersionRuntime !== undefined;
  } finally {
    report.excludeNetwork = excludeNetwork ?? false;
  }
}
