import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Platform, packageNameOf } from '../src/engine/platform-package.js';

/** The `package.json` of the checkout, and what becomes of it in packages. */
export interface Manifest {
  name: string;
  version: string;
  license: string;
  dependencies: Record<string, string>;
  napi: { binaryName: string; packageName: string; targets: string[] };
  [more: string]: unknown;
}

/** The names that compilers have for the platforms, and `@napi-rs/cli` with them. */
export const TARGETS: Record<Platform, string> = {
  'linux-x64-gnu': 'x86_64-unknown-linux-gnu',
  'linux-x64-musl': 'x86_64-unknown-linux-musl',
  'linux-arm64-gnu': 'aarch64-unknown-linux-gnu',
  'linux-arm64-musl': 'aarch64-unknown-linux-musl',
  'darwin-x64': 'x86_64-apple-darwin',
  'darwin-arm64': 'aarch64-apple-darwin',
};

/** What only a checkout needs. */
const OF_THE_CHECKOUT = ['gypfile', 'napi', 'scripts', 'devDependencies', 'overrides'];

export function readManifest(root: string): Manifest {
  return JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest;
}

/**
 * The manifest that is published. It names the packages that are released with it and no others: a name that nobody has
 * published yet could be published by anybody.
 */
export function publishedManifest(manifest: Manifest, platforms: readonly Platform[]): Record<string, unknown> {
  const kept = Object.entries(manifest).filter(([field]) => !OF_THE_CHECKOUT.includes(field));
  const natives = platforms.map((platform) => [packageNameOf(platform), manifest.version] as const);
  return { ...Object.fromEntries(kept), optionalDependencies: Object.fromEntries(natives) };
}

/** The manifest that `@napi-rs/cli` works with: it wants an addon for every target it is told of. */
export function napiManifest(manifest: Manifest, platforms: readonly Platform[]): Manifest {
  return { ...manifest, napi: { ...manifest.napi, targets: platforms.map((platform) => TARGETS[platform]) } };
}
