import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';

/** What the README shows is run as it is printed. */

const root = fileURLToPath(new URL('..', import.meta.url));
const readme = readFileSync(join(root, 'README.md'), 'utf8');
const FIRST_SCREEN_LINES = 40;
const folders: string[] = [];

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function blocks(language: string, text = readme): string[] {
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms'))].map(([, code = '']) => code);
}

/** A project that has installed the package. */
function project(): string {
  const folder = mkdtempSync(join(tmpdir(), 'longhaul-readme-'));
  folders.push(folder);
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(root, join(folder, 'node_modules', 'longhaul'), 'dir');
  return folder;
}

const EXPECTED = ['1: hello\n', '1 sent, 1 files agree: hello\n\n'];

test('every program in it has its output here', () => {
  expect(blocks('js')).toHaveLength(EXPECTED.length);
});

test.each(EXPECTED)('program %# prints %j and ends cleanly', (expected) => {
  const code = blocks('js')[EXPECTED.indexOf(expected)] ?? '';
  const folder = project();
  writeFileSync(join(folder, 'main.mjs'), code);
  const run = spawnSync(process.execPath, ['main.mjs'], { cwd: folder, encoding: 'utf8', timeout: 20_000 });
  expect(run).toMatchObject({ status: 0, stdout: expected, stderr: '' });
  expect(readdirSync(folder).sort()).toEqual(['main.mjs', 'node_modules']);
});

test('the first screen has the two commands and a program of about fifteen lines', () => {
  const screen = readme.split('\n').slice(0, FIRST_SCREEN_LINES).join('\n');
  expect(screen).toContain('npm ci && npm run demo');
  expect(screen).toContain('npm ci && npm test');
  const [program = ''] = blocks('js', screen);
  expect(program.split('\n').filter((line) => line !== '').length).toBeLessThanOrEqual(16);
});

test('every npm script it names exists', () => {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  const named = [...readme.matchAll(/npm (?:run ([a-z:]+)|(ci|test)\b)/g)].map(([, script, own = '']) => script ?? own);
  expect(named).toContain('demo');
  for (const name of named) if (name !== 'ci') expect(Object.keys(scripts)).toContain(name);
});

test('every page it links to exists', () => {
  const links = [...readme.matchAll(/\]\(([^)#]+)\)/g)].map(([, link = '']) => link);
  expect(links.length).toBeGreaterThan(0);
  for (const link of links) if (!/^https?:/.test(link)) expect(existsSync(join(root, link)), link).toBe(true);
});
