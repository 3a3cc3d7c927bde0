import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { artifactsIn, collectOwn, requirementsOf } from '../../release/artifacts.js';
import { packedFiles } from '../../release/main-package.js';
import { napiManifest, publishedManifest, readManifest, TARGETS } from '../../release/manifest.js';
import { notices } from '../../release/notices.js';
import { addonFileOf, ownPlatform, PLATFORMS } from '../../src/engine/platform-package.js';
import { nativeBuilt } from '../engine/engines.js';
import { newDirectory } from '../support/temp.js';

/** What the release makes of the checkout. */

const root = fileURLToPath(new URL('../..', import.meta.url));
const manifest = readManifest(root);

test('the platforms are those of the manifest', () => {
  expect(Object.keys(TARGETS)).toEqual([...PLATFORMS]);
  expect(manifest.napi.targets).toEqual(Object.values(TARGETS));
  expect(napiManifest(manifest, ['darwin-x64']).napi.targets).toEqual(['x86_64-apple-darwin']);
});

test('the published manifest names the packages that are released with it, in this version, and no scripts', () => {
  const published = publishedManifest(manifest, ['linux-x64-gnu', 'darwin-arm64']);
  expect(published.optionalDependencies).toEqual({
    '@longhaul/native-linux-x64-gnu': manifest.version,
    '@longhaul/native-darwin-arm64': manifest.version,
  });
  expect(published.dependencies).toEqual(manifest.dependencies);
  for (const field of ['scripts', 'devDependencies', 'overrides', 'napi']) expect(published).not.toHaveProperty(field);
  // The checkout names none: `npm ci` would look for them before they are published.
  expect(manifest).not.toHaveProperty('optionalDependencies');
});

test('what is packed has the compiled library and the pages, and nothing to build', async () => {
  const files = await packedFiles(root);
  for (const file of ['README.md', 'LICENSE', 'dist/src/index.js', 'dist/src/index.d.ts', 'dist/src/cli/main.js'])
    expect(files).toContain(file);
  expect(files.filter((file) => !/^(dist\/src\/|docs\/|[A-Z]+([.]md)?$|package[.]json$)/.test(file))).toEqual([]);
});

test('the licences of what is compiled in go along', () => {
  const text = notices(root);
  for (const name of ['Apache License', 'zstd', 'xxHash', 'node-addon-api', 'BLAKE3']) expect(text).toContain(name);
  expect(text).toMatch(/Copyright \(C\) 2012-\d+ Yann Collet/);
  expect(text).not.toMatch(/^ \* *$/m);
});

/** A checkout whose addon was built from these sources. */
function checkout(sources: string): string {
  const dir = newDirectory();
  mkdirSync(join(dir, 'build'));
  writeFileSync(join(dir, 'build', 'native.inputs'), `${sources} v20.0.0 linux x64\n`);
  return dir;
}

test.skipIf(!nativeBuilt)('addons are taken from where they were collected, if they are of the same sources', () => {
  const [one, other, dir] = [checkout('aaaa'), checkout('bbbb'), newDirectory()];
  const own = collectOwn(one, join(dir, 'artifacts'));
  expect(own).toEqual({ platform: ownPlatform(), path: join(dir, 'artifacts', addonFileOf(ownPlatform())) });
  const foreign = PLATFORMS.find((platform) => platform !== ownPlatform()) ?? PLATFORMS[0];
  for (const end of ['', '.sources']) {
    copyFileSync(`${own.path}${end}`, join(dir, 'artifacts', `${addonFileOf(foreign)}${end}`));
  }
  const found = artifactsIn(one, join(dir, 'artifacts')).map(({ platform }) => platform);
  expect(found).toEqual(PLATFORMS.filter((platform) => [ownPlatform(), foreign].includes(platform)));
  expect(() => artifactsIn(other, join(dir, 'artifacts'))).toThrow(/was built from aaaa, and this checkout is bbbb/);
});

test('addons of nobody knows what, or for nobody knows what, are refused', () => {
  const [one, dir] = [checkout('aaaa'), newDirectory()];
  writeFileSync(join(dir, addonFileOf('linux-x64-gnu')), '');
  expect(() => artifactsIn(one, dir)).toThrow(/nobody knows what/);
  writeFileSync(join(dir, addonFileOf('plan9-x64')), '');
  expect(() => artifactsIn(one, dir)).toThrow(/plan9-x64.node is the addon of none of linux-x64-gnu/);
});

test('what an addon asks of the system is the highest of its kind', () => {
  const path = join(newDirectory(), 'addon');
  writeFileSync(path, 'GLIBC_2.9\0GLIBC_2.10\0GLIBC_2.2.5\0GLIBCXX_3.4\0GLIBCXX_3.4.21\0GLIBC_PRIVATE\0');
  expect(requirementsOf(path)).toEqual(['GLIBC 2.10', 'GLIBCXX 3.4.21']);
});

test('the page about releases names the scripts', () => {
  const page = readFileSync(join(root, 'docs', 'releasing.md'), 'utf8');
  for (const script of Object.keys(manifest.scripts as object)) {
    if (script.startsWith('release:')) expect(page).toContain(`npm run ${script}`);
  }
});
