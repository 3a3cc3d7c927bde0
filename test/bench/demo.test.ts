import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { utimes, writeFile } from 'node:fs/promises';
import { afterEach, expect, test } from 'vitest';
import { type DemoOptions, ReplicaDiffersError, runDemo } from '../../bench/demo/demo.js';
import { passTable } from '../../bench/demo/table.js';
import { differences } from '../../bench/kit/tree.js';
import { Workspace } from '../../bench/kit/workspace.js';

const FAST: DemoOptions = { line: { rateBytesPerSecond: 200e6, delayMs: 0 }, ageMs: 0 };
const opened: Workspace[] = [];

afterEach(async () => {
  for (const work of opened.splice(0)) {
    await work.close();
    expect(existsSync(work.dir)).toBe(false);
  }
});

async function workspace(): Promise<Workspace> {
  const work = await Workspace.open('demo-test');
  opened.push(work);
  return work;
}

test('the demo ends with a table and the word that both trees are the same', async () => {
  const out: string[] = [];
  await runDemo(await workspace(), { out: (line) => out.push(line), say: () => {} }, FAST);
  expect(out.join('\n')).toMatch(/first copy +longhaul +\d+ /);
  expect(out.join('\n')).toMatch(/the change +longhaul +\d+ /);
  expect(out.join('\n')).toContain('The replica is the same as the source');
});

test('the demo fails when the replica is not the source', async () => {
  const work = await workspace();
  const spoil = (line: string): void => {
    if (line.startsWith('Comparing')) writeFileSync(work.at('longhaul-replica', 'package.json'), 'other');
  };
  await expect(runDemo(work, { out: () => {}, say: spoil }, FAST)).rejects.toThrow(ReplicaDiffersError);
});

test('an interruption in the middle leaves no process and no file', async () => {
  const work = await workspace();
  let stopped: Promise<void> | undefined;
  const stop = (line: string): void => {
    if (line.startsWith('longhaul, first copy')) stopped = work.halt();
  };
  await expect(runDemo(work, { out: () => {}, say: stop }, FAST)).rejects.toThrow(/longhaul|closed/);
  await stopped;
  expect(readdirSync(work.dir)).toContain('source');
});

test('a program that fails is quoted', async () => {
  const program = (await workspace()).run('the helper', process.execPath, [
    '-e',
    'console.error("no luck"); process.exit(3)',
  ]);
  await expect(program.line(/never/)).rejects.toThrow(/the helper ended with exit code 3.*\n.*no luck/);
});

test('a program that cannot be started says so', async () => {
  const program = (await workspace()).run('nothing', 'no-such-program-anywhere', []);
  await expect(program.succeeded()).rejects.toThrow(/ENOENT/);
});

test('trees differ in content, time, kind and names', async () => {
  const work = await workspace();
  const [left, right] = [await Workspace.open('left', work.dir), await Workspace.open('right', work.dir)];
  const put = async (tree: Workspace, name: string, content: string, seconds: number): Promise<void> => {
    await writeFile(tree.at(name), content);
    await utimes(tree.at(name), seconds, seconds);
  };
  for (const tree of [left, right]) await put(tree, 'same', 'same', 1e9);
  await put(left, 'content', 'one', 1e9);
  await put(right, 'content', 'two', 1e9);
  await put(left, 'time', 'time', 1e9);
  await put(right, 'time', 'time', 1e9 + 1);
  await put(left, 'left', '', 1e9);
  await put(right, 'right', '', 1e9);
  for (const tree of [left, right]) await utimes(tree.dir, 1e9, 1e9);
  const found = (await differences(left.dir, right.dir)).map((line) => line.split(':')[0]);
  expect(found.sort()).toEqual(['content', 'left', 'right', 'time']);
});

test('the table has a row for each pass and copier', () => {
  const pass = { wireBytes: 250_000, seconds: 1.26 };
  const lines = passTable([
    {
      name: 'first',
      files: 7,
      sourceBytes: 1_000_000,
      passes: [
        { by: 'a', pass },
        { by: 'b', pass },
      ],
    },
  ]);
  expect(lines).toEqual([
    'pass   by  files   source  on the wire   saved  seconds',
    'first  a       7  1.00 MB      0.25 MB  75.0 %      1.3',
    '       b                       0.25 MB  75.0 %      1.3',
  ]);
});
