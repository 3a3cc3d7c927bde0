import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { loadEngine, ownAddonPath } from '../src/engine/load.js';
import { ownPackageDirectory } from '../src/engine/own-package.js';
import { artifactsIn, collectOwn, requirementsOf } from './artifacts.js';
import { layOutMainPackage } from './main-package.js';
import { npmPack } from './npm.js';
import { makePlatformPackages } from './platform-packages.js';

/** `npm run release:prebuilds`: from addons to packages that can be published. Nothing is; docs/releasing.md says how. */

const root = ownPackageDirectory();
const { values } = parseArgs({
  options: {
    /** Where the addons of other platforms lie, and this one's goes. */
    artifacts: { type: 'string', default: join(root, 'build', 'artifacts') },
    /** Where the packages go. */
    out: { type: 'string', default: join(root, 'build', 'packages') },
    /** End when this platform's addon is in the folder. */
    collect: { type: 'boolean', default: false },
  },
});

const artifactsDir = resolve(values.artifacts);
build();
const own = collectOwn(root, artifactsDir);
console.log(`${own.path} (${requirementsOf(own.path).join(', ')})`);
if (!values.collect) await packAll(resolve(values.out));

/** Without the addon there is nothing to release. */
function build(): void {
  const env = { ...process.env, LONGHAUL_REQUIRE_NATIVE: '1' };
  const { status } = spawnSync(process.execPath, [join(root, 'native', 'build.mjs')], { stdio: 'inherit', env });
  if (status !== 0) throw new Error('the addon was not built');
  const { library } = loadEngine('native');
  if (library !== ownAddonPath()) throw new Error(`the addon that was built does not load; ${library} does`);
}

async function packAll(out: string): Promise<void> {
  const artifacts = artifactsIn(root, artifactsDir);
  const platforms = artifacts.map(({ platform }) => platform);
  const stage = mkdtempSync(join(tmpdir(), 'longhaul-release-'));
  try {
    const main = join(stage, 'longhaul');
    await layOutMainPackage(root, main, platforms);
    const dirs = await makePlatformPackages(root, join(stage, 'napi'), artifactsDir, platforms);
    mkdirSync(out, { recursive: true });
    for (const old of readdirSync(out)) if (old.endsWith('.tgz')) rmSync(join(out, old));
    for (const dir of [...dirs, main]) {
      const { filename } = await npmPack(dir, '--pack-destination', out);
      console.log(`${join(out, filename)} (${statSync(join(out, filename)).size} bytes)`);
    }
  } finally {
    rmSync(stage, { recursive: true, force: true });
  }
}
