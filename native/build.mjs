// Builds the addon when something it is made of has changed; `npm run build` calls this after the compiler.
//
// Without a compiler, Python or Node's headers it says so in one line and succeeds, because the portable engine serves
// then; LONGHAUL_REQUIRE_NATIVE=1 makes that a failure. What the tools said stays in build/native.log.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const ADDON = join('build', 'Release', 'longhaul.node');
const STAMP = join('build', 'native.inputs');
const LOG = join('build', 'native.log');
const HEADERS = join('include', 'node');
const SOURCES = /[.](cc|h|cjs)$/;
const PACKAGES = ['@c4312/blake3-native', 'node-addon-api', 'xxhash-addon', 'zstd-napi'];

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const require = createRequire(import.meta.url);

/** Everything that the addon is made of, as a digest, and what it is made for. */
function inputs() {
  const hash = createHash('sha256');
  const sources = readdirSync('native').filter((name) => SOURCES.test(name));
  for (const path of ['binding.gyp', ...sources.sort().map((name) => join('native', name))]) {
    hash.update(`${path}\0`).update(readFileSync(path));
  }
  for (const name of PACKAGES) hash.update(require(`${name}/package.json`).version);
  return `${hash.digest('hex')} ${process.version} ${process.platform} ${process.arch}\n`;
}

/** A directory with Node's headers, so that none have to be fetched: the one that npm names, or one of this release. */
function headers() {
  const named = process.env.npm_config_nodedir;
  if (named && existsSync(join(named, HEADERS, 'node_api.h'))) return named;
  const besideNode = resolve(dirname(process.execPath), '..');
  const places = [besideNode, process.config.variables.node_prefix, '/usr/local', '/usr'];
  const [release] = process.versions.node.split('.');
  return places.find((dir) => dir && majorOf(join(dir, HEADERS, 'node_version.h')) === release);
}

function majorOf(path) {
  return existsSync(path) ? /^#define NODE_MAJOR_VERSION (\d+)/m.exec(readFileSync(path, 'utf8'))?.[1] : undefined;
}

function build() {
  const command = [require.resolve('node-gyp/bin/node-gyp.js'), 'configure', 'build', '--jobs=max'];
  const nodedir = headers();
  if (nodedir !== undefined) command.push(`--nodedir=${nodedir}`);
  // `npm run --silent` would keep node-gyp from saying what is wrong.
  const env = { ...process.env, npm_config_loglevel: 'info' };
  const { status, stdout = '', stderr = '', error } = spawnSync(process.execPath, command, { encoding: 'utf8', env });
  const output = `${stdout}${stderr}${error ? `${error.message}\n` : ''}`;
  mkdirSync('build', { recursive: true });
  writeFileSync(LOG, output);
  return { built: status === 0 && existsSync(ADDON), output };
}

/** The line of the output that says most about what is missing. */
function reason(output) {
  const lines = output.split('\n');
  const telling = [/\berror: (.*)/, /make: (.*(?:No such file|not found).*)/, /gyp ERR! stack (?:Error: )?(.*)/];
  for (const pattern of telling) {
    const match = lines.map((line) => pattern.exec(line)).find((found) => found !== null);
    if (match) return match[1];
  }
  return 'node-gyp failed';
}

function main() {
  const wanted = inputs();
  if (existsSync(ADDON) && existsSync(STAMP) && readFileSync(STAMP, 'utf8') === wanted) return 0;
  // One of other sources must not be taken for this one.
  rmSync(ADDON, { force: true });
  const { built, output } = build();
  if (built) {
    writeFileSync(STAMP, wanted);
    return 0;
  }
  const required = process.env.LONGHAUL_REQUIRE_NATIVE === '1';
  if (required) console.error(output);
  console.error(`the native engine was not built, so the portable one serves: ${reason(output)} (${LOG} has it all)`);
  return required ? 1 : 0;
}

process.exitCode = main();
