import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { ownPackageDirectory } from '../src/engine/own-package.js';
import { addonFileOf, ownPlatform } from '../src/engine/platform-package.js';
import { Consumer } from './consumer.js';
import { Registry } from './registry.js';

/**
 * `npm run release:prove`: installs the packed packages as a consumer would, into empty folders and with no compiler on
 * the path, and runs the README's program there. The packages of platforms come from a registry on loopback, everything
 * that they depend on from where npm usually has it.
 */

const EXAMPLE = '1: hello\n';
const COMPILERS = ['cc', 'c++', 'gcc', 'g++', 'clang', 'make', 'python3'];
const NATIVE = `native-${ownPlatform()}`;

const { values } = parseArgs({
  options: {
    /** Where `npm run release:prebuilds` has left the packages. */
    packages: { type: 'string', default: join(ownPackageDirectory(), 'build', 'packages') },
  },
});
const tarballs = readdirSync(resolve(values.packages))
  .filter((name) => name.endsWith('.tgz'))
  .map((name) => resolve(values.packages, name));
const main = tarballs.find((path) => /longhaul-\d[^/\\]*$/.test(path));
assert(main !== undefined, `no package of longhaul lies in ${values.packages}`);
const platforms = tarballs.filter((path) => path !== main);

/** Lets a consumer try something, with a registry that has these packages. */
async function proof(what: string, published: string[], steps: (consumer: Consumer) => Promise<string>): Promise<void> {
  const registry = await Registry.open(published);
  const consumer = new Consumer();
  consumer.useRegistry(registry.url);
  try {
    console.log(`${what}: ${await steps(consumer)}`);
  } finally {
    consumer.remove();
    await registry.close();
  }
}

/** The README's program does there what it says. */
async function runsExample(consumer: Consumer): Promise<void> {
  assert.deepEqual(await consumer.example(), { stdout: EXAMPLE, stderr: '' });
}

async function isNative(consumer: Consumer): Promise<string> {
  assert.deepEqual(consumer.natives(), [NATIVE]);
  await runsExample(consumer);
  const { name, library = '', reason } = await consumer.engine();
  assert.deepEqual({ name, reason }, { name: 'native', reason: undefined });
  assert(library.endsWith(join('node_modules', '@longhaul', NATIVE, addonFileOf(ownPlatform()))), library);
  return `${name}, ${library}`;
}

async function isPortable(consumer: Consumer): Promise<string> {
  assert.deepEqual(consumer.natives(), []);
  await runsExample(consumer);
  const { name, reason = '' } = await consumer.engine();
  assert.equal(name, 'portable');
  assert.match(reason, new RegExp(`@longhaul/${NATIVE} is not installed`));
  return `${name}, ${reason}`;
}

await proof('no compiler', [], async (consumer) => {
  const there = COMPILERS.filter((command) => consumer.finds(command));
  assert.deepEqual(there, []);
  return `none of ${COMPILERS.join(', ')} is on the path`;
});

await proof('npm install, and the command', platforms, async (consumer) => {
  await consumer.npm('install', main);
  const { stdout } = await consumer.node([join('node_modules', '.bin', 'longhaul'), '--version']);
  assert.match(stdout, /^longhaul \d/);
  return isNative(consumer);
});

await proof('npm ci from the lock of that', platforms, async (consumer) => {
  await consumer.npm('install', main);
  await consumer.npm('ci');
  return isNative(consumer);
});

await proof('npm install --omit=optional', platforms, async (consumer) => {
  await consumer.npm('install', '--omit=optional', main);
  return isPortable(consumer);
});

await proof('npm install, and nobody has published the package of the platform', [], async (consumer) => {
  await consumer.npm('install', main);
  return isPortable(consumer);
});
