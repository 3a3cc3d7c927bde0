import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { tables } from './tables.js';

/** docs/architecture.md names the rooms and files that there are. */

const root = fileURLToPath(new URL('../..', import.meta.url));
const doc = readFileSync(`${root}/docs/architecture.md`, 'utf8');

interface Rule {
  name: string;
  to: { pathNot?: string[] };
}
const { forbidden } = createRequire(import.meta.url)(`${root}/.dependency-cruiser.cjs`) as { forbidden: Rule[] };

/** What the check lets a room import, besides itself and what all may. */
function mayUse(room: string): string[] {
  const rule = forbidden.find(({ name }) => name === `room-${room}`);
  const allowed = (rule?.to.pathNot ?? []).map((pattern) => /^\^src\/(\w+)/.exec(pattern)?.[1]);
  return allowed.filter((name) => name !== undefined).filter((name) => name !== room);
}

test('the rooms and what they may import', () => {
  const rows = tables(doc).find(({ heading }) => heading === 'Rooms')?.rows ?? [];
  const said = rows.map(({ room = '', 'may use': use = '' }) => [
    room.replaceAll('`', ''),
    use.split(', ').filter((name) => name !== ''),
  ]);
  const rooms = readdirSync(`${root}/src`, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const expected = rooms.map(({ name }) => [name, mayUse(name)] as const);
  const sorted = (list: readonly (readonly [unknown, unknown])[]) =>
    list.map(([room, use]) => `${room}: ${[...(use as string[])].sort().join(', ')}`).sort();
  expect(sorted(said as [string, string[]][])).toEqual(sorted(expected));
});

test('every source file that it names exists', () => {
  const named = [...doc.matchAll(/`(?:src\/)?((?:\w+\/)?[\w-]+\.ts)`/g)].map(([, path = '']) => path);
  expect(named.length).toBeGreaterThan(10);
  const rooms = readdirSync(`${root}/src`);
  for (const path of named) {
    const places = path.includes('/') ? [path] : [path, ...rooms.map((room) => `${room}/${path}`)];
    expect(
      places.some((place) => existsSync(`${root}/src/${place}`)),
      path,
    ).toBe(true);
  }
});
