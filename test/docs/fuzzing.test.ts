import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { nativeTargets } from '../../fuzz/native-target.js';
import { targets } from '../../fuzz/targets.js';
import { tables } from './tables.js';

/** docs/fuzzing.md names the targets that there are, and inputs that exist. */

const root = fileURLToPath(new URL('../..', import.meta.url));
const doc = readFileSync(`${root}/docs/fuzzing.md`, 'utf8');

const names = (text = ''): string[] => [...text.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name);

test.each([
  ['Targets in TypeScript', targets],
  ['Native targets', nativeTargets],
])('the table of %s', (heading, known) => {
  const rows = tables(doc).find((table) => table.heading === heading)?.rows ?? [];
  expect(rows.flatMap(({ target }) => names(target))).toEqual(known.map(({ name }) => name));
});

test('the inputs that replay what was found', () => {
  const rows = tables(doc).find(({ heading }) => heading === 'What it has found')?.rows ?? [];
  const paths = rows.flatMap((row) => names(row['replayed by']));
  expect(paths.length).toBeGreaterThan(0);
  for (const path of paths) expect(existsSync(`${root}/${path}`), path).toBe(true);
});
